"""A collection copied to another place, with its vectors: nothing is encoded.

    source ─ rows that differ ─▶ read with vectors ─▶ upsert ─▶ compare counts and a sample

A row is written whole, so an interruption leaves fewer rows, and the next run does the rest.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from heapq import merge
from itertools import groupby, islice

import numpy as np

from ocelot.collection import Collection, Row
from ocelot.errors import CollectionError, InputError
from ocelot.indexing.patience import Patience
from ocelot.indexing.pipeline import Progress

__all__ = ["CopyReport", "copy_collection", "paired"]

_BATCH = 1_000  # rows read and written at once
_COMPARED = 500  # rows read back from both sides in the end


@dataclass(frozen=True)
class CopyReport:
    """What a copy did, in rows."""

    found: int  # of the source
    copied: int  # that the destination did not have
    updated: int  # that it had with other values
    unchanged: int  # that it had as they are
    extra: int  # that the source does not have; they stay
    compared: int  # read back from both sides, with vectors that are equal bit for bit
    seconds: float


def copy_collection(
    source: Collection,
    destination: Collection,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> CopyReport:
    """Copy all rows of a collection, with their vectors; safe to interrupt and to run again.

    Rows that the destination has already are not sent again; those with the same id and other
    values are replaced. What others write to the source meanwhile may or may not be copied.

    Raises:
        InputError: Both are the same collection.
        EncoderMismatch: The destination has the vectors of another encoder.
        CollectionError: Milvus failed, or the copy is not equal.
    """
    place, other = (os.path.realpath(one.uri) for one in (source, destination))  # behind links
    if (place, source.name) == (other, destination.name):
        raise InputError(f"{source.name!r} in {source.uri} cannot be copied to itself.")
    destination.check(source.identity)
    started, total = time.perf_counter(), source.count()
    patiently = Patience(max(source.outage_timeout, destination.outage_timeout))
    counts = dict.fromkeys(("copied", "updated", "unchanged", "extra"), 0)

    def differing() -> Iterator[tuple[str, bool]]:
        """Ids of rows to be sent, and whether the destination has none with the id."""
        for row, other in paired(source.iterate(), destination.iterate()):
            if row is None:
                counts["extra"] += 1
            elif row == other:
                counts["unchanged"] += 1
            else:
                yield row.id, other is None

    waiting = differing()
    while batch := list(islice(waiting, _BATCH)):
        for kind, fresh in (("copied", True), ("updated", False)):
            rows = patiently(partial(source.get, [id for id, new in batch if new is fresh]))
            patiently(partial(destination.upsert, rows, fresh=fresh))
            counts[kind] += len(rows)
        if progress is not None:
            done = sum(counts.values()) - counts["extra"]
            progress(Progress(done, total, counts["unchanged"], 0, 0))
    if counts["copied"] or counts["updated"]:
        patiently(destination.flush)
    compared = _compare(source, destination, sum(counts.values()))
    found = sum(counts.values()) - counts["extra"]
    return CopyReport(found, **counts, compared=compared, seconds=time.perf_counter() - started)


def paired(left: Iterable[Row], right: Iterable[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Pairs of rows with the same id, of rows in order of ids; None where one side has none.

    >>> rows = [Row(id, {"/a.jpg": 1}, 9) for id in "abc"]
    >>> [(a and a.id, b and b.id) for a, b in paired(rows[:2], rows[1:])]
    [('a', None), ('b', 'b'), (None, 'c')]
    """
    first = ((row.id, 0, row) for row in left)
    second = ((row.id, 1, row) for row in right)
    both = merge(first, second, key=lambda entry: entry[:2])
    for _, group in groupby(both, key=lambda entry: entry[0]):
        found = {side: row for _, side, row in group}
        yield found.get(0), found.get(1)


def _compare(source: Collection, destination: Collection, expected: int) -> int:
    """Compare a sample of the rows, and the count; return how many rows were compared."""
    ids = [row.id for row in source.sample(_COMPARED)]
    rows, others = source.get(ids), {row.id: row for row in destination.get(ids)}
    differ = [row.id for row in rows if not _equal(row, others.get(row.id))]
    if differ:
        raise CollectionError(
            f"The copy in {destination.uri} is not equal: {len(differ):,} of {len(rows):,} "
            f"compared rows differ, such as {differ[0]}. If {destination.name!r} had rows before, "
            "copy into another collection; else run it again."
        )
    if (count := destination.count()) != expected:
        raise CollectionError(
            f"The copy in {destination.uri} has {count:,} rows where {expected:,} are expected: "
            "somebody writes to it, or to the source; run it again."
        )
    return len(rows)


def _equal(row: Row, other: Row | None) -> bool:
    return (
        row == other
        and other is not None
        and np.asarray(row.vector).tobytes() == np.asarray(other.vector).tobytes()
    )
