"""Facets: what metadata offers to filter by; conditions as Milvus itself reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.collection.facets import facets_of
from ocelot.collection.filters import condition

ROWS = [
    {"colour": "red", "price": 3.5, "new": True, "tags": ["a"], "title": "one"},
    {"colour": "red", "price": 9, "new": False, "title": "two"},
    {"colour": "blue", "price": 1, "new": True, "title": "three"},
    {"colour": "blue", "mixed": 1, "title": "four"},
    {"colour": "blue", "mixed": "1", "title": "five"},
]


def test_facets() -> None:
    facets = {facet.key: facet for facet in facets_of(ROWS)}
    colour = facets["colour"]
    assert (colour.kind, colour.values, colour.count) == ("text", ("blue", "red"), 5)
    price = facets["price"]
    assert (price.kind, price.low, price.high, price.count) == ("number", 1, 9, 3)
    assert facets["new"].kind == "boolean"
    assert facets["new"].values == (True, False)
    assert facets["tags"].kind == facets["mixed"].kind == "other"
    assert next(iter(facets)) == "colour"


def test_what_makes_a_list_to_choose_from() -> None:
    facets = {facet.key: facet for facet in facets_of(ROWS)}
    assert {key for key, facet in facets.items() if facet.categorical} == {"colour", "new"}


def test_no_rows_no_facets() -> None:
    assert facets_of([]) == ()


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Any:
    place = tmp_path_factory.mktemp("facets") / "f.db"
    with Collection.open(place, encoder=EncoderIdentity("none", "0" * 64, 2)) as opened:
        yield opened


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    value=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
)
def test_any_text_is_quoted_so_that_milvus_finds_it(collection: Collection, value: str) -> None:
    row = Row("a" * 64, {"/a": 1}, 1, 1, 1, {"key": value}, np.array([1, 0], np.float32))
    collection.upsert([row])
    assert len(collection.search([1, 0], filter=condition("key", "==", value))) == 1
    assert not collection.search([1, 0], filter=condition("key", "==", value + "x"))


@pytest.mark.parametrize("key", ["price", "unit price", "größe", "and", 'a"b', "in"])
def test_any_key_can_be_filtered(collection: Collection, key: str) -> None:
    row = Row("b" * 64, {"/b": 1}, 1, 1, 1, {key: 5}, np.array([0, 1], np.float32))
    collection.upsert([row])
    assert len(collection.search([0, 1], filter=condition(key, "<=", 5))) == 1
    assert not collection.search([0, 1], filter=condition(key, ">=", 6))
