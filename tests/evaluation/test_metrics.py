"""Rankings small enough to check by hand."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from ocelot.evaluation.metrics import (
    Places,
    average_precision,
    best_first,
    chance,
    interval,
    measure,
    ndcg,
    resampled_means,
    summary,
)

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
    orders = [best_first(*query).tolist() for query in zip(SCORES, targets, left_out, strict=False)]
    return [
        [place for place, column in enumerate(order, 1) if column in wanted]
        for order, wanted in zip(orders, targets, strict=True)
    ]


def test_worked_example() -> None:
    assert places(TARGETS, [set(), set(), set()]) == [[3], [3, 4], [3]]


def test_the_reference_does_not_take_a_place() -> None:
    assert places(TARGETS, [{0}, {1}, {0}]) == [[2], [2, 3], [2]]


def test_a_target_that_is_the_reference_does_not_count() -> None:
    assert places([{0, 3}], [{0}]) == [[3]]


def test_of_equal_scores_targets_come_last() -> None:
    assert best_first(SCORES[2], {0}, set()).tolist() == [1, 2, 0, 3]


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
    shares = []
    for row, wanted, without in zip(scores, targets, left_out, strict=True):
        order = [column for column in np.argsort(-row).tolist() if column not in without]
        assert best_first(row, wanted, without).tolist() == order
        shares.append(np.mean([column in wanted for column in order[:10]]))
    assert summary(scores, targets, left_out)["P@10"] == pytest.approx(np.mean(shares), abs=1e-4)


# Of the places of targets


def test_average_precision_of_circo_by_hand() -> None:
    assert average_precision([1, 3, 6], 3, 5) == pytest.approx((1 + 2 / 3) / 3)
    # Seven answers, five of them first: CIRCO divides by 5, so that this is perfect.
    assert average_precision([1, 2, 3, 4, 5], 7, 5) == 1.0
    assert average_precision([], 4, 5) == 0.0
    assert average_precision([6], 1, 5) == 0.0


def test_ndcg_by_hand() -> None:
    ideal = 1 + 1 / math.log2(3) + 1 / 2
    assert ndcg([2, 3], 3, 10) == pytest.approx((1 / math.log2(3) + 1 / 2) / ideal)
    assert ndcg([1, 2, 3], 20, 3) == 1.0


def test_the_named_metrics_by_hand() -> None:
    places = Places((2, 4), 3, ranked=8, first=4, subset=1)
    expected = {
        "R@1": 0.0, "R@2": 1.0, "Rt@3": 0.0, "Rt@4": 1.0, "Rs@1": 1.0, "MRR": 0.5,
        "P@4": 0.5, "P@10": 2 / 8, "mAP@5": (1 / 2 + 2 / 4) / 3, "mean(R@1,Rs@1)": 0.5,
    }  # fmt: skip
    assert {name: measure(name, places) for name in expected} == pytest.approx(expected)
    nothing = Places(relevant=2)
    names = (*expected, "nDCG@10")
    assert {measure(name, nothing) for name in names} == {0.0}


def test_against_other_implementations_on_thousands_of_rankings() -> None:
    """Written from the definitions, on lists of names instead of places."""

    def precision_at(ranking: list[int], wanted: set[int], place: int) -> float:
        return len(wanted.intersection(ranking[:place])) / place

    def dcg(gains: list[int]) -> float:
        return float(np.sum(np.array(gains) / np.log2(np.arange(len(gains)) + 2)))

    rng = np.random.default_rng(3)
    for _ in range(3000):
        size = int(rng.integers(1, 40))
        ranking = rng.permutation(60)[:size].tolist()  # some targets are not ranked at all
        wanted = rng.choice(60, int(rng.integers(1, 12)), replace=False).tolist()
        subset = {*rng.choice(60, 6, replace=False).tolist(), wanted[0]}
        k = int(rng.integers(1, 30))
        inside = [one for one in ranking if one in subset]
        place_of = {one: place for place, one in enumerate(ranking, 1)}
        places = Places(
            tuple(sorted(place_of[one] for one in wanted if one in place_of)),
            len(wanted),
            size,
            place_of.get(wanted[0]),
            inside.index(wanted[0]) + 1 if wanted[0] in inside else None,
        )
        answers = set(wanted)
        gains = [int(one in answers) for one in ranking[:k]]
        shown = [place for place in range(1, min(k, size) + 1) if ranking[place - 1] in answers]
        expected = {
            f"R@{k}": float(bool(answers & set(ranking[:k]))),
            f"Rt@{k}": float(wanted[0] in ranking[:k]),
            f"Rs@{k}": float(wanted[0] in inside[:k]),
            f"P@{k}": sum(gains) / min(k, size),
            f"mAP@{k}": sum(precision_at(ranking, answers, place) for place in shown)
            / min(len(wanted), k),
            f"nDCG@{k}": dcg(gains) / dcg([1] * min(len(wanted), k)),
            "MRR": max((1 / place for one, place in place_of.items() if one in answers), default=0),
        }
        assert {name: measure(name, places) for name in expected} == pytest.approx(expected)


def test_bootstrap_intervals() -> None:
    """Of a mean of many zeros and ones the interval is known: 1.96 standard errors."""
    scores = np.zeros((400, 2))
    scores[:100, 0] = 1
    scores[:, 1] = 0.5
    means = resampled_means(scores)
    assert means.shape == (1000, 2)
    low, high = interval(means[:, 0])
    error = 1.96 * math.sqrt(0.25 * 0.75 / 400)
    assert (low, high) == pytest.approx((0.25 - error, 0.25 + error), abs=0.008)
    assert interval(means[:, 1]) == (0.5, 0.5)
    assert np.array_equal(means, resampled_means(scores))  # the same queries each time
