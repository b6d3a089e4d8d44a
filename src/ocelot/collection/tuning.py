"""Recall and latency of searches, measured on a collection's own vectors.

A query is a stored vector, moved by a third of its length towards another stored one: near the
pictures but on none of them, as a picture with a sentence is. A stored vector itself would flatter
the index: it is its own nearest neighbour, and a graph that reaches it has reached the others. The
two rows that a query is made of do not count. The truth is brute force over all stored vectors.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.collection.indexes import index_bytes, steps
from ocelot.errors import InputError

if TYPE_CHECKING:
    from ocelot.collection.collection import Collection
    from ocelot.collection.rows import Row
    from ocelot.encoders.base import Matrix

__all__ = [
    "LIMIT", "Measured", "Trial", "best_of", "draw_trial", "exact", "measure", "measure_copies",
]  # fmt: skip

LIMIT = 9  # hits, those of one panorama
_LEAST_ROWS = 20
_BLOCK = 4096  # rows that are compared at once
_KEPT = 64  # the best rows of a query that are remembered
_EQUAL = 1e-6  # scores that differ by less are equal: it does not matter which row is found
_WARM_UP = 6  # queries that do not count
_NOISE = 1.1  # medians that differ by less are equal

Report = Callable[[str], None]  # told what is being done


@dataclass(frozen=True)
class Trial:
    """Queries with their answers."""

    queries: Matrix  # unit vectors, shape (n, dimension)
    left_out: Sequence[frozenset[str]]  # for each query the ids of the rows that it is made of
    nearest: Sequence[frozenset[str]]  # for each query what `exact` returns
    rows: int  # in the collection


@dataclass(frozen=True)
class Measured:
    """What one index does with one set of search parameters."""

    index: str
    params: Mapping[str, int]  # {} for an exact index, or for the server's own choice
    recall: float  # share of the `LIMIT` nearest rows that are found
    p50: float  # seconds of one search, without the encoder
    p95: float
    build: float | None  # seconds that building the index took; None if it was there
    memory: int | None  # bytes of the index by its structure; None if that is not known

    @property
    def setting(self) -> str:
        """The search parameters as text."""
        return ", ".join(f"{name}={value}" for name, value in self.params.items())

    def __str__(self) -> str:
        return f"{self.index} with {self.setting}" if self.params else self.index


def draw_trial(collection: Collection, count: int, report: Report) -> Trial:
    """Make at most `count` queries, the same ones each time, and find their answers.

    Raises:
        InputError: There are too few rows.
    """
    rows = collection.count()
    if rows < _LEAST_ROWS:
        raise InputError(
            f"{collection.uri} holds {rows:,} pictures: at least {_LEAST_ROWS} are needed to "
            "measure recall."
        )
    report(f"Reading {rows:,} vectors")
    # In an order that has nothing to do with what is in the pictures.
    ids = (row.id for row in collection.iterate(metadata=False))
    drawn = nsmallest(2 * count, ids, key=lambda id: hashlib.sha256(id.encode()).digest())
    found = collection.get(drawn)
    half = len(found) // 2
    pairs = zip(found[:half], found[half:], strict=False)
    left_out = [frozenset({one.id, other.id}) for one, other in pairs]
    stored = _vectors(found)
    queries = _unit(stored[:half] + stored[half : 2 * half] / 3)
    everything = collection.iterate_whole()
    blocks = iter(lambda: list(islice(everything, _BLOCK)), [])
    matrices = (([row.id for row in block], _vectors(block)) for block in blocks)
    return Trial(queries, left_out, exact(queries, matrices, left_out), rows)


def exact(
    queries: Matrix,
    blocks: Iterable[tuple[Sequence[str], Matrix]],
    left_out: Sequence[frozenset[str]],
) -> list[frozenset[str]]:
    """For each query the ids of the `LIMIT` nearest rows, and of those as near as the last of them.

    Args:
        queries: Unit vectors, shape (n, dimension).
        blocks: All rows in parts: ids, and unit vectors of shape (rows, dimension).
        left_out: For each query the ids of rows that do not count.
    """
    best: list[list[tuple[float, str]]] = [[] for _ in queries]
    for ids, matrix in blocks:
        for scores, skipped, kept in zip(queries @ matrix.T, left_out, best, strict=True):
            most = np.argsort(-scores)[:_KEPT]
            kept += [(scores[n], ids[n]) for n in most if ids[n] not in skipped]
            kept.sort(reverse=True)
            del kept[_KEPT:]
    return [
        frozenset(id for score, id in kept if score >= kept[:LIMIT][-1][0] - _EQUAL)
        for kept in best
    ]


def measure(
    collection: Collection, trial: Trial, report: Report, build: float | None = None
) -> list[Measured]:
    """Measure the index that a collection has, with each of the parameters worth trying.

    All parameters are tried with one query before the next query, every other time in reverse, so
    that other load on the machine affects all alike.
    """
    index, deployment = collection.describe().index, collection.deployment
    memory = index_bytes(index, deployment, trial.rows, trial.queries.shape[1])
    tried = list(enumerate(steps(index, deployment)))
    seconds: list[list[float]] = [[] for _ in tried]
    found, kept = [0] * len(tried), collection.search_params
    each = list(zip(trial.queries, trial.left_out, trial.nearest, strict=True))
    try:
        for number, (query, skipped, nearest) in enumerate([*each[:_WARM_UP], *each], -_WARM_UP):
            report(f"Measuring {index}: query {max(number, 0) + 1} of {len(each)}")
            for place, params in tried if number % 2 else reversed(tried):
                collection.search_params = params
                started = time.perf_counter()
                hits = collection.search(query, limit=LIMIT, exclude=skipped)
                if number >= 0:
                    seconds[place].append(time.perf_counter() - started)
                    found[place] += len(nearest.intersection(hit.id for hit in hits))
    finally:
        collection.search_params = kept
    measured = []
    for place, params in tried:
        recall = found[place] / (LIMIT * len(each))
        p50, p95 = map(float, np.percentile(seconds[place], (50, 95)))
        measured.append(Measured(index, params, recall, p50, p95, build, memory))
    return measured


def measure_copies(
    collection: Collection,
    trial: Trial,
    indexes: Sequence[str],
    open: Callable[..., Collection],
    report: Report,
) -> Iterator[Measured]:
    """Measure other indexes, on a copy of the collection, which is removed in every case.

    Args:
        open: Opens a collection of the same database; takes options of `Collection.open`.
    """
    name = f"{collection.name[:200]}_ocelot_tune"
    collection.drop_other(name)  # a run that was killed may have left it
    try:
        for index in (*indexes, "FLAT"):
            open(collection.identity, name=name, index=index).close()
        report(f"Copying {trial.rows:,} rows")
        with open(name=name) as copy:
            copy.upsert(collection.iterate_whole(), fresh=True)
            copy.flush()
        for index in indexes:
            report(f"Building {index}")
            started = time.perf_counter()
            with open(name=name, index=index) as copy:
                yield from measure(copy, trial, report, time.perf_counter() - started)
    finally:
        collection.drop_other(name)


def best_of(measured: Sequence[Measured], recall: float) -> Measured | None:
    """The fastest that reaches a recall, of several as fast the first; None if none reaches it."""
    enough = [one for one in measured if one.recall >= recall]
    least = min((one.p50 for one in enough), default=0.0)
    return next((one for one in enough if one.p50 <= _NOISE * least), None)


def _vectors(rows: Sequence[Row]) -> Matrix:
    return _unit(np.array([row.vector for row in rows], dtype=np.float32))


def _unit(matrix: Any) -> Matrix:
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return np.asarray(matrix, dtype=np.float32)
