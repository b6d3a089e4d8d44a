from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.cli.conftest import Command

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "tiny-base"
SMALL = ("--encoder", GOLDEN / "weights.pth", "--text-model", GOLDEN)


def test_another_encoder(ocelot: Command, shop: Path) -> None:
    for file in sorted((shop / "images").iterdir())[:20]:
        (folder := Path("images")).mkdir(exist_ok=True)
        shutil.copy(file, folder)
    assert ocelot("index", "images").code == 0
    unnamed = ocelot("reindex")
    assert unnamed.code == 2 and "--encoder NAME" in unnamed.err
    outcome = ocelot("reindex", *SMALL)
    assert outcome.code == 0, outcome.err
    assert "20 pictures: 20 encoded, 0 were there" in outcome.out
    assert "Of the first 9 hits of 20 stored pictures" in outcome.out
    assert "ocelot now stands for ocelot_" in outcome.out
    # The name is that of the new one, and the old one is kept.
    info = json.loads(ocelot("info", "--json").out)
    assert info["name"] != "ocelot" and info["others"] == ["ocelot"] and info["count"] == 20
    refused = ocelot("search", "-t", "a mug")
    assert refused.code == 2 and "not with ocelot-tiny" in refused.err
    assert ocelot("search", *SMALL, "-t", "a mug").code == 0
    # Indexing goes into the new one; the old one can be removed by a further run.
    assert "20 unchanged" in ocelot("index", "images", *SMALL).out
    dropped = ocelot("reindex", *SMALL, "--drop-old")
    assert "0 encoded" in dropped.out and "Removed: ocelot." in dropped.out
    assert json.loads(ocelot("info", "--json").out)["others"] == []


def test_files_that_are_gone(ocelot: Command, shop: Path) -> None:
    Path("images").mkdir()
    for file in sorted((shop / "images").iterdir())[:3]:
        shutil.copy(file, "images")
    assert ocelot("index", "images").code == 0
    gone = min(Path("images").iterdir())
    gone.unlink()
    outcome = ocelot("reindex", *SMALL)
    assert outcome.code == 1 and gone.name in outcome.err
    assert "ocelot still stands for ocelot:" in outcome.err
    assert ocelot("search", "-t", "mug").code == 0
    outcome = ocelot("reindex", *SMALL, "--skip-unreadable", "--json")
    report = json.loads(outcome.out)
    assert (outcome.code, report["unchanged"], report["switched"]) == (0, 2, True)
    assert len(report["failures"]) == 1
