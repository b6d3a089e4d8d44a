"""Rankings small enough to check by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ocelot.evaluation.metrics import first_ranks, mean_reciprocal_rank, recall_at, summary

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
    assert summary(ranks) == {
        "R@1": 0.25, "R@5": 0.5, "R@9": 0.5, "R@10": 0.75, "MRR": 0.4227,
    }  # fmt: skip


def test_no_queries() -> None:
    assert summary(np.empty(0, dtype=np.int64))["R@1"] == 0.0


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
