from __future__ import annotations

import io
import tarfile
from pathlib import Path

from tests.cli.conftest import Command


def test_the_pictures_of_the_tutorial(ocelot: Command) -> None:
    folder = Path("data")
    folder.mkdir()
    # An archive that was saved by hand is used without a request.
    with tarfile.open(folder / "amazon_reviews_2023_subset.tar.gz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("images_folder/images/1.jpg"), io.BytesIO())
    outcome = ocelot("data", "amazon-reviews", folder)
    images = folder / "amazon_reviews_2023_subset" / "images_folder" / "images"
    assert outcome.code == 0 and (images / "1.jpg").is_file()
    assert f"Next: ocelot index {images}" in outcome.out


def test_a_damaged_archive_is_one_sentence(ocelot: Command) -> None:
    Path("amazon_reviews_2023_subset.tar.gz").write_bytes(b"<html>")
    outcome = ocelot("data", "amazon-reviews", ".")
    assert outcome.code == 1 and outcome.err.startswith("Error: ")
    assert outcome.err.count("\n") == 1
