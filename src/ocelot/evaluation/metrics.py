"""Retrieval metrics: pure functions of the places of targets in a ranking."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import log2
from typing import Any

import numpy as np

__all__ = [
    "Places", "average_precision", "best_first", "chance", "interval", "measure", "ndcg",
    "resampled_means", "summary",
]  # fmt: skip

_RECALL_AT = (1, 5, 9, 10)
_SUMMARY = (*(f"R@{k}" for k in _RECALL_AT), "MRR", "P@10")

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Columns = Sequence[AbstractSet[int]]


@dataclass(frozen=True)
class Places:
    """Where the targets of one query stand in its ranking, from 1."""

    targets: tuple[int, ...] = ()  # of those that are ranked, ascending
    relevant: int = 1  # number of targets, ranked or not
    ranked: int = 0  # number of pictures that are ranked
    first: int | None = None  # of the target that the text was written for, if it is ranked
    subset: int | None = None  # of that target among the query's subset, if there is one


def measure(name: str, places: Places) -> float:
    """One metric of one query, 0 to 1.

    Names: `R@k` (recall: a target among the first k), `Rt@k` (the target that the text was written
    for), `Rs@k` (the same within the subset), `mAP@k`, `nDCG@k`, `P@k`, `MRR`, and means such as
    `mean(R@5,Rs@1)`.

    >>> measure("mean(R@1,R@5)", Places((3,)))
    0.5
    """
    if name.startswith("mean("):
        parts = name[len("mean(") : -1].split(",")
        return sum(measure(part, places) for part in parts) / len(parts)
    kind, _, k = name.partition("@")
    best = places.targets[0] if places.targets else None
    if kind == "MRR":
        return 1 / best if best else 0.0
    at = int(k)
    if kind == "P":
        return sum(place <= at for place in places.targets) / max(1, min(at, places.ranked))
    if kind == "mAP":
        return average_precision(places.targets, places.relevant, at)
    if kind == "nDCG":
        return ndcg(places.targets, places.relevant, at)
    place = {"R": best, "Rt": places.first, "Rs": places.subset}[kind]
    return float(place is not None and place <= at)


def average_precision(places: Sequence[int], relevant: int, k: int) -> float:
    """AP@k as in CIRCO (arXiv 2303.15247): the precision at each hit, over min(relevant, k).

    Other programs (trec_eval, ranx) divide by `relevant`, so that a query with more than k targets
    can never reach 1.

    >>> average_precision([1, 3], 3, 5)  # (1/1 + 2/3) / 3
    0.5555555555555555
    """
    hits = [place for place in places if place <= k]
    return sum(number / place for number, place in enumerate(hits, 1)) / min(relevant, k)


def ndcg(places: Sequence[int], relevant: int, k: int) -> float:
    """nDCG@k of targets that are equally good: the discount is log2(place + 1).

    >>> ndcg([1], 1, 10), round(ndcg([2], 1, 10), 4)
    (1.0, 0.6309)
    """
    ideal = sum(1 / log2(place + 1) for place in range(1, min(relevant, k) + 1))
    return sum(1 / log2(place + 1) for place in places if place <= k) / ideal


def best_first(scores: Floats, targets: Iterable[int], left_out: Iterable[int]) -> Any:
    """The numbers of scores, highest first; of equal scores, those of targets come last.

    >>> best_first(np.array([0.9, 0.5, 0.7, 0.7]), targets=[2], left_out=[0]).tolist()
    [3, 2, 1]
    """
    wanted = np.isin(np.arange(len(scores)), list(targets))
    order = np.lexsort((wanted, -scores))
    return order[~np.isin(order, list(left_out))]


def summary(scores: Floats, targets: Columns, left_out: Columns) -> dict[str, float]:
    """R@1, R@5, R@9, R@10, MRR and P@10, rounded to four digits; 0 without queries.

    R@k is the share of queries with a target among the first k, MRR the mean of 1 / rank of the
    first target, and P@10 the mean share of targets among the first ten, or among all where fewer
    are ranked.

    >>> summary(np.array([[0.9, 0.5, 0.7, 0.1]]), [{2, 3}], [{0}])["MRR"]
    1.0

    Args:
        scores: Shape (queries, gallery).
        targets, left_out: For each query the columns of its targets, and of what is not ranked.
    """
    rows = []
    for row, wanted, out in zip(scores, targets, left_out, strict=True):
        order = best_first(row, wanted, out)
        found = np.flatnonzero(np.isin(order, list(wanted))) + 1
        places = Places(tuple(found.tolist()), ranked=len(order))
        rows.append([measure(name, places) for name in _SUMMARY])
    return _means(rows)


def chance(targets: Sequence[int], ranked: Sequence[int]) -> dict[str, float]:
    """The expected values of `summary` for a random order.

    >>> chance([1, 2], [10, 10])["R@1"], chance([1, 2], [10, 10])["P@10"]
    (0.15, 0.15)

    Args:
        targets, ranked: The number of targets and of ranked pictures of each query.
    """
    rows = []
    for wanted, total in zip(targets, ranked, strict=True):
        before = np.arange(total - wanted + 1)  # pictures that may come before the first target
        # For each rank, the probability that the first target has come by then.
        came = 1 - np.cumprod(1 - wanted / (total - before))
        reciprocal = np.sum(np.diff(came, prepend=0) / (before + 1))
        recalls = (came[min(k, len(came)) - 1] for k in _RECALL_AT)
        rows.append([*recalls, reciprocal, wanted / total])
    return _means(rows)


def _means(rows: list[list[Any]]) -> dict[str, float]:
    means = np.mean(rows, axis=0) if rows else np.zeros(len(_SUMMARY))
    return {name: round(float(mean), 4) for name, mean in zip(_SUMMARY, means, strict=True)}


def resampled_means(scores: Floats, resamples: int = 1000, seed: int = 0) -> Floats:
    """Means over queries drawn with replacement, for bootstrap intervals.

    The same seed draws the same queries, so that differences of two results are paired. Shape:
    scores (queries, metrics) -> (resamples, metrics).
    """
    count = len(scores)
    draw = np.random.default_rng(seed)
    drawn = (draw.integers(count, size=count) for _ in range(resamples))
    times = np.stack([np.bincount(numbers, minlength=count) for numbers in drawn])
    means: Floats = times @ scores / count
    return means


def interval(means: Floats) -> tuple[float, float]:
    """The percentile bootstrap interval of 95 %, rounded to four digits."""
    low, high = np.percentile(means, [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)
