"""Retrieval metrics: pure functions of scores."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

__all__ = [
    "PRECISION_AT",
    "RECALL_AT",
    "chance",
    "first_ranks",
    "mean_reciprocal_rank",
    "precision_at",
    "recall_at",
    "summary",
]

RECALL_AT = (1, 5, 9, 10)
PRECISION_AT = 10

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Ranks = np.ndarray[Any, np.dtype[np.int64]]
Columns = Sequence[AbstractSet[int]]


def first_ranks(scores: Floats, targets: Columns, left_out: Columns) -> Ranks:
    """Return the rank of each query's best target, from 1; ties count against the target.

    >>> first_ranks(np.array([[0.9, 0.5, 0.7]]), [{2}], [{0}]).tolist()
    [1]

    Args:
        scores: Higher is better, shape (queries, gallery).
        targets: For each query, the columns of its targets; never empty.
        left_out: For each query, the columns that are not ranked (its own reference).

    Returns:
        Shape (queries,).
    """
    ranks = np.empty(len(scores), dtype=np.int64)
    for number, row in enumerate(scores):
        wanted = sorted(set(targets[number]) - set(left_out[number]))
        if not wanted:
            raise ValueError(f"query {number} has no target that is ranked")
        others = np.ones(len(row), dtype=bool)
        others[[*wanted, *left_out[number]]] = False
        ranks[number] = 1 + np.count_nonzero(row[others] >= row[wanted].max())
    return ranks


def precision_at(
    scores: Floats, targets: Columns, left_out: Columns, k: int = PRECISION_AT
) -> float:
    """Return the mean share of targets among the first k; 0 without queries.

    Ties count against the targets. Where fewer than k are ranked, the share is of those.

    >>> precision_at(np.array([[0.9, 0.5, 0.7, 0.1]]), [{2, 3}], [{0}], k=2)
    0.5

    Args:
        scores, targets, left_out: See `first_ranks`.
        k: How many are counted.
    """
    shares = []
    for number, row in enumerate(scores):
        wanted = np.zeros(len(row), dtype=bool)
        wanted[list(targets[number])] = True
        # Best score first; of equal scores, those that are not targets first.
        order = np.lexsort((wanted, -row))
        ranked = order[~np.isin(order, list(left_out[number]))]
        shares.append(wanted[ranked[:k]].mean())
    return float(np.mean(shares)) if shares else 0.0


def recall_at(ranks: Ranks, k: int) -> float:
    """Return the share of queries with a target among the first k; 0 without queries."""
    return float(np.mean(ranks <= k)) if len(ranks) else 0.0


def mean_reciprocal_rank(ranks: Ranks) -> float:
    """Return the mean of 1 / rank; 0 without queries."""
    return float(np.mean(1 / ranks)) if len(ranks) else 0.0


def summary(scores: Floats, targets: Columns, left_out: Columns) -> dict[str, float]:
    """Return R@1, R@5, R@9, R@10, MRR and P@10, rounded to four digits; see `first_ranks`."""
    ranks = first_ranks(scores, targets, left_out)
    table = {f"R@{k}": recall_at(ranks, k) for k in RECALL_AT}
    table["MRR"] = mean_reciprocal_rank(ranks)
    table[f"P@{PRECISION_AT}"] = precision_at(scores, targets, left_out)
    return _rounded(table)


def chance(targets: Sequence[int], ranked: Sequence[int]) -> dict[str, float]:
    """Return the expected values of `summary` for a random order.

    >>> chance([1, 2], [10, 10])["R@1"], chance([1, 2], [10, 10])["P@10"]
    (0.15, 0.15)

    Args:
        targets: The number of targets of each query.
        ranked: The number of pictures that are ranked for each query.
    """
    recalls = dict.fromkeys(RECALL_AT, 0.0)
    reciprocal = 0.0
    for wanted, total in zip(targets, ranked, strict=True):
        # For each rank, the probability that the first target comes later.
        drawn = np.arange(total - wanted + 1)
        later = np.cumprod(1 - wanted / (total - drawn))
        came = 1 - later
        for k in RECALL_AT:
            recalls[k] += came[min(k, len(came)) - 1]
        reciprocal += float(np.sum(np.diff(came, prepend=0) / (drawn + 1)))
    count = max(len(targets), 1)
    share = sum(wanted / total for wanted, total in zip(targets, ranked, strict=True))
    table = {f"R@{k}": float(value) / count for k, value in recalls.items()}
    return _rounded(table | {"MRR": reciprocal / count, f"P@{PRECISION_AT}": share / count})


def _rounded(table: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in table.items()}
