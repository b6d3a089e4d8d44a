"""The metrics of a run: `metrics.csv`, and `metrics.png`, its plot."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from ocelot.files import atomic_path

__all__ = ["StepReport", "append", "forget_after", "plot", "read"]

_warn_once = cache(logging.getLogger(__name__).warning)

_FILE = "metrics.csv"


@dataclass(frozen=True)
class StepReport:
    """One line of `metrics.csv`.

    Attributes:
        loss, accuracy: Means since the last report; accuracy is the share of queries whose
            target came first among all candidates.
        temperature: Temperature of the softmax.
        rate: Queries per second since the last report.
        seconds_left: Until the last step, at the present rate.
        held_out: R@1 of each held-out search, if it was measured at this step.
        minutes: Time that the run has taken.
    """

    step: int
    steps: int
    loss: float
    accuracy: float
    temperature: float
    learning_rate: float
    rate: float
    seconds_left: float
    held_out: Mapping[str, float] = field(default_factory=dict)
    minutes: float = 0.0

    def __str__(self) -> str:
        """One line for people."""
        hours, minutes = divmod(round(self.seconds_left / 60), 60)
        parts = [
            f"step {self.step}/{self.steps}",
            f"loss {self.loss:.3f}",
            f"accuracy {self.accuracy:.3f}",
            f"{self.rate:.0f} queries/s",
            f"{hours} h {minutes} min left" if hours else f"{minutes} min left",
        ]
        if self.held_out:
            recalls = ", ".join(f"{name} {recall:.3f}" for name, recall in self.held_out.items())
            parts.append(f"held-out R@1: {recalls}")
        return "  ".join(parts)


_STEP_REPORT = TypeAdapter(StepReport)


def append(folder: Path, report: StepReport) -> None:
    """Append a report to the run's metrics."""
    _write(folder / _FILE, [report])


def _write(file: Path, reports: list[StepReport]) -> None:
    """Append lines to a file, with a header if it is new."""
    with open(file, "a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(StepReport.__dataclass_fields__))
        if not stream.tell():
            writer.writeheader()
        for report in reports:
            held_out = json.dumps(dict(report.held_out)) if report.held_out else ""
            writer.writerow({**vars(report), "held_out": held_out})


def read(folder: Path) -> list[StepReport]:
    """Read the run's reports; a line that a kill has cut short, or a damaged one, is left out."""
    reports = []
    file = folder / _FILE
    text = file.read_bytes().decode("utf-8", "replace") if file.is_file() else ""
    whole = text[: text.rfind("\n") + 1]
    for row in csv.DictReader(whole.splitlines()):
        with suppress(KeyError, TypeError, ValueError):
            held_out = json.loads(row["held_out"] or "{}")
            reports.append(_STEP_REPORT.validate_python({**row, "held_out": held_out}))
    return reports


def forget_after(folder: Path, step: int) -> None:
    """Drop the lines of later steps: they will run and be reported again."""
    kept = [report for report in read(folder) if report.step <= step]
    with atomic_path(folder / _FILE) as partial:
        _write(partial, kept)


def plot(folder: Path) -> None:
    """Draw loss, accuracy, held-out recalls and learning rate over the steps: `metrics.png`.

    Without matplotlib nothing is drawn, and the log says so once.
    """
    reports = read(folder)
    if not reports:
        return
    try:
        from matplotlib.figure import Figure
    except ImportError:
        _warn_once("metrics.png needs matplotlib: pip install 'ocelot-search[train]'.")
        return
    steps = [report.step for report in reports]
    figure = Figure(figsize=(8, 9), layout="constrained")
    losses, shares, rates = figure.subplots(3, 1, sharex=True, height_ratios=(3, 4, 1.5))
    losses.plot(steps, [report.loss for report in reports])
    losses.set_ylabel("loss")
    shares.plot(steps, [report.accuracy for report in reports], label="accuracy in the batch")
    for name in dict.fromkeys(name for report in reports for name in report.held_out):
        measured = [(r.step, r.held_out[name]) for r in reports if name in r.held_out]
        shares.plot(*zip(*measured, strict=True), marker=".", label=f"held-out R@1: {name}")
    shares.set_ylim(0, 1)
    shares.set_ylabel("share of queries")
    shares.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False)
    rates.plot(steps, [report.learning_rate for report in reports])
    rates.set_ylim(bottom=0)
    rates.set_ylabel("learning rate")
    rates.set_xlabel("step")
    for axes in (losses, shares, rates):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(folder / "metrics.png") as partial:
        figure.savefig(partial, format="png", dpi=100, backend="agg")
