"""Rows and updates on their way to Milvus: gathered, and written in one thread.

    add, update ─▶ pending ─ enough, or old enough ─▶ in flight ─▶ stored

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
from ocelot.images.store import ImageStore
from ocelot.indexing.scan import is_gone
from ocelot.types import Failure, Item

__all__ = ["RowUpdate", "Writer", "forget_images"]

BYTES = 8 * 2**20  # of rows in one message
SECONDS = 1.0  # the longest that a row waits while others come
UPDATES = 256  # rows read and written again at once


@dataclass
class RowUpdate:
    """A change to a row that needs no encoding.

    Attributes:
        add: Paths that the row gains -> their modification times.
        remove: Paths that it loses.
        metadata: Its new metadata; None keeps the old.
    """

    add: dict[str, int] = field(default_factory=dict)
    remove: set[str] = field(default_factory=set)
    metadata: Mapping[str, object] | None = None


@dataclass
class _Pending:
    """The content of one write: the rows first, then the updates, which may be of these rows."""

    rows: list[Row] = field(default_factory=list)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    updates: dict[str, RowUpdate] = field(default_factory=dict)
    bytes: int = 0
    since: float = field(default_factory=time.monotonic)

    @property
    def is_due(self) -> bool:
        return self.bytes >= BYTES or time.monotonic() - self.since >= SECONDS


class Writer:
    """Writes to a collection behind the thread that calls it; a context manager.

    Whatever was added is written when the context ends, also after an error or an interruption;
    if Milvus itself failed, what was not written yet is lost. Call `finish` within the context:
    an interruption of that wait then ends the context, which waits again.

    Args:
        images: Where small copies go, after their rows.
        folders: Indexed folders: paths below them whose files are gone are dropped.

    Attributes:
        failures: Files whose rows could not take another path.
        removed: Number of rows that lost their last path.
        wrote: Whether anything was written.
    """

    def __init__(
        self, collection: Collection, images: ImageStore, folders: Sequence[str] = ()
    ) -> None:
        self.folders = folders
        self.failures: list[Failure] = []
        self.removed = 0
        self.wrote = False
        self._collection = collection
        self._images = images
        self._pending = _Pending()
        self._gone: list[Item] = []
        self._thread = ThreadPoolExecutor(1, "ocelot-write")
        self._in_flight: Future[None] | None = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            if error is None:
                self.finish()
            else:
                with suppress(OcelotError):  # the first error is the one to report
                    self.finish()
        finally:
            self._thread.shutdown()

    def add(self, rows: Sequence[Row], thumbnails: Mapping[str, bytes]) -> None:
        """Write rows, each with a new id or with new content for its id.

        Args:
            thumbnails: Small copies by content hash.

        Raises:
            CollectionError: An earlier write failed.
        """
        if not self._pending.rows and not self._pending.updates:
            self._pending = _Pending()
        self._pending.rows += rows
        self._pending.thumbnails |= thumbnails
        self._pending.bytes += sum(map(row_bytes, rows)) + sum(map(len, thumbnails.values()))
        if self._pending.is_due:
            self.hand_over()

    def has_room_for(self, id: str) -> bool:
        """Return True if `update` takes this id before the next `hand_over`."""
        return id in self._pending.updates or len(self._pending.updates) < UPDATES

    def update(self, id: str) -> RowUpdate:
        """The change of a stored or added row, for the caller to fill in; written after rows."""
        return self._pending.updates.setdefault(id, RowUpdate())

    def hand_over(self) -> None:
        """Start writing what waits as soon as the write before is done.

        Raises:
            CollectionError: The write before failed.
        """
        self._wait()
        if self._pending.rows or self._pending.updates:
            self._in_flight = self._thread.submit(self._write, self._pending)
            self._pending = _Pending()

    def finish(self) -> None:
        """Wait until all is written, and remove the images of rows that are gone.

        Raises:
            CollectionError: A write failed.
        """
        self.hand_over()
        self._wait()
        forget_images(self._collection, self._images, self._gone)
        self._gone.clear()

    def _wait(self) -> None:
        if self._in_flight is not None:
            self._in_flight.result()

    def _write(self, pending: _Pending) -> None:
        """Runs in the one writing thread, so reads here see all earlier writes."""
        self.wrote = True
        stored = {row.id: row for row in self._collection.get(row.id for row in pending.rows)}
        new, replaced = [], []
        for row in pending.rows:
            old = stored.get(row.id)
            if old is None:
                new.append(row)
            elif old.sha256 != row.sha256:
                replaced.append(row)
                self._gone.append(_without(old, row.paths))
            else:  # another thread or process has added it meanwhile: its metadata stays
                update = pending.updates.setdefault(row.id, RowUpdate())
                update.add |= row.paths
                if update.metadata is None and row.metadata:
                    update.metadata = row.metadata
        self._collection.upsert(new, fresh=True)
        self._collection.upsert(replaced)
        if self._images.thumbnails is not None:
            self._images.thumbnails.put(pending.thumbnails)
        changed, gone = [], []
        for row in self._collection.get(pending.updates):
            updated = self._updated(row, pending.updates[row.id])
            if updated is None:
                gone.append(row.id)
                self._gone.append(_without(row, row.paths))
            elif updated != row:
                changed.append(updated)
        self._collection.upsert(changed)
        self.removed += self._collection.delete(gone)

    def _updated(self, row: Row, update: RowUpdate) -> Row | None:
        """The row with an update; None if no path is left, itself if it cannot take it."""
        paths = {path: at for path, at in row.paths.items() if path not in update.remove}
        if update.add:  # perhaps the new path of a renamed file
            paths = {path: at for path, at in paths.items() if not is_gone(path, self.folders)}
        paths |= update.add
        if not paths:
            return None
        metadata = row.metadata if update.metadata is None else update.metadata
        try:
            return replace(row, paths=paths, metadata=metadata)
        except InputError as error:
            reason = str(error).rstrip(".")
            self.failures.extend(Failure(path, reason) for path in update.add)
            return row


def forget_images(collection: Collection, images: ImageStore, gone: Sequence[Item]) -> None:
    """Remove the small copies and uploaded files of deleted items that no other item uses."""
    if gone:
        kept = collection.with_content(item.sha256 for item in gone)
        images.forget(gone, [row.item for row in kept])


def _without(row: Row, paths: Mapping[str, int]) -> Item:
    """The item of a row without some of its paths, whose files are not to be removed."""
    return replace(row.item, paths=tuple(path for path in row.paths if path not in paths))
