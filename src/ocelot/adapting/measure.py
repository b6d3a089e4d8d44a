"""Before and after: how well an encoder answers the held-out questions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.adapting.questions import Asker, Question, answers
from ocelot.adapting.understand import Row
from ocelot.encoders.base import Encoder
from ocelot.evaluation.benchmarks.triplets import TripletQuery, triplets_benchmark
from ocelot.evaluation.metrics import interval, measure, resampled_means
from ocelot.evaluation.run import rank

__all__ = ["Answer", "Figure", "answered", "compare", "triplets"]

_SHOWN = 5  # pictures that an answer keeps

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


def answered(
    encoder: Encoder,
    folder: Path,
    rows: Sequence[Row],
    queries: Sequence[TripletQuery],
    questions: Sequence[Question],
) -> list[Answer]:
    """Ask an encoder the questions over the rows; an unreadable picture is not ranked."""
    benchmark = triplets_benchmark(queries, folder, [folder / row.name for row in rows])
    benchmark = replace(benchmark, strict=False)
    ranked = rank(encoder, benchmark).kinds["composed"]
    return [
        Answer(measure(one.metric, ranked[n].places), tuple(ranked[n].names[:_SHOWN]))
        for n, one in enumerate(questions)
    ]


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
