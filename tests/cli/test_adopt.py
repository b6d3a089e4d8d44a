from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ocelot.encoders import VisualizedBGE
from ocelot.types import Input
from tests.cli.conftest import Command
from tests.indexing.test_adopt import NAME, tutorial


def test_the_collection_of_the_tutorial(ocelot: Command, shop: Path) -> None:
    paths = sorted((shop / "images").iterdir())[:9]
    vectors = VisualizedBGE.load("ocelot-tiny").encode([Input(path) for path in paths])
    rows = [(f"images/{path.name}", v) for path, v in zip(paths, vectors, strict=True)]
    tutorial("milvus_demo.db", [*rows, ("images/gone.jpg", vectors[0])])
    call = ("adopt", "milvus_demo.db", "--collection", NAME, "--root", shop)
    outcome = ocelot(*call)
    assert outcome.code == 0
    assert "10 rows found: 9 taken over, 0 duplicates, 1 left out" in outcome.out
    assert "ocelot.db now holds 9 pictures." in outcome.out and "gone.jpg" in outcome.err
    assert len(json.loads(ocelot("search", "-t", "mug", "--json", "-n", 20).out)["hits"]) == 9
    # Into the same database; again, and as JSON.
    same = json.loads(ocelot(*call, "--db", "milvus_demo.db", "--into", "own", "--json").out)
    assert (same["adopted"], same["total"], len(same["failures"])) == (9, 9, 1)
    again = json.loads(ocelot(*call, "--json").out)
    assert (again["duplicates"], again["db"]) == (9, "ocelot.db")
    assert ocelot("adopt", "milvus_demo.db", "--collection", "other").code == 2
    clash = ocelot(*call, "--db", "milvus_demo.db", "--into", NAME)
    assert clash.code == 2 and "`ocelot adopt`" in clash.err


def test_vectors_that_do_not_agree_make_no_database(ocelot: Command, shop: Path) -> None:
    paths = [str(path) for path in sorted((shop / "images").iterdir())[:3]]
    tutorial("milvus_demo.db", [(path, np.arange(1.0, 321)) for path in paths])
    outcome = ocelot("adopt", "milvus_demo.db", "--collection", NAME)
    assert outcome.code == 2 and "does not have the vectors of the encoder" in outcome.err
    assert not Path("ocelot.db").exists()
