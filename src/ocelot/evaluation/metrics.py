"""Retrieval metrics: pure functions of scores."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

__all__ = ["chance", "ranked_targets", "summary"]

_RECALL_AT = (1, 5, 9, 10)
_PRECISION_AT = 10

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Columns = Sequence[AbstractSet[int]]


def ranked_targets(scores: Floats, targets: Columns, left_out: Columns) -> list[Flags]:
    """Return for each query which places of its ranking hold a target; ties count against it.

    >>> ranked_targets(np.array([[0.9, 0.5, 0.7]]), [{2}], [{0}])[0].tolist()
    [True, False]

    Args:
        scores: Higher is better, shape (queries, gallery).
        targets: For each query, the columns of its targets.
        left_out: For each query, the columns that are not ranked (its own reference).

    Raises:
        ValueError: A query has no target that is ranked.
    """
    rankings = []
    for number, row in enumerate(scores):
        wanted = np.zeros(len(row), dtype=bool)
        wanted[list(targets[number])] = True
        # Best score first; of equal scores, those that are not targets first.
        order = np.lexsort((wanted, -row))
        ranking = wanted[order[~np.isin(order, list(left_out[number]))]]
        if not ranking.any():
            raise ValueError(f"query {number} has no target that is ranked")
        rankings.append(ranking)
    return rankings


def summary(scores: Floats, targets: Columns, left_out: Columns) -> dict[str, float]:
    """Return R@1, R@5, R@9, R@10, MRR and P@10, rounded to four digits; 0 without queries.

    R@k is the share of queries with a target among the first k, MRR the mean of 1 / rank of the
    first target, and P@10 the mean share of targets among the first ten, or among all where fewer
    are ranked.

    >>> summary(np.array([[0.9, 0.5, 0.7, 0.1]]), [{2, 3}], [{0}])["MRR"]
    1.0

    Args:
        scores, targets, left_out: See `ranked_targets`.
    """
    rows = []
    for ranking in ranked_targets(scores, targets, left_out):
        rank = ranking.argmax() + 1  # argmax: the first target
        share = ranking[:_PRECISION_AT].mean()
        rows.append([*(rank <= k for k in _RECALL_AT), 1 / rank, share])
    return _means(rows)


def chance(targets: Sequence[int], ranked: Sequence[int]) -> dict[str, float]:
    """Return the expected values of `summary` for a random order.

    >>> chance([1, 2], [10, 10])["R@1"], chance([1, 2], [10, 10])["P@10"]
    (0.15, 0.15)

    Args:
        targets: The number of targets of each query.
        ranked: The number of pictures that are ranked for each query.
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
    """Name and average the figures of single queries."""
    names = (*(f"R@{k}" for k in _RECALL_AT), "MRR", f"P@{_PRECISION_AT}")
    means = [float(np.mean(column)) for column in zip(*rows, strict=True)] or [0.0] * len(names)
    return {name: round(mean, 4) for name, mean in zip(names, means, strict=True)}
