"""From rankings to figures: means, intervals, the composition gap, what reranking gained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.encoders.base import Encoder
from ocelot.evaluation.benchmarks.triplets import TripletQuery, triplets_benchmark
from ocelot.evaluation.metrics import Floats, chance, interval, measure, resampled_means
from ocelot.evaluation.run import Ranked, Run, rank
from ocelot.types import Failure

__all__ = ["Evaluation", "Figures", "Gain", "evaluate", "evaluate_triplets"]

Interval = tuple[float, float]


@dataclass(frozen=True)
class Gain:
    """A difference of two figures of the same queries.

    Attributes:
        interval: Of 95 %, by paired bootstrap.
        queries: How many were compared.
    """

    metric: str
    value: float
    interval: Interval
    queries: int


@dataclass(frozen=True)
class Figures:
    """How well queries find their targets.

    Attributes:
        queries: The number of queries.
        composed: Metrics of the whole queries.
        image_only, text_only: Metrics of the same queries with only their reference, or only
            their text, over those that have it; "queries" is their number.
        chance: The expected metrics of a random order; empty where it was not computed.
        reranked: Metrics of the whole queries after reranking; empty without a reranker.
        intervals: Of 95 %, by bootstrap over the queries: row -> metric -> low and high.
    """

    queries: int
    composed: dict[str, float]
    image_only: dict[str, float] = field(default_factory=dict)
    text_only: dict[str, float] = field(default_factory=dict)
    chance: dict[str, float] = field(default_factory=dict)
    reranked: dict[str, float] = field(default_factory=dict)
    intervals: dict[str, dict[str, Interval]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation(Figures):
    """The figures of one run.

    Attributes:
        gallery: The number of pictures that were read and ranked.
        tasks: The figures of each task, category or aspect, where there are several.
        failures: Pictures that could not be read and were not ranked.
        composition_gap: The whole queries less the better of their pictures alone and their texts
            alone, over the queries that have both; None if there are none.
        gains: What reranking gained, for each metric.
    """

    gallery: int = 0
    tasks: dict[str, Figures] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()
    composition_gap: Gain | None = None
    gains: tuple[Gain, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what `ocelot evaluate … --json` prints of the figures."""
        table = dict(vars(self))
        table["tasks"] = {task: _filled(vars(figures)) for task, figures in self.tasks.items()}
        table["failures"] = [vars(failure) for failure in self.failures]
        table["composition_gap"] = self.composition_gap and vars(self.composition_gap)
        table["gains"] = [vars(gain) for gain in self.gains]
        return _filled(table)


def _filled(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value or isinstance(value, int)}


def evaluate_triplets(
    encoder: Encoder,
    queries: Sequence[TripletQuery],
    folder: Path,
    pictures: Iterable[Path],
) -> Evaluation:
    """Rank every picture for every query, and measure where the targets are.

    Args:
        folder: The folder that the names in the queries are relative to.
        pictures: The gallery: all pictures to rank.

    Raises:
        MetadataError: A query names a picture that is not in the gallery or cannot be read, or
            its only target is its reference.
        InputError: No picture can be read.
    """
    return evaluate(rank(encoder, triplets_benchmark(queries, folder, pictures)))


def evaluate(run: Run) -> Evaluation:
    """The figures of a run; without published answers, only the numbers of queries and pictures."""
    benchmark = run.benchmark
    numbers = range(len(benchmark.queries))
    if not any(query.targets for query in benchmark.queries):
        return Evaluation(len(numbers), {}, gallery=run.gallery, failures=run.failures)
    groups: dict[str, list[int]] = {}
    for number in numbers:
        for group in benchmark.queries[number].groups:
            groups.setdefault(group, []).append(number)
    averaged = list(groups.values()) if benchmark.averages_groups else [numbers]
    tasks = {group: Figures(**_figures(run, [members])) for group, members in groups.items()}
    return Evaluation(
        **_figures(run, averaged),
        gallery=run.gallery,
        failures=run.failures,
        tasks=tasks if len(tasks) > 1 else {},
        composition_gap=_composition_gap(run, averaged),
        gains=_gains(run, averaged),
    )


def scores_of(ranked: Ranked, metrics: Sequence[str]) -> list[float]:
    """The metrics of one query."""
    return [measure(name, ranked.places) for name in metrics]


def _average(parts: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The unweighted mean of the means of groups, shape (metrics,), and as often resampled."""
    means = np.mean([scores.mean(axis=0) for scores in parts], axis=0)
    return means, np.mean([resampled_means(scores) for scores in parts], axis=0)


def _figures(run: Run, groups: Sequence[Sequence[int]]) -> dict[str, Any]:
    metrics = run.benchmark.metrics
    table: dict[str, Any] = {"queries": sum(map(len, groups)), "intervals": {}}
    for kind, ranked in run.kinds.items():
        given = [[scores_of(ranked[n], metrics) for n in group if n in ranked] for group in groups]
        parts = [np.array(scores) for scores in given if scores]
        row: dict[str, float] = dict.fromkeys(metrics, 0.0)
        if parts:
            means, drawn = _average(parts)
            row = {name: round(float(mean), 4) for name, mean in zip(metrics, means, strict=True)}
            columns = zip(metrics, drawn.T, strict=True)
            table["intervals"][kind] = {name: interval(column) for name, column in columns}
        if kind in ("image_only", "text_only"):
            row["queries"] = sum(map(len, parts))
        table[kind] = row
    if "MRR" in metrics:  # one of those whose chance is known
        places = [run.kinds["composed"][n].places for group in groups for n in group]
        table["chance"] = chance([one.relevant for one in places], [one.ranked for one in places])
    return table


def _composition_gap(run: Run, groups: Sequence[Sequence[int]]) -> Gain | None:
    kinds = [run.kinds.get(kind, {}) for kind in ("composed", "image_only", "text_only")]
    metric = run.benchmark.gap
    parts = [
        np.array([[measure(metric, kind[n].places) for kind in kinds] for n in numbers])
        for group in groups
        if (numbers := [n for n in group if all(n in ranked for ranked in kinds)])
    ]
    if not parts:
        return None
    means, drawn = _average(parts)
    gaps = drawn[:, 0] - drawn[:, 1:].max(axis=1)
    value = round(float(means[0] - means[1:].max()), 4)
    return Gain(metric, value, interval(gaps), sum(map(len, parts)))


def _gains(run: Run, groups: Sequence[Sequence[int]]) -> tuple[Gain, ...]:
    if "reranked" not in run.kinds:
        return ()
    metrics = run.benchmark.metrics
    before, after = run.kinds["composed"], run.kinds["reranked"]
    means, drawn = _average(
        [
            np.array([scores_of(after[n], metrics) for n in group])
            - np.array([scores_of(before[n], metrics) for n in group])
            for group in groups
        ]
    )
    count = sum(map(len, groups))
    return tuple(
        Gain(name, round(float(mean), 4), interval(column), count)
        for name, mean, column in zip(metrics, means, drawn.T, strict=True)
    )
