"""Recall and latency of searches, measured on a collection's own vectors.

A query is a stored vector, moved by a third of its length towards another stored one and
normalised: near the pictures but on none of them, as a picture with a sentence is. A stored vector
itself would flatter the index: it is its own nearest neighbour, and a graph that reaches it has
reached the others. The two rows that a query is made of do not count as hits.

The truth is brute force in NumPy over all stored vectors, a page of rows at a time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from typing import TYPE_CHECKING

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
_TIES = 64  # the best hits that are kept while looking for the nearest
_EQUAL = 1e-6  # scores that differ by less are equal: it does not matter which of the rows is found
_MOVED = 1 / 3
_WARM_UP = 6  # queries that do not count
_NOISE = 1.1

Report = Callable[[str], None]  # told what is being done


@dataclass(frozen=True)
class Trial:
    """Queries with their answers.

    Attributes:
        queries: Unit vectors, shape (n, dimension).
        left_out: For each query the ids of the rows that it is made of.
        nearest: For each query the ids of the exact `LIMIT` nearest rows, and of those that are as
            near as the last of them.
        rows: The number of rows in the collection.
    """

    queries: Matrix
    left_out: Sequence[frozenset[str]]
    nearest: Sequence[frozenset[str]]
    rows: int


@dataclass(frozen=True)
class Measured:
    """What one index does with one set of search parameters.

    Attributes:
        params: Search parameters; {} for an exact index, or for the server's own.
        recall: Share of the `LIMIT` nearest rows that are found.
        p50, p95: Seconds of one search, with its rows and without the encoder.
        build: Seconds that building the index took; None if it was there.
        memory: Bytes of the index by its structure; None if that is not known.
    """

    index: str
    params: Mapping[str, int]
    recall: float
    p50: float
    p95: float
    build: float | None
    memory: int | None

    def __str__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.index} with {shown}" if shown else self.index


def draw_trial(collection: Collection, count: int, report: Report) -> Trial:
    """Draw queries from the stored vectors, the same ones each time, and find their answers.

    Args:
        count: The most queries.

    Raises:
        InputError: There are too few rows.
        CollectionError: Milvus failed.
    """
    rows = collection.count()
    if rows < _LEAST_ROWS:
        raise InputError(
            f"{collection.uri} holds {rows:,} pictures: at least {_LEAST_ROWS} are needed to "
            "measure recall."
        )
    report(f"Reading {rows:,} vectors")
    count = min(count, rows // 2)
    # Ids in an order that has nothing to do with what is in the pictures.
    ids = (row.id for row in collection.iterate(metadata=False))
    drawn = nsmallest(2 * count, ids, key=lambda id: hashlib.sha256(id.encode()).digest())
    found = collection.get(drawn)
    stored = _unit(found)
    half = len(found) // 2
    queries = stored[:half] + _MOVED * stored[half : 2 * half]
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    left_out = [frozenset({a.id, b.id}) for a, b in zip(found[:half], found[half:], strict=False)]
    pages = _blocks(collection.iterate(metadata=False, vectors=True))
    nearest = exact(queries, (([row.id for row in page], _unit(page)) for page in pages), left_out)
    return Trial(queries, left_out, nearest, rows)


def exact(
    queries: Matrix,
    blocks: Iterator[tuple[Sequence[str], Matrix]],
    left_out: Sequence[frozenset[str]],
) -> list[frozenset[str]]:
    """The ids of the nearest rows of each query, by brute force; see `Trial`.

    Args:
        queries: Unit vectors, shape (n, dimension).
        blocks: All rows in parts: ids, and unit vectors of shape (rows, dimension).
        left_out: For each query the ids of rows that do not count.
    """
    best = np.full((len(queries), _TIES), -np.inf, dtype=np.float32)
    ids = np.full(best.shape, "", dtype=object)
    for names, matrix in blocks:
        scores = queries @ matrix.T
        places = {name: place for place, name in enumerate(names)}
        for row, skipped in zip(scores, left_out, strict=True):
            row[[places[name] for name in skipped if name in places]] = -np.inf
        scores = np.hstack([best, scores])
        of_block = np.broadcast_to(np.array(names, dtype=object), (len(ids), len(names)))
        everybody = np.hstack([ids, of_block])
        kept = np.argpartition(-scores, _TIES - 1, axis=1)[:, :_TIES]
        best = np.take_along_axis(scores, kept, axis=1)
        ids = np.take_along_axis(everybody, kept, axis=1)
    last = -np.partition(-best, LIMIT - 1, axis=1)[:, LIMIT - 1]
    return [
        frozenset(some[row >= least - _EQUAL])
        for row, some, least in zip(best, ids, last, strict=True)
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
) -> list[Measured]:
    """Measure other indexes, on a copy of the collection, which is removed in every case.

    Building an index of the collection itself would interrupt its searches.

    Args:
        indexes: Types of index.
        open: Opens a collection of the same database; takes options of `Collection.open`.

    Raises:
        ConfigurationError: The database has no such index.
        CollectionError: Milvus failed.
    """
    name = f"{collection.name[:200]}_ocelot_tune"
    identity, done = collection.identity, []
    collection.drop_other(name)  # a run that was killed may have left it
    try:
        for index in indexes:  # one that is not there is told before rows are copied
            open(identity, name=name, index=index).close()
        with open(identity, name=name, index="FLAT") as copy:
            report(f"Copying {trial.rows:,} rows")
            copy.upsert(collection.iterate(vectors=True), fresh=True)
            copy.flush()
        for index in indexes:
            report(f"Building {index}")
            started = time.perf_counter()
            with open(identity, name=name, index=index) as copy:
                done += measure(copy, trial, report, time.perf_counter() - started)
    finally:
        collection.drop_other(name)
    return done


def best_of(measured: Sequence[Measured], recall: float) -> Measured | None:
    """The fastest that reaches a recall; None if none does.

    A tenth is within what a measurement varies by: of several that are so close, it is the first.
    """
    enough = [one for one in measured if one.recall >= recall]
    least = min((one.p50 for one in enough), default=0.0)
    return next((one for one in enough if one.p50 <= _NOISE * least), None)


def _unit(rows: Sequence[Row]) -> Matrix:
    matrix = np.array([row.vector for row in rows], dtype=np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return matrix


def _blocks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while block := list(islice(rows, _BLOCK)):
        yield block
