"""Several votes on one panorama, against a model that prefers some places of the grid."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocelot.errors import ConfigurationError
from ocelot.rerankers import LLMReranker
from ocelot.rerankers.llm.windows import arrangements, merge
from ocelot.types import Query, Ranking
from tests.rerankers.chat_server import ChatServer, Reply, Request, Script, completion, ranking
from tests.rerankers.conftest import MakeHits


@given(st.integers(1, 25), st.integers(1, 9))
def test_each_item_is_shown_once_and_at_other_places(count: int, votes: int) -> None:
    shown = arrangements(count, votes)
    assert shown[0] == tuple(range(count)) and len(shown) == min(votes, count)
    assert all(sorted(one) == list(range(count)) for one in shown)
    for place in range(count):
        assert len({one[place] for one in shown}) == len(shown)


@given(st.integers(1, 7).flatmap(lambda n: st.lists(st.permutations(range(n)), min_size=2)))
def test_the_order_is_that_of_the_mean_place(orders: list[list[int]]) -> None:
    merged = merge([Ranking(tuple(order), f"{order[0]}", "m") for order in orders])
    means = [np.mean([order.index(item) for order in orders]) for item in merged.order]
    assert means == sorted(means)
    agree = any(order[0] == merged.order[0] for order in orders)
    assert merged.reason == (f"{merged.order[0]}" if agree else "")
    assert (merged.status == "ok") == agree


def test_most_verdicts_win_and_else_that_of_the_reason() -> None:
    def votes(*verdicts: bool | None) -> Ranking:
        orders = ((0, 1), (0, 1), (1, 0))
        return merge([Ranking(o, "r", "m", match=v) for o, v in zip(orders, verdicts, strict=True)])

    assert votes(True, False, False).match is False
    assert votes(True, None, False).match is True  # as the first, whose reason is kept
    assert votes(None, None, None).match is None


def biased(bias: float) -> Script:
    """A model that sees how good an item is, and likes an item less the later it stands."""

    def judge(request: Request) -> Reply:
        shown = [int(n) for n in re.findall(r'title: "Item (\d+)"', request.prompt)]
        worth = [GOOD.index(item) + bias * place for place, item in enumerate(shown)]
        return ranking(np.argsort(worth, kind="stable").tolist(), f"It is {shown[0]}.")

    return judge


GOOD = [4, 7, 1, 0, 8, 3, 6, 2, 5]  # the items, the best first


@pytest.mark.parametrize("votes", [3, 9])
def test_votes_take_away_the_preference_for_a_place(
    server: ChatServer, make_hits: MakeHits, votes: int
) -> None:
    server.script = biased(2.0)
    hits = make_hits(["grey"] * 9)

    def inversions(order: tuple[int, ...]) -> int:
        places = [GOOD.index(item) for item in order]
        return sum(a > b for n, a in enumerate(places) for b in places[n + 1 :])

    def asked(votes: int) -> Ranking:
        judge = LLMReranker("served", base_url=server.url, retries=0, votes=votes)
        return judge.rerank(Query(None, "grey"), hits)

    alone, together = asked(1), asked(votes)
    assert together.usage.calls == votes
    assert alone.order[0] != GOOD[0]
    assert inversions(together.order) < inversions(alone.order)
    if votes == 9:  # each item at each place once
        assert together.order[0] == GOOD[0]
        assert inversions(together.order) < inversions(alone.order) / 2


def test_a_failed_vote_leaves_the_others(server: ChatServer, make_hits: MakeHits) -> None:
    nonsense, good = completion("No idea."), ranking([1, 0, 2], "Blue.")
    server.replies(nonsense, good, ranking([0, 2, 1], "Blue as well."))
    judge = LLMReranker("served", base_url=server.url, retries=0, votes=3)
    found = judge.rerank(Query(None, "blue"), make_hits(["red", "blue", "green"]))
    # The second vote sees items 1, 2, 0, the third 2, 0, 1: both put item 2 first.
    assert (found.order[0], found.reason, found.usage.calls) == (2, "Blue.", 3)


@pytest.mark.parametrize("votes", [0, 10])
def test_a_number_of_votes_that_cannot_be_used(votes: int) -> None:
    with pytest.raises(ConfigurationError, match=f"votes must be 1 to 9, was: {votes}"):
        LLMReranker("served", base_url="http://127.0.0.1:9/v1", votes=votes)
