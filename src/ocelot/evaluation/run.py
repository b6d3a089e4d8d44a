"""Rank the pictures of a benchmark for each of its queries."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ocelot.encoders.base import Encoder, EncoderWrapper, Matrix
from ocelot.errors import ImageError, InputError, MetadataError
from ocelot.evaluation.benchmarks.base import Benchmark, BenchmarkQuery, Picture
from ocelot.evaluation.metrics import Places
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.rerankers.base import Reranker
from ocelot.types import Failure, Hit, Input, Item, Query, Usage

__all__ = ["KEPT", "GalleryImages", "Ranked", "Reranking", "Run", "rank", "rank_names"]

KEPT = 50  # names of a ranking that are kept: what submissions have
_BLOCK = 64  # queries that are ranked at once


@dataclass(frozen=True)
class Ranked:
    """The ranking of one query.

    Attributes:
        names: The first pictures.
        scores: Their cosine similarities, in the same order.
        subset: The query's subset in its order.
        places: Where the targets are.
    """

    names: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    subset: tuple[str, ...] = ()
    places: Places = field(default_factory=Places)


@dataclass(frozen=True)
class Reranking:
    """What reranking cost.

    Attributes:
        depth: How many hits of each query the reranker was given.
        cached: Answers that came from its cache, without tokens.
        fallbacks: Queries that it could not rank.
    """

    reranker: str
    depth: int
    seconds: float
    usage: Usage
    cached: int
    fallbacks: int


@dataclass(frozen=True)
class Run:
    """The rankings of a benchmark.

    Attributes:
        kinds: "composed", "image_only", "text_only" and perhaps "reranked" -> number of a query
            -> its ranking. A query is missing where it has no such part.
        gallery: The number of pictures that were read.
        failures: Pictures that could not be read.
        unasked: Queries whose reference could not be read: they count as misses.
        seconds: Of each step.
    """

    benchmark: Benchmark
    kinds: Mapping[str, Mapping[int, Ranked]]
    gallery: int
    failures: tuple[Failure, ...] = ()
    unasked: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    reranking: Reranking | None = None

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
    started = time.perf_counter()
    rows, vectors, failures = _encode_pictures(encoder, benchmark.pictures)
    if benchmark.strict:
        _check_named(benchmark, rows.keys(), failures)
    encoded = time.perf_counter()
    parts = _encode_queries(encoder, benchmark, rows, vectors)
    unasked = [
        n
        for n, query in enumerate(benchmark.queries)
        if query.reference is not None and query.reference not in rows
    ]
    ranking = time.perf_counter()
    gallery = _Gallery(benchmark, rows, vectors)
    kinds = {kind: dict(gallery.rank(asked)) for kind, asked in parts.items()}
    for n in unasked:
        miss = Ranked(places=Places(relevant=len(benchmark.queries[n].targets)))
        kinds["composed"][n] = kinds["image_only"][n] = miss
    done = time.perf_counter()
    reranking = None
    if reranker is not None:
        moved, reranking = _rerank(benchmark, gallery, parts["composed"], reranker, depth)
        kinds["reranked"] = kinds["composed"] | moved
    return Run(
        benchmark,
        {kind: dict(sorted(found.items())) for kind, found in kinds.items()},
        len(rows),
        failures,
        tuple(benchmark.queries[n].id for n in unasked),
        {"pictures": encoded - started, "queries": ranking - encoded, "ranking": done - ranking},
        reranking,
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
        strange = [name for name in names if name not in known]
        if strange:
            raise MetadataError(
                f"The run has the picture {strange[0]} for the query {query.id}, which is not in "
                "its gallery."
            )
        if not benchmark.ranks_reference:
            names = [name for name in names if name != query.reference]
            known.discard(str(query.reference))
        place = {name: n for n, name in enumerate(names, 1)}
        found[number] = _ranked(query, names, place, (), len(known))
    return Run(benchmark, {"composed": found}, len(benchmark.pictures))


def _ranked(
    query: BenchmarkQuery,
    names: Sequence[str],
    place: Mapping[str, int],
    scores: Sequence[float],
    ranked: int,
) -> Ranked:
    """A ranking with the places of its targets.

    Args:
        place: Name -> place, of the targets and the subset at least, if they are ranked.
        ranked: How many pictures are ranked.
    """
    subset = sorted((name for name in query.subset if name in place), key=place.__getitem__)
    first = query.targets[0] if query.targets else None
    places = Places(
        tuple(sorted(place[target] for target in query.targets if target in place)),
        len(query.targets),
        ranked,
        None if first is None else place.get(first),
        subset.index(first) + 1 if first in subset else None,
    )
    return Ranked(tuple(names[:KEPT]), tuple(scores[:KEPT]), tuple(subset), places)


class _Gallery:
    """The vectors of a benchmark's pictures, and the rankings by them."""

    def __init__(self, benchmark: Benchmark, rows: Mapping[str, int], vectors: Matrix) -> None:
        self.benchmark, self.rows, self.vectors = benchmark, rows, vectors
        self._members: dict[int, tuple[list[str], Any, dict[str, int]]] = {}

    def rank(self, asked: Mapping[int, Any]) -> Iterator[tuple[int, Ranked]]:
        """Rank for each query by its vector; of equal scores, targets come last."""
        for n, names, order, scores in self.orders(asked):
            yield n, self.ranked(n, names, order, scores)

    def orders(self, asked: Mapping[int, Any]) -> Iterator[tuple[int, list[str], Any, Any]]:
        """Yield number, names of the gallery, their numbers best first, and their scores."""
        numbers = list(asked)
        for start in range(0, len(numbers), _BLOCK):
            block = numbers[start : start + _BLOCK]
            found = np.stack([asked[n] for n in block]) @ self.vectors.T
            for n, row in zip(block, found, strict=True):
                query = self.benchmark.queries[n]
                names, columns, index = self._of(query)
                scores = row[columns]
                wanted = np.zeros(len(names), dtype=bool)
                wanted[[index[target] for target in query.targets if target in index]] = True
                order = np.lexsort((wanted, -scores))
                if not self.benchmark.ranks_reference and query.reference in index:
                    order = order[order != index[query.reference]]
                yield n, names, order, scores

    def ranked(self, n: int, names: list[str], order: Any, scores: Any) -> Ranked:
        """The ranking in an order."""
        query = self.benchmark.queries[n]
        index = self._of(query)[2]
        places = np.zeros(len(names), dtype=int)
        places[order] = np.arange(1, len(order) + 1)  # 0: not ranked
        place = {
            name: int(places[index[name]])
            for name in (*query.targets, *query.subset)
            if name in index and places[index[name]]
        }
        first = order[:KEPT]
        return _ranked(query, [names[i] for i in first], place, scores[first].tolist(), len(order))

    def _of(self, query: BenchmarkQuery) -> tuple[list[str], Any, dict[str, int]]:
        """The names of a query's gallery, their rows, and name -> number."""
        key = id(query.gallery)  # queries share their galleries, and the benchmark keeps them
        if key not in self._members:
            names = [name for name in query.gallery if name in self.rows]
            rows = np.array([self.rows[name] for name in names], dtype=int)
            self._members[key] = names, rows, {name: n for n, name in enumerate(names)}
        return self._members[key]


