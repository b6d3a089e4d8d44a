"""From rankings to figures: means, intervals, the composition gap, what reranking gained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.encoders.base import Encoder
from ocelot.evaluation.benchmarks.base import Benchmark
from ocelot.evaluation.benchmarks.triplets import TripletQuery, triplets_benchmark
from ocelot.evaluation.metrics import Floats, chance, interval, measure, resampled_means
from ocelot.evaluation.run import Ranked, Run, rank
from ocelot.types import Failure

__all__ = ["Evaluation", "Figures", "Gain", "evaluate", "evaluate_triplets"]

Interval = tuple[float, float]
Groups = Sequence[list[int]]  # numbers of queries


@dataclass(frozen=True)
class Gain:
    """A difference of two figures of the same queries."""

    metric: str
    value: float
    interval: Interval  # of 95 %, by paired bootstrap
    queries: int  # how many were compared


@dataclass(frozen=True)
class Figures:
    """How well queries find their targets: metric -> value.

    Attributes:
        queries: The number of queries.
        composed: The whole queries.
        image_only, text_only: The same queries with only their reference, or only their text,
            over those that have it; "queries" is their number.
        chance: A random order; empty where it was not computed.
        reranked: The whole queries after reranking; empty without a reranker.
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

        def filled(table: dict[str, Any]) -> dict[str, Any]:
            return {key: value for key, value in table.items() if value or isinstance(value, int)}

        table = asdict(self)
        table["tasks"] = {task: filled(figures) for task, figures in table["tasks"].items()}
        return filled(table)


def evaluate_triplets(
    encoder: Encoder, queries: Sequence[TripletQuery], folder: Path, pictures: Iterable[Path]
) -> Evaluation:
    """Measure your own queries over your own pictures.

    Arguments and errors: see `triplets_benchmark` and `rank`.
    """
    return evaluate(rank(encoder, triplets_benchmark(queries, folder, pictures)))


def evaluate(run: Run) -> Evaluation:
    """The figures of a run; without published answers, only the numbers of queries and pictures."""
    benchmark = run.benchmark
    everything = list(range(len(benchmark.queries)))
    if not any(query.targets for query in benchmark.queries):
        return Evaluation(len(everything), {}, gallery=run.gallery, failures=run.failures)
    scores = {kind: _scores(run, ranked) for kind, ranked in run.kinds.items()}
    groups: dict[str, list[int]] = defaultdict(list)
    for number, query in enumerate(benchmark.queries):
        for group in query.groups:
            groups[group].append(number)
    tasks = {name: Figures(**_figures(run, scores, [group])) for name, group in groups.items()}
    averaged = list(groups.values()) if benchmark.averages_groups else [everything]
    return Evaluation(
        **_figures(run, scores, averaged),
        gallery=run.gallery,
        failures=run.failures,
        tasks=tasks if len(tasks) > 1 else {},
        composition_gap=_composition_gap(benchmark, scores, averaged),
        gains=_gains(benchmark, scores, averaged),
    )


def _scores(run: Run, ranked: Mapping[int, Ranked]) -> Floats:
    """The metrics of each query, shape (queries, metrics); NaN for queries without a ranking."""
    metrics = run.benchmark.metrics
    scores = np.full((len(run.benchmark.queries), len(metrics)), np.nan)
    for number, one in ranked.items():
        scores[number] = [measure(name, one.places) for name in metrics]
    return scores


def _averaged(scores: Floats, groups: Groups) -> tuple[Floats, Floats, int]:
    """The unweighted mean of the means of groups, the same as often resampled, and of how many.

    A query with NaN is left out.
    """
    known = np.isfinite(scores.sum(axis=1))
    parts = [scores[group][known[group]] for group in groups if known[group].any()]
    if not parts:
        return np.zeros(scores.shape[1]), np.empty((0, scores.shape[1])), 0
    means = np.mean([part.mean(axis=0) for part in parts], axis=0)
    drawn = np.mean([resampled_means(part) for part in parts], axis=0)
    return means, drawn, sum(map(len, parts))


def _figures(run: Run, scores: Mapping[str, Floats], groups: Groups) -> dict[str, Any]:
    metrics = run.benchmark.metrics
    table: dict[str, Any] = {"queries": sum(map(len, groups)), "intervals": {}}
    for kind, found in scores.items():
        means, drawn, count = _averaged(found, groups)
        table[kind] = {name: round(float(m), 4) for name, m in zip(metrics, means, strict=True)}
        if count:
            columns = zip(metrics, drawn.T, strict=True)
            table["intervals"][kind] = {name: interval(column) for name, column in columns}
        if kind in ("image_only", "text_only"):
            table[kind]["queries"] = count
    if "MRR" in metrics:  # one of those whose chance is known
        places = [run.kinds["composed"][n].places for group in groups for n in group]
        table["chance"] = chance([one.relevant for one in places], [one.ranked for one in places])
    return table


def _composition_gap(
    benchmark: Benchmark, scores: Mapping[str, Floats], groups: Groups
) -> Gain | None:
    kinds = ("composed", "image_only", "text_only")
    if not scores.keys() >= {*kinds}:  # another program ranked
        return None
    column = benchmark.metrics.index(benchmark.gap)
    means, drawn, count = _averaged(
        np.stack([scores[kind][:, column] for kind in kinds], axis=1), groups
    )
    if not count:
        return None
    gaps = drawn[:, 0] - drawn[:, 1:].max(axis=1)
    value = round(float(means[0] - means[1:].max()), 4)
    return Gain(benchmark.gap, value, interval(gaps), count)


def _gains(benchmark: Benchmark, scores: Mapping[str, Floats], groups: Groups) -> tuple[Gain, ...]:
    if "reranked" not in scores:
        return ()
    means, drawn, count = _averaged(scores["reranked"] - scores["composed"], groups)
    return tuple(
        Gain(name, round(float(mean), 4), interval(column), count)
        for name, mean, column in zip(benchmark.metrics, means, drawn.T, strict=True)
    )
