from __future__ import annotations

from typing import Any

import pytest

from ocelot.service import Facet
from ocelot.web.page.filters import CATEGORIES, NUMBERS, Chosen, Offer
from ocelot.web.page.form import MOST, OFF, Form

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
    empty = Form.of(Offer(), None, None, *values(by=OFF))
    assert empty == Form(None, "", Chosen(), 9, None)


@pytest.mark.parametrize(("sent", "limit"), [(-3, 1), (5.0, 5), (10**9, MOST)])
def test_a_browser_cannot_ask_for_more_than_there_is_room_for(sent: float, limit: int) -> None:
    assert Form.of(OFFER, None, "a", *values(limit=sent)).limit == limit
