"""Fit what the scores of an encoder mean: see `ocelot.score_calibration`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import numpy as np

from ocelot.score_calibration import LEAD_OVER, Curve

__all__ = ["First", "first_hits", "fit_curve"]

_RIDGE = 1e-3  # keeps the fit finite where a line separates right from wrong
_STEPS = 50

Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]


class First(NamedTuple):
    """The first hit of a query: its score, its lead over the ninth, and whether it is right."""

    score: float
    lead: float
    right: bool


def first_hits(
    scores: Floats,
    targets: Sequence[AbstractSet[int]],
    left_out: Sequence[AbstractSet[int]],
    fused: Floats | None = None,
) -> tuple[list[First], list[First]]:
    """Return the first hits of queries, and of the same queries without their answers.

    The second list shows what scores are like where nothing fits. A query with fewer than nine
    pictures is left out.

    Args:
        scores: Higher is better, shape (queries, gallery).
        targets: For each query, the columns that answer it.
        left_out: For each query, the columns that are not ranked (its own reference).
        fused: Other scores, by which the first of the first nine hits is chosen.
    """
    found: tuple[list[First], list[First]] = ([], [])
    for number, (row, wanted, out) in enumerate(zip(scores, targets, left_out, strict=True)):
        for hits, right, hidden in ((found[0], wanted, out), (found[1], set[int](), out | wanted)):
            ranked = row.copy()
            ranked[list(hidden)] = -np.inf
            shown = np.argsort(-ranked, kind="stable")[:LEAD_OVER]
            if len(shown) < LEAD_OVER or np.isinf(ranked[shown[-1]]):
                continue
            first = shown[0] if fused is None else shown[fused[number, shown].argmax()]
            lead = ranked[first] - ranked[shown[-1]]
            hits.append(First(float(ranked[first]), float(lead), int(first) in right))
    return found


def fit_curve(groups: Iterable[Sequence[First]]) -> Curve:
    """Fit a logistic curve by Newton's method; each group counts as much as any other."""
    rows, right, weights = [], [], []
    for group in groups:
        rows += [(first.score, first.lead, 1.0) for first in group]
        right += [first.right for first in group]
        weights += [1 / len(group)] * len(group)
    x, y, w = np.array(rows), np.array(right, float), np.array(weights)
    w *= len(w) / w.sum()
    middle, scale = x.mean(axis=0), x.std(axis=0)
    middle[2], scale[scale == 0] = 0, 1
    x = (x - middle) / scale
    beta = np.zeros(3)
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(x @ beta)))
        slope = x.T @ (w * (y - p)) - _RIDGE * beta
        bend = (x * (w * p * (1 - p))[:, None]).T @ x + _RIDGE * np.eye(3)
        step = np.linalg.solve(bend, slope)
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    beta /= scale
    beta[2] -= beta[:2] @ middle[:2]
    score, lead, offset = beta.round(4).tolist()
    return Curve(score, lead, offset)
