"""The paired permutation test, against enumeration and against SciPy."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ocelot.errors import InputError, MetadataError
from ocelot.evaluation.compare import compare, permutation_test


def test_against_all_exchanges() -> None:
    """Eight pairs: 256 ways to exchange them."""
    rng = np.random.default_rng(0)
    a, b = rng.random(8), rng.random(8) + 0.2
    difference = b - a
    sums = [abs(sum(s * d for s, d in zip(signs, difference, strict=True)))
            for signs in product((-1, 1), repeat=8)]  # fmt: skip
    exact = np.mean([one >= abs(difference.sum()) - 1e-9 for one in sums])
    assert permutation_test(a, b) == pytest.approx(exact, abs=0.01)


def test_against_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(1)
    a = (rng.random(300) < 0.4).astype(float)
    b = np.where(rng.random(300) < 0.85, a, 1 - a)
    found = stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=0,
    )
    assert permutation_test(a, b) == pytest.approx(found.pvalue, abs=0.02)


def test_equal_and_very_different_scores() -> None:
    same = np.ones(50)
    assert permutation_test(same, same) == 1.0
    assert permutation_test(np.zeros(50), same) < 0.001


def report(path: Path, scores: list[float], **other: Any) -> Path:
    per_query = [
        {"id": str(number), "scores": {"composed": {"R@1": score, "MRR": score / 2}}}
        for number, score in enumerate(scores)
    ]
    path.write_text(json.dumps({"protocol": "own", "per_query": per_query} | other))
    return path


def test_reports(tmp_path: Path) -> None:
    a = report(tmp_path / "report.json", [0.0] * 30)
    b = report(tmp_path / "b.json", [1.0] * 30)
    first, second = compare(tmp_path, b)  # a folder stands for its report.json
    assert (first.metric, first.a, first.b) == ("R@1", 0.0, 1.0) and first.p < 0.001
    assert (second.metric, second.b) == ("MRR", 0.5)
    assert {one.p for one in compare(a, a)} == {1.0}


def test_reports_that_cannot_be_compared(tmp_path: Path) -> None:
    a = report(tmp_path / "a.json", [0.0] * 3)
    with pytest.raises(InputError, match="not of the same queries"):
        compare(a, report(tmp_path / "b.json", [0.0] * 4))
    with pytest.raises(InputError, match=r"protocol: 'own' and 'other'"):
        compare(a, report(tmp_path / "c.json", [0.0] * 3, protocol="other"))
    with pytest.raises(InputError, match="no scores of reranked"):
        compare(a, a, row="reranked")
    (tmp_path / "d.json").write_text('{"per_query": 3}')
    with pytest.raises(InputError, match=r"d\.json is not a report"):
        compare(a, tmp_path / "d.json")
    with pytest.raises(MetadataError, match=r"Cannot read .*none\.json"):
        compare(a, tmp_path / "none.json")
