"""Changes on their way to Milvus: gathered, and written in one thread.

    add, update ─▶ pending ─ enough, or old enough ─▶ in flight ─▶ stored

One write is in flight while the next gathers; a full one waits for it, so memory is bounded.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial

from ocelot.collection import Collection, Row, row_bytes
from ocelot.errors import InputError, OcelotError
from ocelot.images.store import ImageStore
from ocelot.indexing.patience import Patience
from ocelot.indexing.scan import is_gone
from ocelot.types import Failure, Item

__all__ = ["Change", "Writer", "forget_images"]

BYTES = 8 * 2**20  # of rows in one message
SECONDS = 1.0  # the longest that a row waits while others come
UPDATES = 256  # rows read and written again at once


@dataclass
class Change:
    """What is to become of one row."""

    row: Row | None = None  # new content; None keeps the stored one
    add: dict[str, int] = field(default_factory=dict)  # paths it gains -> modification times
    remove: set[str] = field(default_factory=set)  # paths it loses
    metadata: Mapping[str, object] | None = None  # None keeps the stored one


@dataclass
class _Pending:
    """The content of one write."""

    changes: defaultdict[str, Change] = field(default_factory=lambda: defaultdict(Change))  # by id
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    bytes: int = 0
    since: float = field(default_factory=time.monotonic)


class Writer(AbstractContextManager["Writer"]):
    """Writes to a collection behind the thread that calls it; a context manager.

    Whatever was added is written when the context ends, also after an error or an interruption.
    Each method may raise the `CollectionError` of an earlier write. Call `finish` within the
    context: an interruption of that wait then ends the context, which waits again.
    """

    def __init__(
        self,
        collection: Collection,
        images: ImageStore,
        folders: Sequence[str] = (),
        patiently: Patience | None = None,
    ) -> None:
        self.folders = folders  # paths below them whose files are gone are dropped
        self.failures: list[Failure] = []  # files whose rows could not take another path
        self.removed = 0  # rows that lost their last path
        self.wrote = False
        self._collection = collection
        self._images = images
        self._patiently = patiently or Patience(0)
        self._pending = _Pending()
        self._gone: list[Item] = []
        self._thread = ThreadPoolExecutor(1, "ocelot-write")
        self._in_flight: Future[None] | None = None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._patiently.stop()
        try:
            self.finish()
        except OcelotError:
            if error is None:  # else that error is the one to report
                raise
        finally:
            self._thread.shutdown()

    def add(self, rows: Sequence[Row], thumbnails: Mapping[str, bytes]) -> None:
        """Write rows with new content, and then small copies by content hash."""
        if not self._pending.changes:
            self._pending = _Pending()
        for row in rows:
            self._pending.changes[row.id].row = row
        self._pending.thumbnails |= thumbnails
        self._pending.bytes += sum(map(row_bytes, rows)) + sum(map(len, thumbnails.values()))
        if self.is_full or time.monotonic() - self._pending.since >= SECONDS:
            self.hand_over()

    def update(self, id: str, change: Change) -> None:
        """Change the paths or the metadata of a row that is stored or was added."""
        if id not in self._pending.changes:
            self._pending.bytes += BYTES // UPDATES
        pending = self._pending.changes[id]
        pending.add |= change.add
        pending.remove |= change.remove
        if change.metadata is not None:
            pending.metadata = change.metadata

    @property
    def is_full(self) -> bool:
        """Whether so much waits that it should be handed over."""
        return self._pending.bytes >= BYTES

    def hand_over(self) -> None:
        """Start writing what waits as soon as the write before is done."""
        self._wait()
        if self._pending.changes:
            write = partial(self._write, self._pending)
            self._in_flight = self._thread.submit(self._patiently, write)
            self._pending = _Pending()

    def finish(self) -> None:
        """Wait until all is written, and remove the images of rows that are gone."""
        self.hand_over()
        self._wait()
        self._patiently(lambda: forget_images(self._collection, self._images, self._gone))
        self._gone.clear()

    def _wait(self) -> None:
        if self._in_flight is not None:
            self._in_flight.result()

    def _write(self, pending: _Pending) -> None:
        """Runs in the one writing thread, so reads here see all earlier writes.

        It may be repeated after a failure at any point.
        """
        self.wrote = True
        stored = {row.id: row for row in self._collection.get(pending.changes)}
        new, changed, gone = [], [], []
        for id, change in pending.changes.items():
            old = stored.get(id)
            row = change.row or old
            if row is None:  # another thread or process has removed it meanwhile
                continue
            if old is not None and change.row is not None:
                if old.sha256 == row.sha256:  # another has added it meanwhile: its metadata stays
                    change.add |= row.paths
                    if change.metadata is None and row.metadata:
                        change.metadata = row.metadata
                    row = old
                else:
                    self._forget(old, old.paths.keys() - row.paths.keys())
            updated = self._updated(row, change)
            if updated is None:
                gone.append(id)
                self._forget(row, ())
            elif old is None:
                new.append(updated)
            elif updated != old:
                changed.append(updated)
        self._collection.upsert(new, fresh=True)
        self._collection.upsert(changed)
        self._images.settle(path for row in (*new, *changed) for path in row.paths)
        if self._images.thumbnails is not None:
            self._images.thumbnails.put(pending.thumbnails)
        self.removed += len(self._collection.delete(gone))

    def _forget(self, row: Row, paths: Iterable[str]) -> None:
        """Remove, at the end, the small copy of a row's content, and uploads among `paths`."""
        self._gone.append(replace(row.item, paths=tuple(paths)))

    def _updated(self, row: Row, change: Change) -> Row | None:
        """The row with a change; None if no path is left, itself if it cannot take it."""
        if not change.add and not change.remove and change.metadata is None:
            return row
        paths = {path: at for path, at in row.paths.items() if path not in change.remove}
        if change.add:  # perhaps the new path of a renamed file
            paths = {path: at for path, at in paths.items() if not is_gone(path, self.folders)}
        paths |= change.add
        if not paths:
            return None
        metadata = row.metadata if change.metadata is None else change.metadata
        try:
            return replace(row, paths=paths, metadata=metadata)
        except InputError as error:
            reason = str(error).rstrip(".")
            self.failures.extend(Failure(path, reason) for path in change.add)
            return row


def forget_images(collection: Collection, images: ImageStore, gone: Sequence[Item]) -> None:
    """Remove the small copies and uploaded files of deleted items that no other item uses."""
    if gone:
        kept = collection.with_content(item.sha256 for item in gone)
        images.forget(gone, [row.item for row in kept])
