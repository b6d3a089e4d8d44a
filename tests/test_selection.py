"""Cutting off, folding, grouping and diversity, by hand and by brute force."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from ocelot.errors import FilterError
from ocelot.query import Query
from ocelot.selection import needs_vectors, pool_size, select
from ocelot.types import Hit


def hit(name: str, score: float, vector: Any = None, **metadata: Any) -> Hit:
    row = None if vector is None else np.array(vector, dtype=np.float32)
    return Hit(name, (f"/{name}.jpg",), metadata=metadata, score=score, vector=row)


def chosen(hits: Iterable[Hit], limit: int = 9, **wishes: Any) -> list[tuple[str, int]]:
    found = select(Query(text="a", **wishes), list(hits), limit)
    assert [one.rank for one in found] == list(range(1, len(found) + 1))
    assert [one.retrieval_rank for one in found] == [one.rank for one in found]
    return [(one.id, one.folded) for one in found]


SCORES = [hit(name, score) for name, score in (("a", 1.0), ("b", 0.75), ("c", 0.7), ("d", -0.1))]


@pytest.mark.parametrize(("share", "kept"), [(0, 3), (0.5, 3), (0.74, 2), (0.75, 2), (1, 1)])
def test_hits_below_a_share_of_the_best_score_are_left_out(share: float, kept: int) -> None:
    assert len(chosen(SCORES, min_share=share)) == kept
    assert len(chosen(SCORES, limit=1, min_share=share)) == 1


def test_the_best_hit_stays_even_if_its_score_is_negative() -> None:
    hits = [hit("a", -0.2), hit("b", -0.25), hit("c", -0.4)]
    assert chosen(hits, min_share=0.5) == [("a", 0), ("b", 0)]
    assert chosen([], min_share=0.5, fold=0.5, group_by="x", diversity=1) == []


def at(degrees: float) -> list[float]:
    return [math.cos(math.radians(degrees)), math.sin(math.radians(degrees))]


def test_near_duplicates_are_folded_into_the_best_and_counted() -> None:
    hits = [hit(name, 1 - n / 10, at(angle)) for n, (name, angle) in enumerate(
        {"a": 0, "b": 50, "c": 8, "d": 16, "e": 45}.items()
    )]  # fmt: skip
    # cos 10° = .985. d is close to c, which is folded, and not to a: it stays.
    assert chosen(hits, fold=math.cos(math.radians(10))) == [("a", 1), ("b", 1), ("d", 0)]
    assert chosen(hits, fold=1) == [(name, 0) for name in "abcde"]
    assert chosen([*hits, hit("f", 0.1, at(0))], fold=1)[0] == ("a", 1)
    assert chosen(hits, fold=0, limit=1) == [("a", 4)]


def test_the_best_of_each_group_stays() -> None:
    hits = [
        hit("a", 0.9, kind="mug", tags=[1]), hit("b", 0.8, kind="mug"), hit("c", 0.7),
        hit("d", 0.6, kind="case", tags=[1]), hit("e", 0.5, kind="mug"), hit("f", 0.4),
    ]  # fmt: skip
    assert chosen(hits, group_by="kind") == [("a", 2), ("c", 0), ("d", 0), ("f", 0)]
    assert chosen(hits, group_by="kind", limit=1) == [("a", 2)]
    assert [name for name, _ in chosen(hits, group_by="tags")] == list("abcef")
    numbers = [hit("a", 0.9, n=1), hit("b", 0.8, n=True), hit("c", 0.7, n="1"), hit("d", 0.6, n=1)]
    assert chosen(numbers, group_by="n") == [("a", 1), ("b", 0), ("c", 0)]


def test_what_was_folded_counts_in_its_group() -> None:
    hits = [hit(name, 0.9, at(angle), kind=kind) for name, angle, kind in (
        ("a", 0, "mug"), ("b", 40, "mug"), ("c", 41, "case"), ("d", 80, "case")
    )]  # fmt: skip
    # c is folded into b, which is folded with it into the group of a.
    assert chosen(hits, fold=0.99, group_by="kind") == [("a", 2), ("d", 0)]


def test_a_field_that_no_hit_has_is_named_with_those_there_are() -> None:
    with pytest.raises(FilterError, match="'colr' to group by: they have colour, price"):
        chosen([hit("a", 0.9, colour="red"), hit("b", 0.8, price=3)], group_by="colr")
    with pytest.raises(FilterError, match="they have no metadata"):
        chosen(SCORES, group_by="colour")


def greedy(scores: Any, vectors: Any, limit: int, diversity: float) -> list[int]:
    """Maximal marginal relevance as the paper writes it."""
    order = [0]
    while len(order) < min(limit, len(scores)):
        rest = [i for i in range(len(scores)) if i not in order]
        values = [
            (1 - diversity) * scores[i] - diversity * max(vectors[i] @ vectors[j] for j in order)
            for i in rest
        ]
        order.append(rest[int(np.argmax(values))])
    return order


def test_diversity_is_maximal_marginal_relevance() -> None:
    rng = np.random.default_rng(5)
    for diversity in (0.1, 0.3, 0.5, 0.9, 1.0):
        vectors = rng.normal(size=(30, 6))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        scores = np.sort(rng.uniform(-0.2, 1, 30))[::-1]
        # Stored vectors may have any length.
        hits = [hit(str(i), scores[i], 3 * vectors[i]) for i in range(30)]
        found = chosen(hits, limit=9, diversity=diversity)
        assert [int(name) for name, _ in found] == greedy(scores, vectors, 9, diversity)
    assert len(chosen(hits, limit=100, diversity=0.5)) == 30


def test_more_is_looked_at_only_where_hits_may_be_left_out() -> None:
    plain = Query(text="a", min_share=0.5, negative_text="b")
    assert (pool_size(plain, 9), needs_vectors(plain)) == (9, False)
    grouped = Query(text="a", group_by="kind")
    assert [pool_size(grouped, n) for n in (1, 9, 50, 500, 5000)] == [100, 100, 500, 1000, 5000]
    assert not needs_vectors(grouped)
    hybrid = Query(text="a", hybrid="title")
    assert [pool_size(hybrid, n) for n in (1, 500, 5000)] == [1000, 1000, 5000]
    assert pool_size(Query(b"a", hybrid="title"), 9) == 9
    for query in (Query(text="a", fold=0), Query(text="a", diversity=0.1)):
        assert (pool_size(query, 20), needs_vectors(query)) == (200, True)
