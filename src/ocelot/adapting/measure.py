"""Before and after: how well an encoder answers the held-out questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.adapting.questions import Asker, Question, answers
from ocelot.adapting.understand import Row
from ocelot.encoders.base import Encoder
from ocelot.evaluation.benchmarks.triplets import TripletQuery, triplets_benchmark
from ocelot.evaluation.metrics import interval, measure, resampled_means
from ocelot.evaluation.run import Ranked, Run, rank
from ocelot.evaluation.score_calibration import First, fit_curve
from ocelot.score_calibration import LEAD_OVER, ScoreCalibration

__all__ = ["Answer", "Figure", "answered", "asked", "calibrated", "compare", "triplets"]

_SHOWN = 5  # pictures that an answer keeps
_LEAST_FITTED = 40  # first hits of a kind, half of them where nothing fits

Interval = tuple[float, float]


@dataclass(frozen=True)
class Answer:
    """How one question was answered: the value of its metric, and the first pictures."""

    value: float
    names: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """One kind of question, before and after, with intervals of 95 % by bootstrap.

    Attributes:
        gain: After less before; its interval is paired.
    """

    task: str
    metric: str
    questions: int
    before: float
    before_interval: Interval
    after: float
    after_interval: Interval
    gain: float
    gain_interval: Interval

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.task} ({self.metric}, {self.questions}): "
            f"{_with(self.before, self.before_interval)} -> "
            f"{_with(self.after, self.after_interval)}, "
            f"gain {self.gain:+.3f} ({self.gain_interval[0]:+.3f} to {self.gain_interval[1]:+.3f})"
        )


def _with(value: float, bounds: Interval) -> str:
    return f"{value:.3f} ({bounds[0]:.3f} to {bounds[1]:.3f})"


def triplets(
    asker: Asker, rows: Sequence[Row], questions: Sequence[Question]
) -> list[TripletQuery]:
    """The questions with all their answers among the rows."""
    labels = [asker.labels(row) for row in rows]
    return [
        TripletQuery(
            None if one.reference is None else rows[one.reference].name,
            one.text,
            tuple(
                row.name
                for number, (row, its) in enumerate(zip(rows, labels, strict=True))
                if number != one.reference and answers(one.wanted, its)
            ),
            one.task,
        )
        for one in questions
    ]


def asked(
    encoder: Encoder, folder: Path, rows: Sequence[Row], queries: Sequence[TripletQuery]
) -> Run:
    """Ask an encoder the questions over the rows; an unreadable picture is not ranked."""
    benchmark = triplets_benchmark(queries, folder, [folder / row.name for row in rows])
    return rank(encoder, replace(benchmark, strict=False))


def answered(run: Run, questions: Sequence[Question]) -> list[Answer]:
    """How the questions were answered."""
    ranked = run.final
    return [
        Answer(measure(one.metric, ranked[n].places), tuple(ranked[n].names[:_SHOWN]))
        for n, one in enumerate(questions)
    ]


def calibrated(run: Run, rows: Sequence[Row]) -> ScoreCalibration | None:
    """What scores mean, fitted on the questions; None where they do not tell it.

    There are too few of a kind, or a higher score is not more often right. A picture alone asks
    for another one of its design.
    """
    designs = {row.name: row.design for row in rows}
    firsts: dict[str, dict[str, list[First]]] = {"text": {}, "image": {}, "both": {}}

    def note(
        parts: str, task: str, ranked: Ranked, right: AbstractSet[str], picture: float = 0.0
    ) -> None:
        for hidden in (set[str](), right):  # as found, and what scores are where nothing fits
            pairs = zip(ranked.names, ranked.scores, strict=True)
            hits = [pair for pair in pairs if pair[0] not in hidden][:LEAD_OVER]
            if len(hits) == LEAD_OVER:
                (name, score), (_, ninth) = hits[0], hits[-1]
                first = First(score, score - ninth, name in right - hidden, picture)
                firsts[parts].setdefault(task, []).append(first)

    for number, query in enumerate(run.benchmark.queries):
        if query.text:
            parts, task = "both" if query.reference else "text", query.groups[0]
            picture = run.pictures.get(number, 0.0)
            note(parts, task, run.final[number], {*query.targets}, picture)
    alone = {run.benchmark.queries[n].reference: one for n, one in run.kinds["image_only"].items()}
    for reference, ranked in alone.items():
        design = designs.get(reference or "")
        same = {name for name in designs if designs[name] == design and name != reference}
        if same:
            note("image", "", ranked, same)
    if min(sum(map(len, groups.values())) for groups in firsts.values()) < _LEAST_FITTED:
        return None
    curves = {parts: fit_curve([*groups.values()]) for parts, groups in firsts.items()}
    # By how much a score counts if the ninth hit's stays the same.
    if min(curve.score + curve.lead for curve in curves.values()) <= 0:
        return None
    return ScoreCalibration(0.0, 0.0, curves)


def compare(
    questions: Sequence[Question], before: Sequence[Answer], after: Sequence[Answer]
) -> list[Figure]:
    """The figures of each kind of question; last their mean, in which each kind counts the same."""
    values = defaultdict(list)
    for one, old, new in zip(questions, before, after, strict=True):
        values[one.task, one.metric].append((old.value, new.value, new.value - old.value))
    means = [np.mean(rows, axis=0) for rows in values.values()]
    drawn = [resampled_means(np.array(rows)) for rows in values.values()]
    figures = [
        _figure(*key, len(values[key]), *both)
        for key, *both in zip(values, means, drawn, strict=True)
    ]
    whole = np.mean(means, axis=0), np.mean(drawn, axis=0)
    return [*figures, _figure("mean of all", "mean", len(questions), *whole)]


def _figure(task: str, metric: str, questions: int, means: Any, drawn: Any) -> Figure:
    before, after, gain = (round(float(mean), 4) for mean in means)
    old, new, difference = (interval(column) for column in drawn.T)
    return Figure(task, metric, questions, before, old, after, new, gain, difference)
