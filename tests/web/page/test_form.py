from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ocelot.collection import Facet
from ocelot.service import Service
from ocelot.types import Query
from ocelot.web.page.form import (
    CATEGORIES,
    NO_RERANKER,
    NUMBERS,
    RESULTS,
    Chosen,
    Form,
    Offer,
    expression,
)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (Chosen(), None),
        (Chosen(values={"colour": []}, ranges={"price": (None, None)}, own="  "), None),
        (Chosen(values={"colour": ["red"]}), 'colour == "red"'),
        (Chosen(values={"new": [True]}), "new == true"),
        (Chosen(ranges={"price": (5, None)}), "price >= 5"),
        (Chosen(own="price < 3"), "price < 3"),
        (
            Chosen({"colour": ["red", "blue"]}, {"price": (0, 30.5)}, "a or b"),
            '(colour == "red" or colour == "blue") and price >= 0 and price <= 30.5 and (a or b)',
        ),
        (Chosen(values={"shop name": ['"x" or "y']}), '$meta["shop name"] == "\\"x\\" or \\"y"'),
    ],
)
def test_expression(chosen: Chosen, expected: str | None) -> None:
    assert expression(chosen) == expected


def test_only_what_can_be_chosen_from_is_offered() -> None:
    colours = Facet("colour", "text", ("red", "blue"), 2, 40)
    titles = Facet("title", "text", tuple("abcdefgh"), 40, 40)
    price = Facet("price", "number", (3, 5), 9, 40, 3, 90)
    same = Facet("year", "number", (2020,), 1, 40, 2020, 2020)
    offer = Offer.of([titles, colours, price, same])
    assert offer == Offer((colours,), (price,))
    many = [Facet(f"key{n}", "boolean", (True,), 2, 9) for n in range(20)]
    assert len(Offer.of(many).categories) == CATEGORIES


async def _narrowed(service: Service, chosen: Chosen) -> list[dict[str, object]]:
    answer = await service.search(Query(text="kettle"), limit=50, filter=expression(chosen))
    return [dict(hit.metadata) for hit in answer.result.hits]


def test_milvus_takes_what_was_chosen(service: Service) -> None:
    chosen = Chosen({"colour": ["red", "blue"]}, {"price": (10, 60)})
    found = asyncio.run(_narrowed(service, chosen))
    assert found
    assert {fields["colour"] for fields in found} == {"red", "blue"}
    assert all(10 <= float(str(fields["price"])) <= 60 for fields in found)


OFFER = Offer(
    (Facet("colour", "text", ("red", "blue"), 2, 40), Facet("new", "boolean", (True,), 2, 40)),
    (Facet("price", "number", (3, 5), 9, 40, 3, 90),),
)


def values(**given: Any) -> list[Any]:
    categories = [given.get("colour"), given.get("new"), *["left over"] * (CATEGORIES - 2)]
    ends = [given.get("low"), given.get("high"), *[7] * (2 * NUMBERS - 2)]
    return [*categories, *ends, given.get("own"), given.get("by", "fusion"), given.get("limit", 9)]


def test_fields_that_stand_for_nothing_are_left_out() -> None:
    form = Form.of(OFFER, {"path": "/a.jpg"}, "in blue", *values(colour=["red"], high=30))
    chosen = Chosen({"colour": ["red"]}, {"price": (None, 30)})
    assert form == Form("/a.jpg", "in blue", chosen, 9, "fusion")
    empty = Form.of(Offer(), None, None, *values(by=NO_RERANKER))
    assert empty == Form(None, "", Chosen(), 9, None)


@pytest.mark.parametrize(("sent", "limit"), [(-3, 1), (5.0, 5), (10**9, RESULTS)])
def test_a_browser_cannot_ask_for_more_than_there_is_room_for(sent: float, limit: int) -> None:
    assert Form.of(OFFER, None, "a", *values(limit=sent)).limit == limit
