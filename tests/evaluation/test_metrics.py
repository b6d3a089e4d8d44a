"""Rankings small enough to check by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from ocelot.evaluation.metrics import (
    chance,
    first_ranks,
    mean_reciprocal_rank,
    precision_at,
    recall_at,
    summary,
)

SCORES = np.array(
    [
        [0.9, 0.8, 0.7, 0.1],  # order 0 1 2 3
        [0.2, 0.9, 0.3, 0.5],  # order 1 3 2 0
        [0.5, 0.5, 0.5, 0.4],  # three-way tie
    ]
)


def test_worked_example() -> None:
    ranks = first_ranks(SCORES, [{2}, {0, 2}, {1}], [set(), set(), set()])
    assert ranks.tolist() == [3, 3, 3]


def test_the_reference_does_not_take_a_place() -> None:
    ranks = first_ranks(SCORES, [{2}, {0, 2}, {1}], [{0}, {1}, {0}])
    assert ranks.tolist() == [2, 2, 2]


def test_a_target_that_is_the_reference_does_not_count() -> None:
    assert first_ranks(SCORES[:1], [{0, 3}], [{0}]).tolist() == [3]
    with pytest.raises(ValueError, match="no target"):
        first_ranks(SCORES[:1], [{0}], [{0}])


def test_other_targets_do_not_push_the_best_back() -> None:
    assert first_ranks(SCORES[:1], [{1, 0}], [set()]).tolist() == [1]


def test_recall_and_reciprocal_rank() -> None:
    ranks = np.array([1, 2, 10, 11])
    assert recall_at(ranks, 1) == 0.25
    assert recall_at(ranks, 10) == 0.75
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 11) / 4)


def test_summary() -> None:
    assert summary(SCORES, [{2}, {0, 2}, {1}], [{0}, {1}, {0}]) == {
        "R@1": 0.0, "R@5": 1.0, "R@9": 1.0, "R@10": 1.0, "MRR": 0.5, "P@10": 0.4444,
    }  # fmt: skip


def test_no_queries() -> None:
    empty = summary(np.empty((0, 4)), [], [])
    assert set(empty.values()) == {0.0} and empty.keys() == chance([], []).keys()


def test_precision_counts_the_share_of_targets() -> None:
    none: list[set[int]] = [set()]
    assert precision_at(SCORES[:1], [{0, 2}], none, k=1) == 1.0
    assert precision_at(SCORES[:1], [{0, 2}], none, k=2) == 0.5
    assert precision_at(SCORES[:1], [{0, 2}], [{0}], k=2) == 0.5  # of 1 and 2
    assert precision_at(SCORES[:1], [{0, 2}], [{1}], k=2) == 1.0
    assert precision_at(SCORES[:1], [{0, 2}], none, k=10) == 0.5  # all four are ranked
    assert precision_at(SCORES[2:], [{0}], none, k=2) == 0.0  # of equal scores it comes last
    assert precision_at(SCORES[:2], [{0}, {0}], none * 2, k=1) == 0.5


def test_chance_is_the_mean_over_every_order() -> None:
    """Five pictures, two of them targets: all 120 orders."""
    orders = np.array(list(permutations(range(5))), dtype=float)
    targets, nothing = [{0, 1}] * len(orders), [set[int]()] * len(orders)
    expected = summary(orders, targets, nothing)
    assert chance([2], [5]) == pytest.approx(expected, abs=1e-4)
    assert expected["R@1"] == 0.4 and expected["R@5"] == 1.0 and expected["P@10"] == 0.4
    assert chance([1], [1])["MRR"] == 1.0
    mixed, apart = chance([1, 3], [20, 30]), (chance([1], [20]), chance([3], [30]))
    assert mixed["R@5"] == pytest.approx((apart[0]["R@5"] + apart[1]["R@5"]) / 2, abs=1e-4)


def test_against_sorting() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(50, 30))
    targets = [set(rng.choice(30, 3, replace=False).tolist()) for _ in range(50)]
    left_out = [{int(rng.integers(30))} for _ in range(50)]
    expected = []
    for row, wanted, without in zip(scores, targets, left_out, strict=True):
        order = [place for place in np.argsort(-row) if place not in without]
        expected.append(1 + min(order.index(t) for t in wanted - without))
    assert first_ranks(scores, targets, left_out).tolist() == expected
    shares = []
    for row, wanted, without in zip(scores, targets, left_out, strict=True):
        order = [place for place in np.argsort(-row) if place not in without]
        shares.append(len(wanted.intersection(order[:10])) / 10)
    assert precision_at(scores, targets, left_out) == pytest.approx(np.mean(shares))
