"""Curves are found again from samples that were drawn from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocelot.calibration import Calibration, Curve, read_calibration, write_calibration
from ocelot.errors import CheckpointError
from ocelot.evaluation.calibration import First, first_hits, fit_curve


def drawn(curve: Curve, count: int, seed: int = 0) -> list[First]:
    rng = np.random.default_rng(seed)
    scores, leads = rng.uniform(0.3, 0.95, count), rng.uniform(0, 0.2, count)
    return [
        First(score, lead, bool(rng.random() < curve.probability(score, lead)))
        for score, lead in zip(scores, leads, strict=True)
    ]


def test_a_curve_is_found_again() -> None:
    truth = Curve(8.0, 20.0, -7.0)
    found = fit_curve([drawn(truth, 40_000)])
    for score, lead in ((0.4, 0.02), (0.6, 0.1), (0.9, 0.15)):
        expected = truth.probability(score, lead)
        assert found.probability(score, lead) == pytest.approx(expected, abs=0.02)


def test_scores_in_a_narrow_band_are_told_apart() -> None:
    truth, rng = Curve(60.0, 20.0, -54.0), np.random.default_rng(1)
    first = [
        First(score, 0.02, bool(rng.random() < truth.probability(score, 0.02)))
        for score in rng.normal(0.9, 0.03, 20_000)
    ]
    found = fit_curve([first])
    for score in (0.85, 0.9, 0.95):
        expected = truth.probability(score, 0.02)
        assert found.probability(score, 0.02) == pytest.approx(expected, abs=0.02)


def test_groups_count_alike_whatever_their_size() -> None:
    high, low = [First(0.5, 0.1, True)] * 10, [First(0.5, 0.1, False)] * 1000
    assert fit_curve([high, low]).probability(0.5, 0.1) == pytest.approx(0.5, abs=0.01)


def test_what_a_line_separates_is_finite() -> None:
    curve = fit_curve([[First(0.9, 0.1, True)] * 20 + [First(0.2, 0.1, False)] * 20])
    assert curve.probability(0.9, 0.1) > 0.95 and curve.probability(0.2, 0.1) < 0.05
    assert all(np.isfinite(list(vars(curve).values())))


def test_first_hits_with_and_without_their_answers() -> None:
    scores = np.array([[0.9, 0.8, 0.7, 0.1], [0.2, 0.3, 0.6, 0.5]])
    found = first_hits(scores, [{1}, {2}], [{0}, set()])
    expected = [
        (0.8, 0.7, True),  # 1 of 1 2 3
        (0.6, 0.4, True),  # 2 of all
        (0.7, 0.6, False),  # 2 of 2 3
        (0.5, 0.3, False),  # 3 of 0 1 3
    ]
    for first, (score, lead, right) in zip(found, expected, strict=True):
        assert (first.score, first.lead) == (pytest.approx(score), pytest.approx(lead))
        assert first.right is right


def test_the_lead_is_over_the_ninth() -> None:
    scores = np.linspace(1, 0, 21)[None]
    assert first_hits(scores, [{0}], [set()])[0].lead == pytest.approx(8 * 0.05)


def test_it_is_kept_beside_the_weights(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is None
    curves = {"text": Curve(1, 2, 3), "image": Curve(4, 5, 6), "both": Curve(0.5, 0.1, -0.2)}
    kept = Calibration(0.0, 0.25, curves)
    write_calibration(tmp_path, kept)
    assert read_calibration(tmp_path) == kept
    assert kept.fits("text", 0.5, 0.0) and not kept.fits("both", 0.1, 0.0)


@pytest.mark.parametrize("content", ["{", "[]", '{"weights": {}}', '{"curves": {"text": 3}}'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "scores.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"scores\.json is damaged"):
        read_calibration(tmp_path)
