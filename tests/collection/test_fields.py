"""Filters whose fields no row has: named where they find nothing, and never refused otherwise."""

from __future__ import annotations

import time

import numpy as np
import pytest

from ocelot.collection import MAX_FILTER, Collection, EncoderIdentity, Row
from ocelot.collection.filters import SAMPLE, fields_of
from ocelot.errors import FilterError

ENCODER = EncoderIdentity("none", "0" * 64, 2)
VECTOR = np.array([1, 0], np.float32)
METADATA = {"price": 3, "size": "S", "tags": ["a"], "box": {"w": 1}, "unit price": 2, "in": 1}


@pytest.fixture(scope="module")
def collection(deployment):
    with Collection.open(**deployment, name="fields", encoder=ENCODER) as opened:
        opened.upsert(Row(str(n), {f"/{n}": 1}, 1, 1, 1, METADATA, VECTOR) for n in range(1, 4))
        yield opened


@pytest.mark.parametrize(
    ("filter", "missing"),
    [
        ("prise < 30", "prise"),
        ("Price < 30", "Price"),
        ('price < 30 and colour == "red"', "colour"),
        ('colour in ["price"] and prise > 1e5', "colour or prise"),
        ('$meta["prise"] == 1', '$meta["prise"]'),
        ('$meta["size"] == "S"', '$meta["size"]'),
        ('box["h"] == 1', 'box["h"]'),
        ('json_contains(tag, "a")', "tag"),
        ('"S" == siz', "siz"),
    ],
)
def test_a_field_that_no_row_has_is_named(collection, filter, missing):
    with pytest.raises(FilterError) as caught:
        collection.search(VECTOR, filter=filter)
    assert f"no picture has a field {missing}; there are: " in str(caught.value)
    for name in ("price", "size_", "tags", "box", '$meta["unit price"]', '$meta["in"]'):
        assert name in str(caught.value)


def test_counting_and_reading_name_it_too(collection):
    for use in (collection.count, lambda filter: list(collection.iterate(filter=filter))):
        with pytest.raises(FilterError, match="no picture has a field prise; there are: price"):
            use("prise < 30")


@pytest.mark.parametrize(
    "filter",
    [
        "price > 30",
        "price > 30 and price < 1e5",
        'size_ == "prise"',
        "size_ == 'it is \\'prise\\' < 3'",
        'tags[0] == "b"',
        'box["w"] == 2',
        'json_contains(tags, "b")',
        '$meta["unit price"] > 30 and not ($meta["in"] == 1)',
        'id == "9"',
        'paths["/x"] > 0',
        "size > 30",
        "prise < 30 and exists prise",
        "prise < 30 && (EXISTS prise)",
    ],
)
def test_a_filter_with_fields_that_are_there_may_find_nothing(collection, filter):
    assert collection.search(VECTOR, filter=filter) == ()


@pytest.mark.parametrize("filter", ["prise < 30 or price < 30", "not (prise == 1) or price == 3"])
def test_a_filter_that_finds_something_is_never_refused(collection, filter):
    assert collection.count(filter) == 3
    assert len(collection.search(VECTOR, filter=filter)) == 3


def test_an_empty_collection_has_no_fields_to_name(open_collection):
    collection = open_collection(encoder=ENCODER)
    assert collection.count("price < 30") == 0
    collection.upsert([Row("a", {"/a": 1}, 1, vector=VECTOR)])
    with pytest.raises(FilterError, match="field price; no metadata was found"):
        collection.count("price < 30")


def test_the_other_collections_of_the_database(collection, deployment):
    with Collection.open(**deployment, name="beside", encoder=ENCODER) as beside:
        assert "fields" in beside.others() and "beside" not in beside.others()


def test_a_name_that_the_collection_uses_itself(collection):
    with pytest.raises(FilterError, match=r"size is the collection's own field.* is size_"):
        collection.search(VECTOR, filter='size == "S"')
    with pytest.raises(FilterError) as caught:  # no row has width_
        collection.search(VECTOR, filter='width == "S"')
    assert "own field" not in str(caught.value)


def test_a_sample_is_called_one_and_reaches_late_rows(open_collection):
    """Rows with content hashes: their first ones come from other places than the last."""
    collection = open_collection(encoder=ENCODER)
    random = np.random.default_rng(0)
    ids = ["".join(map("{:02x}".format, random.bytes(32))) for _ in range(3 * SAMPLE)]
    collection.upsert(
        Row(id, {f"/{n}": 1}, 1, 1, 1, {"early" if n < 2 * SAMPLE else "late": n}, VECTOR)
        for n, id in enumerate(ids)
    )
    rows = collection.sample()
    assert len({row.id for row in rows}) == SAMPLE
    assert sum("late" in row.metadata for row in rows) > SAMPLE / 5
    with pytest.raises(FilterError, match="field earl; a sample of 1,000 has: early, late"):
        collection.count("earl == 1")


def test_a_long_filter_is_refused_at_once_and_not_echoed(collection):
    terms = " or ".join(f"price == {n}" for n in range(80_000))
    for use in (collection.count, lambda long: collection.search(VECTOR, filter=long)):
        started = time.perf_counter()
        with pytest.raises(FilterError, match="10,000 are the most") as caught:
            use(terms)
        assert len(str(caught.value)) < 500
        assert time.perf_counter() - started < 5
    for filter in ("prise == 1" + " " * 9_000 + "and price == 1", "price == 1" + " (" * 4_900):
        with pytest.raises(FilterError) as caught:
            collection.count(filter)
        assert len(str(caught.value)) < 800
    assert collection.count("price == 3" + " or price == 3" * ((MAX_FILTER - 10) // 14)) == 3


def test_names_are_told_from_all_else():
    filter = """a == 'x y' and b["c"] [ "d" ][0] in ["e"] or NOT f(g, 1.5e3) && h like "%" """
    assert [path for _, path in fields_of(filter)] == ["a", 'b["c"]["d"]', "g", "h"]
