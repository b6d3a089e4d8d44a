from __future__ import annotations

import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.training import report
from ocelot.training.report import StepReport


def line(step: int, **held_out: float) -> StepReport:
    return StepReport(step, 60, 4.0 - step / 20, step / 60, 0.07, 1e-3, 88.5, 60.0 - step, held_out)


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    assert report.read(tmp_path) == []
    lines = [line(20), line(40, validation=0.5, drawings=0.25), line(60)]
    for one in lines:
        report.append(tmp_path, one)
    assert report.read(tmp_path) == lines
    head, *rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert head.startswith("step,steps,loss,accuracy,") and len(rows) == 3


def test_later_lines_are_forgotten(tmp_path: Path) -> None:
    report.forget_after(tmp_path, 0)
    for step in (20, 40, 60):
        report.append(tmp_path, line(step, validation=0.5))
    report.forget_after(tmp_path, 40)
    assert report.read(tmp_path) == [line(20, validation=0.5), line(40, validation=0.5)]
    report.append(tmp_path, line(60))
    assert [one.step for one in report.read(tmp_path)] == [20, 40, 60]
    report.forget_after(tmp_path, 0)
    report.append(tmp_path, line(20))
    assert report.read(tmp_path) == [line(20)]


@pytest.mark.parametrize("cut", (1, 2, 3, 9, 20, 30, 50))
def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path, cut: int) -> None:
    report.append(tmp_path, line(20))
    report.append(tmp_path, line(40, validation=0.5))
    file = tmp_path / "metrics.csv"
    file.write_bytes(file.read_bytes()[:-cut])
    report.forget_after(tmp_path, 60)
    report.append(tmp_path, line(60))
    assert report.read(tmp_path) == [line(20), line(60)]


def colours(file: Path) -> set[tuple[int, ...]]:
    """The strong colours of a picture: those of its lines."""
    pixels = np.asarray(Image.open(file).convert("RGB")).reshape(-1, 3).astype(int)
    strong = pixels[np.ptp(pixels, axis=1) > 60]
    values, counts = np.unique(strong, axis=0, return_counts=True)
    return {tuple(value) for value in values[counts > 150].tolist()}


def test_the_plot_shows_a_line_for_each_measure(tmp_path: Path) -> None:
    report.plot(tmp_path)
    assert not (tmp_path / "metrics.png").exists()
    for step in (20, 40, 60):
        report.append(tmp_path, line(step))
    report.plot(tmp_path)
    before = colours(tmp_path / "metrics.png")
    for step in (80, 100):
        report.append(tmp_path, line(step, own=step / 200, drawings=0.1))
    report.plot(tmp_path)
    after = colours(tmp_path / "metrics.png")
    assert len(before) == 1 and len(after) == 3 and before < after
    assert sorted(file.name for file in tmp_path.iterdir()) == ["metrics.csv", "metrics.png"]


def test_without_matplotlib_the_log_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    report._warn_once.cache_clear()
    report.append(tmp_path, line(20))
    with caplog.at_level(logging.WARNING, "ocelot"):
        report.plot(tmp_path)
        report.plot(tmp_path)
    (record,) = caplog.records
    assert "pip install 'ocelot-search[train]'" in record.getMessage()
    assert not (tmp_path / "metrics.png").exists()
