"""A collection copied to another place, with its vectors: nothing is encoded.

    source ─ rows that differ ─▶ read with vectors ─▶ upsert ─▶ compare counts and a sample

A row is written whole, so an interruption leaves fewer rows, and the next run does the rest.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ocelot.collection import Collection, Row
from ocelot.errors import CollectionError, InputError
from ocelot.indexing.patience import Patience
from ocelot.indexing.pipeline import Progress
from ocelot.maintenance.pairs import paired

__all__ = ["CopyReport", "copy_collection"]

_BATCH = 1_000  # rows read and written at once
_COMPARED = 500  # rows read back from both sides in the end


@dataclass(frozen=True)
class CopyReport:
    """What a copy did, in rows.

    Attributes:
        found: Rows of the source.
        copied: That the destination did not have.
        updated: That it had with other values.
        unchanged: That it had as they are.
        extra: Rows of the destination that the source does not have; they stay.
        compared: Rows read back from both sides, whose vectors are equal bit for bit.
        seconds: Wall time.
    """

    found: int
    copied: int
    updated: int
    unchanged: int
    extra: int
    compared: int
    seconds: float


def copy_collection(
    source: Collection,
    destination: Collection,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> CopyReport:
    """Copy all rows of a collection, with their vectors; safe to interrupt and to run again.

    Rows that the destination has already are not sent again; those with the same id and other
    values are replaced. Afterwards the counts and a sample of the rows are compared.

    Args:
        source: It is only read. What others write to it meanwhile may or may not be copied.
        destination: A collection of the same encoder.
        progress: Called now and then from the calling thread.

    Raises:
        InputError: Both are the same collection.
        EncoderMismatch: The destination has the vectors of another encoder.
        CollectionError: Milvus failed, or the copy is not equal.
    """
    if (source.uri, source.name) == (destination.uri, destination.name):
        raise InputError(f"{source.name!r} in {source.uri} cannot be copied to itself.")
    destination.check(source.identity)
    run = _Copy(source, destination, progress)
    return run.run()


class _Copy:
    """One run."""

    def __init__(
        self,
        source: Collection,
        destination: Collection,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._source = source
        self._destination = destination
        self._progress = progress
        self._patiently = Patience(max(source.outage_timeout, destination.outage_timeout))
        self._new: list[str] = []
        self._changed: list[str] = []
        self._sample: list[str] = []
        self._random = random.Random(0)
        self._seen = 0
        self.copied = self.updated = self.unchanged = self.extra = 0

    def run(self) -> CopyReport:
        started = time.perf_counter()
        self._total = self._source.count()
        for row, other in paired(self._source.iterate(), self._destination.iterate()):
            if row is None:
                self.extra += 1
                continue
            self._take(row, other)
        self._send()
        if self.copied or self.updated:
            self._patiently(self._destination.flush)
        compared = self._compare()
        seconds = time.perf_counter() - started
        return CopyReport(
            self._done, self.copied, self.updated, self.unchanged, self.extra, compared, seconds
        )

    @property
    def _done(self) -> int:
        return self.copied + self.updated + self.unchanged

    def _take(self, row: Row, other: Row | None) -> None:
        if self._seen < _COMPARED:  # each row is as likely as any other to be compared
            self._sample.append(row.id)
        elif (place := self._random.randrange(self._seen + 1)) < _COMPARED:
            self._sample[place] = row.id
        self._seen += 1
        if other is None:
            self._new.append(row.id)
        elif other != row:
            self._changed.append(row.id)
        else:
            self.unchanged += 1
        if len(self._new) + len(self._changed) >= _BATCH:
            self._send()
            self._report_progress()

    def _send(self) -> None:
        """Write what waits. It may be repeated after a failure at any point."""
        for ids, fresh in ((self._new, True), (self._changed, False)):
            rows = self._patiently(partial(self._source.get, ids))
            self._patiently(partial(self._destination.upsert, rows, fresh=fresh))
            if fresh:
                self.copied += len(rows)
            else:
                self.updated += len(rows)
            ids.clear()

    def _compare(self) -> int:
        rows = self._source.get(self._sample)
        others = {row.id: row for row in self._destination.get(self._sample)}
        differ = [row.id for row in rows if not _equal(row, others.get(row.id))]
        if differ:
            raise CollectionError(
                f"The copy in {self._destination.uri} is not equal: {len(differ):,} of "
                f"{len(rows):,} compared rows differ, such as {differ[0]}. If "
                f"{self._destination.name!r} had rows before, copy into another collection; "
                "else run it again."
            )
        count = self._destination.count()
        if count != self._done + self.extra:
            raise CollectionError(
                f"The copy in {self._destination.uri} has {count:,} rows where "
                f"{self._done + self.extra:,} are expected: somebody writes to it, or to the "
                "source; run it again."
            )
        return len(rows)

    def _report_progress(self) -> None:
        if self._progress is not None:
            self._progress(Progress(self._done, self._total, self.unchanged, 0, 0))


def _equal(row: Row, other: Row | None) -> bool:
    if row.vector is None or other is None or other.vector is None:
        return False
    return row == other and np.array_equal(row.vector, other.vector)
