"""What `ocelot info` says of a collection."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ocelot.collection import Collection, EncoderIdentity, Row
from tests.cli.conftest import Command

VECTOR = np.array([1, 0], np.float32)


def test_info(ocelot: Command, indexed: Path) -> None:
    outcome = ocelot("info", "--db", indexed)
    assert outcome.code == 0
    assert "60" in outcome.out and "ocelot-tiny" in outcome.out
    assert json.loads(ocelot("info", "--db", indexed, "--json").out)["count"] == 60
    missing = ocelot("info", "--db", "none.db")
    assert missing.code == 2
    assert "none.db" in missing.err and "ocelot index" in missing.err
    assert not Path("none.db").exists()


def test_info_names_fields_and_other_collections(ocelot: Command) -> None:
    encoder = EncoderIdentity("none", "0" * 64, 2)
    for name in ("toys", "shoes", "ocelot"):
        with Collection.open("a.db", name=name, encoder=encoder) as it:
            it.upsert(
                Row(str(n), {f"/{n}": 1}, 1, 1, 1, metadata, VECTOR)
                for n, metadata in enumerate(
                    [{"price": 3.5, "size": "S"}, {"price": 9, "note": "x\x1b" * 300, "size": 4}]
                )
            )
    shown = ocelot("info", "--db", "a.db")
    lines = [line.split() for line in shown.out.splitlines()]
    assert ["others", "shoes,", "toys"] in lines
    assert ["Metadata", "of", "2", "pictures,", "for", "--filter:"] in lines
    assert ["price", "number", "2", "3.5,", "9"] in lines
    assert ["size_", "other", "2", "S,", "4"] in lines
    assert ["note", "text", "1", "…"] in lines
    missing = ocelot("info", "--db", "a.db", "--collection", "toy")
    assert missing.code == 2 and "'toy' in a.db, which has ocelot, shoes, toys" in missing.err
    described = json.loads(ocelot("info", "--db", "a.db", "--json").out)
    assert described["others"] == ["shoes", "toys"] and described["sampled"] == 2
    price = next(field for field in described["fields"] if field["key"] == "price")
    assert (price["kind"], price["count"], price["low"], price["high"]) == ("number", 2, 3.5, 9)
    assert len(json.dumps(described)) < 2_000


def test_info_of_many_pictures_says_that_it_is_a_sample(ocelot: Command) -> None:
    with Collection.open("a.db", encoder=EncoderIdentity("none", "0" * 64, 2)) as it:
        it.upsert(Row(f"n{n}", {"/": 1}, 1, 1, 1, {"n": n}, VECTOR) for n in range(1_200))
    assert "Metadata of a sample of 1,000 pictures" in ocelot("info", "--db", "a.db").out
    assert json.loads(ocelot("info", "--db", "a.db", "--json").out)["sampled"] == 1_000


def test_info_without_metadata(ocelot: Command) -> None:
    with Collection.open("a.db", encoder=EncoderIdentity("none", "0" * 64, 2)) as it:
        it.upsert([Row("a", {"/": 1}, 1, vector=VECTOR)])
    shown = ocelot("info", "--db", "a.db").out
    assert "No metadata in 1 picture." in shown and "no other collections" in shown
