"""Rankings small enough to check by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from ocelot.evaluation.metrics import chance, ranked_targets, summary

SCORES = np.array(
    [
        [0.9, 0.8, 0.7, 0.1],  # order 0 1 2 3
        [0.2, 0.9, 0.3, 0.5],  # order 1 3 2 0
        [0.5, 0.5, 0.5, 0.4],  # three-way tie
    ]
)
TARGETS: list[set[int]] = [{2}, {0, 2}, {1}]


def places(targets: list[set[int]], left_out: list[set[int]]) -> list[list[int]]:
    """For each query, the places of its targets, from 1."""
    rankings = ranked_targets(SCORES[: len(targets)], targets, left_out)
    return [(np.flatnonzero(ranking) + 1).tolist() for ranking in rankings]


def test_worked_example() -> None:
    assert places(TARGETS, [set(), set(), set()]) == [[3], [3, 4], [3]]


def test_the_reference_does_not_take_a_place() -> None:
    assert places(TARGETS, [{0}, {1}, {0}]) == [[2], [2, 3], [2]]


def test_a_target_that_is_the_reference_does_not_count() -> None:
    assert places([{0, 3}], [{0}]) == [[3]]
    with pytest.raises(ValueError, match="no target"):
        places([{0}], [{0}])


def test_of_equal_scores_targets_come_last() -> None:
    (ranking,) = ranked_targets(SCORES[2:], [{0}], [set()])
    assert ranking.tolist() == [False, False, True, False]


def test_summary() -> None:
    assert summary(SCORES, TARGETS, [{0}, {1}, {0}]) == {
        "R@1": 0.0, "R@5": 1.0, "R@9": 1.0, "R@10": 1.0, "MRR": 0.5, "P@10": 0.4444,
    }  # fmt: skip


def test_figures_of_a_longer_ranking() -> None:
    """Twelve pictures, best first; queries whose targets stand at known places."""
    scores = np.tile(np.arange(12.0, 0, -1), (4, 1))
    wanted = [{0, 3}, {1}, {9}, {10, 11}]  # ranks 1, 2, 10 and 11
    figures = summary(scores, wanted, [set()] * 4)
    assert figures["R@1"] == 0.25
    assert figures["R@5"] == figures["R@9"] == 0.5
    assert figures["R@10"] == 0.75
    assert figures["MRR"] == pytest.approx((1 + 1 / 2 + 1 / 10 + 1 / 11) / 4, abs=1e-4)
    assert figures["P@10"] == pytest.approx((2 + 1 + 1 + 0) / 40)


def test_no_queries() -> None:
    empty = summary(np.empty((0, 4)), [], [])
    assert set(empty.values()) == {0.0} and empty.keys() == chance([], []).keys()


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
        order = [column for column in np.argsort(-row).tolist() if column not in without]
        expected.append([column in wanted for column in order])
    found = ranked_targets(scores, targets, left_out)
    assert [ranking.tolist() for ranking in found] == expected
    shares = [np.mean(ranking[:10]) for ranking in expected]
    assert summary(scores, targets, left_out)["P@10"] == pytest.approx(np.mean(shares), abs=1e-4)