def _rerank(
    benchmark: Benchmark,
    gallery: _Gallery,
    asked: Mapping[int, Any],
    reranker: Reranker,
    depth: int,
) -> tuple[dict[int, Ranked], Reranking]:
    found = {}
    seconds, usage, cached, fallbacks = 0.0, Usage(), 0, 0
    for n, names, order, scores in gallery.orders(asked):
        query = benchmark.queries[n]
        shown = order[:depth]
        if not len(shown):
            continue
        hits = [
            Hit(
                id=names[i],
                paths=(str(benchmark.pictures[names[i]].path),),
                score=float(scores[i]),
                rank=place,
                vector=gallery.vectors[gallery.rows[names[i]]],
            )
            for place, i in enumerate(shown, 1)
        ]
        image = None if query.reference is None else benchmark.pictures[query.reference].file()
        started = time.perf_counter()
        verdict = reranker.rerank(Query(image, query.text), hits)
        seconds += time.perf_counter() - started
        usage += verdict.usage
        cached += verdict.cached
        fallbacks += verdict.status in ("fallback", "replaced")
        moved = np.concatenate([shown[list(verdict.order)], order[depth:]])
        found[n] = gallery.ranked(n, names, moved, scores)
    return found, Reranking(reranker.name, depth, seconds, usage, cached, fallbacks)


