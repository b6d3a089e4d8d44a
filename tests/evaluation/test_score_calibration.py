"""Curves are found again from samples that were drawn from them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ocelot.errors import CheckpointError
from ocelot.evaluation.score_calibration import First, first_hits, fit_curve
from ocelot.score_calibration import (
    Curve,
    ScoreCalibration,
    read_score_calibration,
    write_score_calibration,
)


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
    scores = np.array([[0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.0]])
    found = first_hits(scores, [{1}], [{0}])
    # 1 of 1 to 11, the ninth is 9; without it 2, the ninth is 10
    for (first,), (score, lead, right) in zip(
        found, ((0.9, 0.8, True), (0.8, 0.75, False)), strict=True
    ):
        assert (first.score, first.lead) == (pytest.approx(score), pytest.approx(lead))
        assert first.right is right
    fused = np.arange(12.0)[None]
    ((fused_first,), _) = first_hits(scores, [{9}], [{0}], fused)
    assert fused_first == (pytest.approx(0.1), pytest.approx(0.0), True, 0.0)


def test_queries_with_more_of_their_picture_have_higher_scores() -> None:
    scores = np.linspace(1, 0, 12)[None].repeat(2, axis=0)
    found, _ = first_hits(scores, [{0}] * 2, [set()] * 2, pictures=np.array([0.25, 0.5]))
    assert [one.picture for one in found] == [0.25, 0.5]
    # Right above 0.4 without much of the picture, and above 0.7 with it.
    rng = np.random.default_rng(0)
    firsts = [
        First(score, 0.1, bool(score > (0.7 if picture > 0.5 else 0.4)), picture)
        for score, picture in zip(rng.uniform(0, 1, 2000), rng.uniform(0, 1, 2000), strict=True)
    ]
    curve = fit_curve([firsts])
    assert curve.picture < 0
    assert curve.probability(0.6, 0.1, 0.1) > 0.5 > curve.probability(0.6, 0.1, 0.9)


def test_fewer_than_nine_pictures_tell_nothing() -> None:
    scores = np.linspace(1, 0, 10)[None]
    with_answer, without = first_hits(scores, [{0}], [{5}])
    assert len(with_answer) == 1 and not without


def test_it_is_kept_beside_the_weights(tmp_path: Path) -> None:
    assert read_score_calibration(tmp_path) is None
    curves = {"text": Curve(1, 2, 3), "image": Curve(4, 5, 6), "both": Curve(0.5, 0.1, -0.4)}
    kept = ScoreCalibration(0.0, 0.25, curves)
    write_score_calibration(tmp_path, kept)
    assert read_score_calibration(tmp_path) == kept
    assert kept.fits("text", 0.5, 0.0) and not kept.fits("both", -0.9, 0.0)


CURVE = '{"score": 1, "lead": 2, "offset": 3}'
WHOLE = (
    '{"weights": {"text": 0, "image": 0.3}, "curves": {'
    f'"text": {CURVE}, "image": {CURVE}, "both": {CURVE}}}}}'
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "Expecting"),
        ("[]", "indices"),
        ("{}", "'curves' is missing"),
        (WHOLE.replace('"image": 0.3', '"image": null'), "image must be a number, was: None"),
        (WHOLE.replace('"lead": 2', '"lead": "2"'), "lead must be a number, was: '2'"),
        (WHOLE.replace('"lead": 2', '"lead": NaN'), "lead must be a number, was: nan"),
        (WHOLE.replace('"lead": 2, ', ""), "'lead' is missing"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "scores.json"
    file.write_text(WHOLE)
    assert read_score_calibration(tmp_path) is not None
    file.write_text(content)
    with pytest.raises(CheckpointError, match=rf"scores\.json is damaged: .*{said}"):
        read_score_calibration(tmp_path)
