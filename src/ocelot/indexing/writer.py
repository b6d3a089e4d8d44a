"""Rows and edits on their way to Milvus: gathered, and written in one thread.

    add, edit ─▶ pending ─ enough, or old enough ─▶ in flight ─▶ stored

One write is in flight while the next gathers; a full one waits for it, so memory is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ocelot.collection import Collection, Row, row_bytes
from ocelot.errors import InputError, OcelotError
from ocelot.images.thumbnails import Thumbnails
from ocelot.indexing.scan import is_gone
from ocelot.types import Failure

__all__ = ["EDITS", "Edit", "Writer"]

BYTES = 8 * 2**20  # of rows in one message
SECONDS = 1.0  # that a row waits at most, while others come
EDITS = 256  # rows read and written again at once


@dataclass
class Edit:
    """A change to a row that needs no encoding.

    Attributes:
        add: Paths that the row gains, and their times of change.
        remove: Paths that it loses.
        metadata: Its new metadata; None leaves them.
    """

    add: dict[str, int] = field(default_factory=dict)
    remove: set[str] = field(default_factory=set)
    metadata: Mapping[str, object] | None = None


@dataclass
class _Pending:
    """What one write brings: the rows first, then the edits, which may be of these rows."""

    rows: list[Row] = field(default_factory=list)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    edits: dict[str, Edit] = field(default_factory=dict)
    bytes: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def due(self) -> bool:
        return self.bytes >= BYTES or time.monotonic() - self.since >= SECONDS


class Writer:
    """Writes to a collection behind the thread that calls it; a context manager.

    Whatever was added is written when the context ends, also by an error or an interruption;
    where Milvus itself failed, what was not written yet is left. Call `finish` within it: then
    an interruption of that wait ends the context, which waits again.

    Args:
        collection: Where rows go.
        folders: What is indexed: a renamed file's old path below them is dropped.
        thumbnails: Where small copies go, after their rows; None for nowhere.

    Attributes:
        failures: Files whose rows could not take another path.
        removed: Rows that lost their last path.
        wrote: Whether anything was written.
    """

    def __init__(
        self, collection: Collection, folders: Sequence[str], thumbnails: Thumbnails | None
    ) -> None:
        self.failures: list[Failure] = []
        self.removed = 0
        self.wrote = False
        self._collection = collection
        self._folders = folders
        self._thumbnails = thumbnails
        self._pending = _Pending()
        self._thread = ThreadPoolExecutor(1, "ocelot-write")
        self._in_flight: Future[None] | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self.finish()
            else:
                with suppress(OcelotError):  # the first error is the one to tell
                    self.finish()
        finally:
            self._thread.shutdown()

    def add(self, rows: Sequence[Row], thumbnails: Mapping[str, bytes]) -> None:
        """Rows whose ids were not stored when the run began.

        Raises:
            CollectionError: An earlier write failed.
        """
        if not self._pending.rows and not self._pending.edits:
            self._pending = _Pending()
        self._pending.rows += rows
        self._pending.thumbnails |= thumbnails
        self._pending.bytes += sum(map(row_bytes, rows)) + sum(map(len, thumbnails.values()))
        if self._pending.due:
            self.hand_over()

    def has_room_for(self, id: str) -> bool:
        """Whether `edit` takes one more id before `hand_over`."""
        return id in self._pending.edits or len(self._pending.edits) < EDITS

    def edit(self, id: str) -> Edit:
        """The change to a row that is stored or added, to be filled in; written after all rows."""
        return self._pending.edits.setdefault(id, Edit())

    def hand_over(self) -> None:
        """Write what waits as soon as the write before is done.

        Raises:
            CollectionError: The write before failed.
        """
        self._wait()
        if self._pending.rows or self._pending.edits:
            self._in_flight = self._thread.submit(self._write, self._pending)
            self._pending = _Pending()

    def finish(self) -> None:
        """Wait until all is written.

        Raises:
            CollectionError: A write failed.
        """
        self.hand_over()
        self._wait()

    def _wait(self) -> None:
        if self._in_flight is not None:
            self._in_flight.result()

    def _write(self, pending: _Pending) -> None:
        """Runs in the one writing thread, so reads here see all earlier writes."""
        self.wrote = True
        stored = self._collection.known(row.id for row in pending.rows)
        for row in pending.rows:
            if row.id in stored:  # others added the content since: what they said of it stays
                edit = pending.edits.setdefault(row.id, Edit())
                edit.add |= row.paths
                if edit.metadata is None and row.metadata:
                    edit.metadata = row.metadata
        self._collection.upsert((row for row in pending.rows if row.id not in stored), fresh=True)
        if self._thumbnails is not None:
            self._thumbnails.put(pending.thumbnails)
        changed, gone = [], []
        for row in self._collection.get(pending.edits):
            new = self._edited(row, pending.edits[row.id])
            if new is None:
                gone.append(row.id)
            elif new != row:
                changed.append(new)
        self._collection.upsert(changed)
        self.removed += self._collection.delete(gone)
        if self._thumbnails is not None:
            self._thumbnails.drop(gone)

    def _edited(self, row: Row, edit: Edit) -> Row | None:
        """The row with an edit; None where no path is left, itself where it cannot take it."""
        paths = {path: at for path, at in row.paths.items() if path not in edit.remove}
        if edit.add:  # a renamed file: the old name goes
            paths = {path: at for path, at in paths.items() if not is_gone(path, self._folders)}
        paths |= edit.add
        if not paths:
            return None
        metadata = row.metadata if edit.metadata is None else edit.metadata
        try:
            return replace(row, paths=paths, metadata=metadata)
        except InputError as error:
            reason = str(error).rstrip(".")
            self.failures.extend(Failure(path, reason) for path in edit.add)
            return row