def _encode_queries(
    encoder: Encoder, benchmark: Benchmark, rows: Mapping[str, int], vectors: Matrix
) -> dict[str, dict[int, Any]]:
    """Kind -> number of a query -> vector; without the queries that lack a part of the kind.

    Args:
        rows, vectors: Of the pictures, which are not encoded again.
    """
    queries = dict(enumerate(benchmark.queries))
    images = {n: one.reference for n, one in queries.items() if one.reference is not None}
    image_only = {n: vectors[rows[name]] for n, name in images.items() if name in rows}
    texts = {n: one.text for n, one in queries.items() if one.text is not None}
    pairs = [n for n in image_only if n in texts]
    alone = encoder.encode(Input(text=text, is_query=True) for text in texts.values())
    text_only = dict(zip(texts, alone, strict=True))
    joint = dict(zip(pairs, encoder.encode(_inputs(benchmark, pairs)), strict=True))
    # A query of one part is that part; one whose reference cannot be read cannot be asked.
    only_words = {n: vector for n, vector in text_only.items() if n not in images}
    composed = image_only | only_words | joint
    return {"composed": composed, "image_only": image_only, "text_only": text_only}


def _inputs(benchmark: Benchmark, numbers: Iterable[int]) -> Iterator[Input]:
    for number in numbers:
        query = benchmark.queries[number]
        yield Input(benchmark.pictures[str(query.reference)].file(), query.text, is_query=True)


def _check_named(
    benchmark: Benchmark, readable: Set[str], failures: Iterable[Failure] = ()
) -> None:
    reasons = {failure.path: failure.reason for failure in failures}
    for query in benchmark.queries:
        for name in (query.reference, *query.targets):
            if name is not None and name not in readable:
                reason = reasons.get(str(benchmark.pictures[name].path), "there is no such file")
                raise MetadataError(f"The queries name {name}, which cannot be used: {reason}.")


class _Tolerant(EncoderWrapper):
    """Encodes what can be decoded; `failed` has the numbers of the other inputs."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.failed: dict[int, str] = {}
        self._done = 0

    def prepare(self, input: Input) -> Any:
        try:
            return self.wrapped.prepare(input)
        except ImageError as error:
            return error

    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        vectors = np.ones((len(batch), self.dimension), dtype=np.float32)
        good = [n for n, one in enumerate(batch) if not isinstance(one, ImageError)]
        if good:
            vectors[good] = self.wrapped.embed([batch[n] for n in good])
        for n, one in enumerate(batch):
            if isinstance(one, ImageError):
                self.failed[self._done + n] = one.reason
        self._done += len(batch)
        return vectors


def _encode_pictures(
    encoder: Encoder, pictures: Mapping[str, Picture]
) -> tuple[dict[str, int], Matrix, tuple[Failure, ...]]:
    """Return the row of each readable picture, the vectors, and the other pictures."""
    names: list[str] = []
    failures: list[Failure] = []

    def files() -> Iterator[Input]:
        for name, picture in pictures.items():
            try:
                file = picture.file()
            except ImageError as error:
                failures.append(Failure(str(picture.path), error.reason))
            else:
                names.append(name)
                yield Input(file)

    tolerant = _Tolerant(encoder)
    vectors = tolerant.encode(files())
    kept = [n for n in range(len(names)) if n not in tolerant.failed]
    failures += [
        Failure(str(pictures[names[n]].path), reason) for n, reason in tolerant.failed.items()
    ]
    if not kept:
        raise InputError(
            f"There is no picture that can be read, such as {next(iter(pictures.values())).path}; "
            "name their folder with --images."
        )
    rows = {names[n]: row for row, n in enumerate(kept)}
    return rows, vectors if len(kept) == len(names) else vectors[kept], tuple(failures)
