"""Rank the pictures of a benchmark for each of its queries."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from ocelot.encoders.base import Encoder, Matrix
from ocelot.errors import ImageError, InputError, MetadataError
from ocelot.evaluation.benchmarks.base import Benchmark, BenchmarkQuery, Picture
from ocelot.evaluation.metrics import Floats, Places, best_first
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.rerankers.base import Reranker
from ocelot.types import Failure, Hit, Input, Item, Query, Usage

__all__ = ["KEPT", "GalleryImages", "Ranked", "Reranking", "Run", "rank", "rank_names"]

KEPT = 50  # names of a ranking that are kept: what submissions have
_BLOCK = 64  # queries whose scores are computed at once


@dataclass(frozen=True)
class Ranked:
    """The ranking of one query."""

    names: tuple[str, ...] = ()  # of the first pictures
    scores: tuple[float, ...] = ()  # their cosine similarities
    subset: tuple[str, ...] = ()  # the query's subset in its order
    places: Places = field(default_factory=Places)


@dataclass(frozen=True)
class Reranking:
    """What reranking cost."""

    reranker: str
    depth: int  # hits of each query that it was given
    seconds: float
    usage: Usage
    cached: int  # answers that came from its cache, without tokens
    fallbacks: int  # queries that it could not rank


@dataclass(frozen=True)
class Run:
    """The rankings of a benchmark.

    Its kinds are "composed", "image_only", "text_only" and perhaps "reranked" -> number of a query
    -> its ranking. A query is missing where it has no such part.
    """

    benchmark: Benchmark
    kinds: Mapping[str, Mapping[int, Ranked]]
    gallery: int  # number of pictures that were read
    failures: tuple[Failure, ...] = ()  # pictures that could not be read
    unasked: tuple[str, ...] = ()  # queries whose reference could not be read: misses
    seconds: Mapping[str, float] = field(default_factory=dict)  # of each step
    reranking: Reranking | None = None
    pictures: Mapping[int, float] = field(default_factory=dict)  # cosine to its picture alone

    @property
    def final(self) -> Mapping[int, Ranked]:
        """The whole queries, reranked if anything reranked them."""
        return self.kinds.get("reranked", self.kinds["composed"])


class GalleryImages(ImageStore):
    """The pictures of a benchmark, for rerankers and pages: the id of an item is its name."""

    def __init__(self, pictures: Mapping[str, Picture]) -> None:
        super().__init__()
        self._pictures = pictures

    def original(self, item: Item) -> ImageFile:
        return self._pictures[item.id].file()


def rank(
    encoder: Encoder, benchmark: Benchmark, reranker: Reranker | None = None, *, depth: int = 9
) -> Run:
    """Rank by cosine similarity: whole queries, their pictures alone, and their texts alone.

    Each picture is encoded once. One that cannot be read is not ranked, and a query whose
    reference cannot be read counts as a miss.

    Args:
        reranker: Reranks the first `depth` hits of the whole queries.

    Raises:
        MetadataError: The benchmark is strict, and a query names a picture that cannot be read.
        InputError: No picture can be read.
    """
    if benchmark.strict:  # before hours of encoding
        _check_named(benchmark, {n for n, one in benchmark.pictures.items() if one.path.is_file()})
    times = [time.perf_counter()]
    rows, vectors, failures = _encode_pictures(encoder, benchmark.pictures)
    if benchmark.strict:
        _check_named(benchmark, rows.keys(), failures)
    times.append(time.perf_counter())
    asked = _encode_queries(encoder, benchmark, rows, vectors)
    times.append(time.perf_counter())
    kinds = {
        kind: {
            n: _ranked(benchmark.queries[n], names, scores, len(names))
            for n, names, scores in _rankings(benchmark, rows, vectors, queries)
        }
        for kind, queries in asked.items()
    }
    unasked = [n for n in range(len(benchmark.queries)) if n not in kinds["composed"]]
    for n in unasked:
        miss = Ranked(places=Places(relevant=len(benchmark.queries[n].targets)))
        kinds["composed"][n] = kinds["image_only"][n] = miss
    times.append(time.perf_counter())
    reranking = None
    if reranker is not None:
        found = _rankings(benchmark, rows, vectors, asked["composed"])
        moved, reranking = _rerank(benchmark, found, reranker, depth, rows, vectors)
        kinds["reranked"] = kinds["composed"] | moved
    return Run(
        benchmark,
        {kind: dict(sorted(ranked.items())) for kind, ranked in kinds.items()},
        len(rows),
        failures,
        tuple(benchmark.queries[n].id for n in unasked),
        dict(zip(("pictures", "queries", "ranking"), np.diff(times).tolist(), strict=True)),
        reranking,
        {n: float(asked["composed"][n] @ alone) for n, alone in asked["image_only"].items()},
    )


def _rerank(
    benchmark: Benchmark,
    rankings: Iterable[tuple[int, list[str], Floats]],
    reranker: Reranker,
    depth: int,
    rows: Mapping[str, int],
    vectors: Matrix,
) -> tuple[dict[int, Ranked], Reranking]:
    moved, verdicts, seconds = {}, [], 0.0
    for n, names, scores in rankings:
        query = benchmark.queries[n]
        hits = []
        for rank, name in enumerate(names[:depth], 1):
            path, vector = str(benchmark.pictures[name].path), vectors[rows[name]]
            score = float(scores[rank - 1])
            hits.append(Hit(name, (path,), score=score, rank=rank, vector=vector))
        image = None if query.reference is None else benchmark.pictures[query.reference].file()
        started = time.perf_counter()
        verdict = reranker.rerank(Query(image, query.text), hits)
        seconds += time.perf_counter() - started
        verdicts.append(verdict)
        order = [*verdict.order, *range(len(hits), len(names))]
        moved[n] = _ranked(query, [names[i] for i in order], scores[order], len(names))
    return moved, Reranking(
        reranker.name,
        depth,
        seconds,
        sum((verdict.usage for verdict in verdicts), Usage()),
        sum(verdict.cached for verdict in verdicts),
        sum(verdict.status in ("fallback", "replaced") for verdict in verdicts),
    )


def rank_names(benchmark: Benchmark, rankings: Mapping[str, Sequence[str]]) -> Run:
    """Take the rankings of another program: names of pictures, best first, by the query's id.

    Raises:
        MetadataError: There is a ranking of a query or of a picture that the benchmark lacks.
    """
    unknown = rankings.keys() - {query.id for query in benchmark.queries}
    if unknown:
        raise MetadataError(f"The run has the query {min(unknown)}, which the benchmark has not.")
    found = {}
    for number, query in enumerate(benchmark.queries):
        known = set(query.gallery)
        names = list(dict.fromkeys(rankings.get(query.id, ())))
        strange = next((name for name in names if name not in known), None)
        if strange is not None:
            raise MetadataError(
                f"The run has the picture {strange} for the query {query.id}, which is not in its "
                "gallery."
            )
        if not benchmark.ranks_reference:
            names = [name for name in names if name != query.reference]
            known.discard(str(query.reference))
        found[number] = _ranked(query, names, np.empty(0), len(known))
    return Run(benchmark, {"composed": found}, len(benchmark.pictures))


def _ranked(query: BenchmarkQuery, names: Sequence[str], scores: Floats, ranked: int) -> Ranked:
    """A ranking of `ranked` pictures, of which at least the first are in `names`."""
    place = {name: number for number, name in enumerate(names, 1)}
    subset = sorted((name for name in query.subset if name in place), key=place.__getitem__)
    first = query.targets[0] if query.targets else None
    places = Places(
        tuple(sorted(place[target] for target in query.targets if target in place)),
        len(query.targets),
        ranked,
        None if first is None else place.get(first),
        subset.index(first) + 1 if first in subset else None,
    )
    return Ranked(tuple(names[:KEPT]), tuple(scores[:KEPT].tolist()), tuple(subset), places)


def _rankings(
    benchmark: Benchmark, rows: Mapping[str, int], vectors: Matrix, asked: Mapping[int, Any]
) -> Iterator[tuple[int, list[str], Floats]]:
    """The number of each query, the names of its gallery, best first, and their scores."""

    @cache  # queries share their galleries
    def members(gallery: tuple[str, ...]) -> tuple[list[str], Any, dict[str, int]]:
        names = [name for name in gallery if name in rows]
        columns = np.array([rows[name] for name in names], dtype=int)
        return names, columns, {name: number for number, name in enumerate(names)}

    numbers = list(asked)
    for start in range(0, len(numbers), _BLOCK):
        block = numbers[start : start + _BLOCK]
        found = np.stack([asked[n] for n in block]) @ vectors.T
        for n, row in zip(block, found, strict=True):
            query = benchmark.queries[n]
            names, columns, index = members(query.gallery)
            targets = [index[name] for name in query.targets if name in index]
            left_out = [] if benchmark.ranks_reference else [index.get(str(query.reference), -1)]
            scores = row[columns]
            order = best_first(scores, targets, left_out)
            yield n, [names[i] for i in order], scores[order]


def _encode_pictures(
    encoder: Encoder, pictures: Mapping[str, Picture]
) -> tuple[dict[str, int], Matrix, tuple[Failure, ...]]:
    """The row of each readable picture, the vectors, and the other pictures."""

    def prepare(name: str) -> Any:
        try:
            return encoder.prepare(Input(pictures[name].file()))
        except ImageError as error:
            return error

    names, size = list(pictures), encoder.batch_size
    rows: dict[str, int] = {}
    vectors: list[Matrix] = []
    failures: list[Failure] = []
    with ThreadPoolExecutor(min(8, os.cpu_count() or 2), "ocelot-evaluate") as threads:
        upcoming = threads.map(prepare, names[:size])
        for start in range(0, len(names), size):
            prepared = list(upcoming)
            upcoming = threads.map(prepare, names[start + size : start + 2 * size])
            batch = []
            for name, one in zip(names[start : start + size], prepared, strict=True):
                if isinstance(one, ImageError):
                    failures.append(Failure(str(pictures[name].path), one.reason))
                else:
                    rows[name] = len(rows)
                    batch.append(one)
            if batch:
                vectors.append(encoder.embed_checked(batch))
    if not rows:
        raise InputError(
            f"There is no picture that can be read, such as {next(iter(pictures.values())).path}: "
            "check the files, and the folder that was named."
        )
    return rows, np.concatenate(vectors), tuple(failures)


def _encode_queries(
    encoder: Encoder, benchmark: Benchmark, rows: Mapping[str, int], vectors: Matrix
) -> dict[str, dict[int, Any]]:
    """Kind -> number of a query -> vector; without the queries that lack a part of the kind."""
    queries = dict(enumerate(benchmark.queries))
    texts = {n: query.text for n, query in queries.items() if query.text is not None}
    images = {n: query.reference for n, query in queries.items() if query.reference is not None}
    image_only = {n: vectors[rows[name]] for n, name in images.items() if name in rows}
    alone = encoder.encode(Input(text=text, is_query=True) for text in texts.values())
    text_only = dict(zip(texts, alone, strict=True))
    both = [n for n in image_only if n in texts]
    together = encoder.encode(
        Input(benchmark.pictures[images[n]].file(), texts[n], is_query=True) for n in both
    )
    # A query of one part is that part; one whose reference cannot be read cannot be asked.
    composed = image_only | {n: vector for n, vector in text_only.items() if n not in images}
    composed |= dict(zip(both, together, strict=True))
    return {"composed": composed, "image_only": image_only, "text_only": text_only}


def _check_named(
    benchmark: Benchmark, readable: Set[str], failures: Iterable[Failure] = ()
) -> None:
    reasons = {failure.path: failure.reason for failure in failures}
    for query in benchmark.queries:
        for name in (query.reference, *query.targets):
            if name is not None and name not in readable:
                reason = reasons.get(str(benchmark.pictures[name].path), "there is no such file")
                raise MetadataError(f"The queries name {name}, which cannot be used: {reason}.")
