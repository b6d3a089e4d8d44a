"""Fit what the scores of an encoder mean: see `ocelot.score_calibration`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ocelot.evaluation.metrics import Columns, Floats
from ocelot.score_calibration import LEAD_OVER, Curve

__all__ = ["First", "first_hits", "fit_curve", "logistic_regression"]

_RIDGE = 1e-3  # keeps the fit finite where a line separates right from wrong
_STEPS = 50


class First(NamedTuple):
    """The first hit of a query: what `Curve.probability` takes of it, and whether it is right."""

    score: float
    lead: float
    right: bool
    picture: float = 0.0


def first_hits(
    scores: Floats,
    targets: Columns,
    left_out: Columns,
    fused: Floats | None = None,
    pictures: Floats | None = None,
) -> tuple[list[First], list[First]]:
    """Return the first hits of queries, and of the same queries without their answers.

    The second list shows what scores are like where nothing fits. A query with fewer than nine
    pictures is left out.

    Args:
        scores, targets, left_out: See `ocelot.evaluation.metrics.summary`.
        fused: Other scores, by which the first of the first nine hits is chosen.
        pictures: Of queries of both, the similarity to their picture alone, shape (n,).
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
            picture = 0.0 if pictures is None else float(pictures[number])
            hits.append(First(float(ranked[first]), float(lead), int(first) in right, picture))
    return found


def fit_curve(groups: Sequence[Sequence[First]]) -> Curve:
    """Fit a logistic curve; each group counts as much as any other."""
    firsts = [first for group in groups for first in group]
    right = np.array([first.right for first in firsts], dtype=float)
    weights = np.concatenate([np.full(len(group), 1 / len(group)) for group in groups])
    weights *= len(weights) / weights.sum()
    given = np.array([(first.score, first.lead, first.picture) for first in firsts])
    middle, scale = given.mean(axis=0), given.std(axis=0)
    scale[scale == 0] = 1
    x = np.column_stack([(given - middle) / scale, np.ones(len(given))])
    beta = logistic_regression(x, right, weights, _RIDGE)
    slopes = beta[:-1] / scale
    score, lead, picture = slopes
    offset = beta[-1] - slopes @ middle
    return Curve(*np.round([score, lead, offset, picture], 4).tolist())


def logistic_regression(
    x: Floats, wanted: Floats, weights: Floats, ridge: float, known: Floats | float = 0.0
) -> Floats:
    """Fit coefficients by Newton's method.

    Args:
        x: Rows, shape (n, d), with a column of ones for an offset.
        wanted: What each row should give, 0 to 1, shape (n,).
        weights: How much each row counts, shape (n,).
        ridge: Weight of the penalty on the squared coefficients, that of the offset included.
        known: The logit that each row begins with, shape (n,).

    Returns:
        Shape (d,).
    """

    def loss(beta: Floats) -> float:
        z = x @ beta + known
        return float(weights @ (np.logaddexp(0, z) - wanted * z) + ridge / 2 * (beta @ beta))

    beta = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(x @ beta + known)))
        slope = x.T @ (weights * (wanted - p)) - ridge * beta
        bend = (x * (weights * p * (1 - p))[:, None]).T @ x + ridge * np.eye(len(beta))
        step = np.linalg.solve(bend, slope)
        while np.abs(step).max() > 1e-9 and loss(beta + step) > loss(beta):
            step /= 2  # far from the end a whole step may go past it
        beta += step
        if np.abs(step).max() < 1e-9:
            break
    return beta
