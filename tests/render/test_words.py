from __future__ import annotations

from dataclasses import replace

import pytest

from ocelot.render import words
from ocelot.types import Hit, Query, Ranking, Result, Usage

HIT = Hit("a" * 64, ("a.jpg",), score=0.5, rank=6)


@pytest.mark.parametrize(
    ("rank", "expected"),
    [(1, ("up", "was 6th")), (6, None), (9, ("down", "was 6th")), (5, ("up", "was 6th"))],
)
def test_movement_says_where_a_hit_came_from(rank: int, expected: object) -> None:
    assert words.movement(replace(HIT, rank=rank)) == expected


def test_what_was_asked_in_a_few_words() -> None:
    assert words.asked(Query(b"1", "in blue")) == "Picture + “in blue”"
    assert words.asked(Query(text="a kettle")) == "“a kettle”"
    assert words.asked(Query(b"1")) == "Picture"
    assert words.asked(Query([b"1", b"2"])) == "Pictures"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(9.5, "9.50"), (1234.0, "1,234.00"), (3, "3"), ("EUR 3", "EUR 3"), (float("nan"), ""),
     (None, ""), ([1], "")],
)  # fmt: skip
def test_price(value: object, shown: str) -> None:
    assert words.price({"price": value}) == shown


def test_summary_puts_what_needs_no_label_first_and_leaves_prose_out() -> None:
    fields = {
        "title": "A", "stock": 3, "colour": "red", "category": "Cell_Phones", "note": "x" * 60,
        "ratio": 0.5, "new": True, "more": 1,
    }  # fmt: skip
    assert words.summary(fields) == "Cell Phones · red · stock 3 · ratio 0.5"
    assert ("new", "yes") in words.fields(fields)


def test_a_repaired_and_an_unusable_reply_are_one_sentence_each() -> None:
    def ranking(status: str, detail: str) -> Ranking:
        return Ranking((0,), "", "gpt-4o", status, detail)  # type: ignore[arg-type]

    assert words.notice(None) == words.notice(ranking("ok", "")) == ""
    assert words.notice(ranking("repaired", "1 index was missing")) == (
        "The reply of gpt-4o was repaired: 1 index was missing."
    )
    assert words.notice(ranking("fallback", "Timed out.")) == (
        "The pictures are in retrieval order: Timed out."
    )
    spent = Ranking((0,), "", "fusion", "replaced", "gpt-4o was not asked.")
    assert words.notice(spent) == "Ranked by fusion: gpt-4o was not asked."
    assert words.verdict(ranking("fallback", "")) == "Most similar"
    assert words.verdict(ranking("repaired", "")) == "Best match"


def test_facts_say_who_ranked_and_what_it_cost() -> None:
    usage = Usage(calls=2, prompt_tokens=1200, completion_tokens=30, cost=0.0033)
    ranking = Ranking((0,), "", "gpt-4o", "repaired", usage=usage)
    result = Result(Query(text="a"), (HIT,), ranking, {"search": 0.0041, "total": 2.25})
    assert words.facts(result) == [
        ("Ranked by", "gpt-4o, repaired"),
        ("Cost", "1,200 tokens in, 30 out, $0.00330"),
        ("Calls to the model", "2"),
        ("Time, search", "4 ms"),
        ("Time, total", "2.2 s"),
    ]
    assert words.facts(Result(Query(text="a"), ())) == [("Order", "retrieval order, not reranked")]


def test_after_a_fallback_nobody_is_said_to_have_ranked() -> None:
    ranking = Ranking((0,), "", "ratelimit", "fallback", "It did not answer (HTTP 429).")
    result = Result(Query(text="a"), (HIT,), ranking)
    assert words.facts(result) == [("Order", "retrieval order, as ratelimit gave no usable answer")]
    assert words.ranked(ranking) == "in retrieval order"
    assert ranking.ranked_by == "retrieval"
