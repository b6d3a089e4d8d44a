"""Compare two reports of the same queries by a paired permutation test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.errors import InputError
from ocelot.evaluation.benchmarks.base import read_json
from ocelot.evaluation.metrics import Floats

__all__ = ["Comparison", "compare", "permutation_test"]

_AT_ONCE = 500  # permutations


@dataclass(frozen=True)
class Comparison:
    """A metric of two reports, means over all queries."""

    metric: str
    a: float
    b: float
    p: float  # the probability of a difference as large as this, if there were none


def permutation_test(a: Floats, b: Floats, permutations: int = 10_000, seed: int = 0) -> float:
    """The two-sided p-value of the mean difference of paired scores.

    If there is no difference, the two scores of a query could as well be exchanged, which changes
    the sign of their difference. The signs are drawn; the observed ones count as one draw. Shape:
    a and b (queries,).
    """
    difference = (b - a)[a != b]  # exchanging equal scores changes nothing
    observed = abs(difference.sum()) - 1e-9  # sums of the same numbers differ in their last bits
    draw = np.random.default_rng(seed)
    extreme = 0
    for start in range(0, permutations, _AT_ONCE):
        count = min(_AT_ONCE, permutations - start)
        signs = draw.integers(0, 2, (count, len(difference)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ difference) >= observed).sum())
    return (extreme + 1) / (permutations + 1)


def compare(a: Path, b: Path, *, row: str = "composed") -> list[Comparison]:
    """Compare a row of two reports, each a `report.json` or the folder that holds it.

    Raises:
        MetadataError: A file cannot be read.
        InputError: A file is no report, or the reports are not of the same queries.
    """
    (first, of_first), (second, of_second) = (_scores(file, row) for file in (a, b))
    if of_first != of_second or first.keys() != second.keys():
        raise InputError(
            f"{a} and {b} are not of the same queries and protocol: {of_first!r} and {of_second!r}."
        )
    found = []
    for metric in next(iter(first.values())):
        if metric in next(iter(second.values())):
            left, right = (np.array([one[id][metric] for id in first]) for one in (first, second))
            p = permutation_test(left, right)
            found.append(Comparison(metric, float(left.mean()), float(right.mean()), p))
    return found


def _scores(file: Path, row: str) -> tuple[Mapping[str, Mapping[str, float]], Any]:
    """Id -> metric -> score of a report, and what was measured."""
    file = file / "report.json" if file.is_dir() else file
    report = read_json(file, dict[str, Any])
    try:
        asked = {query["id"]: query["scores"] for query in report["per_query"]}
        scores = {id: rows[row] for id, rows in asked.items() if row in rows}
        measured = report["protocol"]
    except (AttributeError, KeyError, TypeError):
        raise InputError(f"{file} is not a report of `ocelot evaluate … --out`.") from None
    if not scores:
        raise InputError(f"{file} has no scores of {row}.")
    return scores, measured
