"""The commands that the docs show are run as they stand there."""

from __future__ import annotations

import tarfile
from pathlib import Path

from PIL import Image

from tests.cli.conftest import Command
from tests.test_docs import command_lines, words_of, write_pictures

PAGES = ("README.md", "tutorial.md")
NOT_RUN = ("adopt", "demo", "serve", "train")  # they have tests of their own, or do not end


def test_documented_commands_run(ocelot: Command) -> None:
    """In order and offline: on small pictures, with the bundled encoder."""
    pictures = write_pictures(Path("PICTURES"))
    for name in ("leopard.jpg", "mug.jpg"):
        Image.new("RGB", (24, 24), "orange").save(name)
    Path("data").mkdir()
    with tarfile.open("data/amazon_reviews_2023_subset.tar.gz", "w:gz") as archive:
        archive.add(pictures)  # used as it is found there
    ran = 0
    for page, line in command_lines():
        words = words_of(line)
        if page not in PAGES or words[0] in NOT_RUN:
            continue
        if "--encoder" in words:
            words[words.index("--encoder") + 1] = "ocelot-tiny"
        outcome = ocelot(*words)
        assert outcome.code == 0, f"{page}: {line}: {outcome.err}"
        ran += 1
    assert ran >= 8
