"""Retrieval metrics on scores: pure functions, no files, no model."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

__all__ = ["RECALL_AT", "first_ranks", "mean_reciprocal_rank", "recall_at", "summary"]

RECALL_AT = (1, 5, 9, 10)

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]
Ranks = np.ndarray[Any, np.dtype[np.int64]]


def first_ranks(
    scores: Floats, targets: Sequence[AbstractSet[int]], left_out: Sequence[AbstractSet[int]]
) -> Ranks:
    """Place of each query's best target, from 1; a tie with another picture counts against it.

    >>> first_ranks(np.array([[0.9, 0.5, 0.7]]), [{2}], [{0}]).tolist()
    [1]

    Args:
        scores: Higher is better, shape (queries, gallery).
        targets: For each query, the columns that answer it; never empty.
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


def recall_at(ranks: Ranks, k: int) -> float:
    """Share of queries with a target among the first k; 0 without queries."""
    return float(np.mean(ranks <= k)) if len(ranks) else 0.0


def mean_reciprocal_rank(ranks: Ranks) -> float:
    """Mean of 1 / rank; 0 without queries."""
    return float(np.mean(1 / ranks)) if len(ranks) else 0.0


def summary(ranks: Ranks) -> dict[str, float]:
    """R@1, R@5, R@9, R@10 and MRR, rounded to four digits."""
    table = {f"R@{k}": round(recall_at(ranks, k), 4) for k in RECALL_AT}
    return table | {"MRR": round(mean_reciprocal_rank(ranks), 4)}
