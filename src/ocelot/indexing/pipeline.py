"""From folders of pictures to rows of a collection.

    scan ─▶ unchanged? ─ no ─▶ read, hash, decode, prepare ─▶ encode ─▶ gather, write
                                 (threads, a few batches ahead)          (one thread behind)

Whatever was written stays written, and running again does only what is left: new contents are
added first, then rows learn of further paths, and last of all paths that are no longer true are
taken away. So an interruption at any point leaves at worst a path too many, which the next run
finds and removes.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ocelot.collection import Collection, EncoderIdentity, Row, clean_metadata
from ocelot.encoders.base import Encoder
from ocelot.errors import EncoderError, EncoderMismatch, InputError, OcelotError
from ocelot.images.store import ImageStore
from ocelot.indexing.known import Known, Seen, digest
from ocelot.indexing.metadata import MetadataTables
from ocelot.indexing.reader import Read, Reader
from ocelot.indexing.scan import File, is_gone, roots_of, scan
from ocelot.indexing.writer import Edit, Writer
from ocelot.types import Failure, IndexReport

__all__ = ["Progress", "index_images"]

_AHEAD = 3  # batches prepared before they are wanted
_REPORT_EVERY = 500  # unchanged files between two calls of `progress`


@dataclass(frozen=True)
class Progress:
    """How far a run is, in files."""

    done: int
    total: int
    unchanged: int
    encoded: int
    failed: int


def index_images(
    paths: str | Path | Iterable[str | Path],
    collection: Collection,
    encoder: Encoder,
    *,
    metadata: str | Path | None = None,
    prune: bool = False,
    batch_size: int | None = None,
    workers: int | None = None,
    images: ImageStore | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IndexReport:
    """Bring a collection up to date with folders or files of pictures.

    Files whose path, size and time of change are stored are not even opened. Copies and renamed
    files are not encoded again. Vectors come from the pictures alone.

    Args:
        paths: A folder, an image file, or several of them.
        collection: Opened with this encoder's identity.
        encoder: Makes the vectors.
        metadata: A metadata file; by default the one in each indexed folder. Files without one
            keep the metadata they have.
        prune: Whether to remove what is stored below the indexed folders and gone from disk.
        batch_size: Pictures encoded at once; by default the encoder's choice.
        workers: Threads that read and decode; by default one for each core.
        images: Keeps small copies of large pictures.
        progress: Called now and then from this thread.

    Returns:
        What was done; bad files are among its failures and stop nothing.

    Raises:
        InputError: None of `paths` exists.
        MetadataError: A metadata file cannot be used.
        EncoderMismatch: The collection holds another encoder's vectors.
        EncoderError: The encoder failed on a batch; what was written before stays.
        CollectionError: Milvus failed.
    """
    identity = EncoderIdentity.of(encoder)
    if not identity.agrees_with(collection.identity):
        raise EncoderMismatch(
            f"The collection {collection.name!r} holds vectors of {collection.identity}, "
            f"not of {identity}: choose that encoder, or another collection."
        )
    for name, number in (("batch size", batch_size), ("number of workers", workers)):
        if number is not None and number < 1:
            raise InputError(f"The {name} must be 1 or more, was: {number}.")
    run = _Run(collection, encoder, batch_size or encoder.batch_size, progress)
    return run.go(roots_of(paths), metadata, prune, workers or cores(), images or ImageStore())


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Run:
    """One run: what is known, what waits to be encoded, and the tally."""

    writer: Writer

    def __init__(
        self,
        collection: Collection,
        encoder: Encoder,
        batch_size: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.collection = collection
        self.encoder = encoder
        self.batch_size = batch_size
        self.progress = progress
        self.known = Known()
        self.tables = MetadataTables(())
        self.described: set[bytes] = set()  # ids whose metadata this run has settled
        self.bare: set[bytes] = set()  # ids with metadata stored and no line met so far
        self.batch: list[Read] = []
        self.removals: dict[str, set[str]] = {}  # id -> paths that it loses
        self.failures: list[Failure] = []
        self.total = self.done = self.unchanged = self.encoded = 0
        self.relocated = self.updated = 0

    def go(
        self,
        roots: tuple[str, ...],
        metadata: str | Path | None,
        prune: bool,
        workers: int,
        images: ImageStore,
    ) -> IndexReport:
        started = time.perf_counter()
        folders = tuple(os.path.join(root, "") for root in roots if os.path.isdir(root))
        self.tables = MetadataTables.beside(roots, metadata)
        self.failures.extend(self.tables.failures())
        files: list[File] = []
        for found in scan(roots):
            if isinstance(found, File):
                files.append(found)
            else:
                self.failures.append(found)
        self.total = len(files)
        self.known = Known.read(self.collection, metadata=bool(self.tables))
        thumbnails = images.thumbnails
        copied = thumbnails is not None and thumbnails.keeps
        read = Reader(self.encoder, self.known.ids, copied)
        with Writer(self.collection, folders, thumbnails) as self.writer:
            self._encode_all(files, read, workers)
            self._settle({file.path for file in files} if prune else None, folders)
            self.writer.finish()
        if self.writer.wrote:
            self.collection.flush()
        self._tell()
        return IndexReport(
            found=self.total,
            unchanged=self.unchanged,
            encoded=self.encoded,
            relocated=self.relocated,
            updated=self.updated,
            removed=self.writer.removed,
            failures=(*self.failures, *self.writer.failures),
            seconds=time.perf_counter() - started,
        )

    def _encode_all(self, files: Iterable[File], read: Reader, workers: int) -> None:
        ahead: deque[Future[Read]] = deque()
        with ThreadPoolExecutor(workers, "ocelot-read") as readers:
            try:
                for file in files:
                    if self._is_unchanged(file):
                        continue
                    ahead.append(readers.submit(read, file))
                    if len(ahead) >= _AHEAD * self.batch_size:
                        self._take(ahead.popleft().result())
                while ahead:
                    self._take(ahead.popleft().result())
                self._encode()
            finally:
                for future in ahead:
                    future.cancel()

    def _is_unchanged(self, file: File) -> bool:
        seen = self.known.at(file.path)
        same = [one for one in seen if (one.size, one.mtime_ns) == (file.size, file.mtime_ns)]
        if len(same) != 1:
            return False
        self.unchanged += 1
        self._disown(file.path, seen, same[0].id)
        self._describe(file.path, same[0])
        self._count()
        return True

    def _disown(self, path: str, seen: Iterable[Seen], id: bytes) -> None:
        """Other rows that claim `path` are to lose it."""
        for one in seen:
            if one.id != id:
                self.removals.setdefault(one.id.hex(), set()).add(path)

    def _describe(self, path: str, seen: Seen) -> None:
        """Queue a change of metadata where the table differs from what is stored."""
        covered, fields = self._fields(path)
        if not covered or seen.id in self.described:
            return
        if fields is None:
            if seen.digest != digest({}):
                self.bare.add(seen.id)
            return
        self.described.add(seen.id)
        if digest(fields) != seen.digest:
            self.updated += 1
            self._edit(seen.id.hex()).metadata = fields

    def _fields(self, path: str) -> tuple[bool, Mapping[str, object] | None]:
        """Whether a table covers `path`, and its line there if it has a usable one."""
        covered, line = self.tables.find(path)
        if line is None:
            return covered, None
        try:
            return covered, clean_metadata(line)
        except InputError as error:
            self.failures.append(Failure(path, str(error).rstrip(".")))
            return False, None  # what is stored stays

    def _edit(self, id: str) -> Edit:
        if not self.writer.has_room_for(id):
            self._encode()  # an edit may be of a picture that still waits for that
            self.writer.hand_over()
        return self.writer.edit(id)

    def _take(self, read: Read) -> None:
        path, mtime_ns, id = read.file.path, read.file.mtime_ns, bytes.fromhex(read.id)
        if read.id:  # whatever the bytes are now, they are not the old ones
            self._disown(path, self.known.at(path), id)
        if read.error:
            self.failures.append(Failure(path, read.error))
        elif id in self.known.ids:
            self.relocated += 1
            _, fields = self._fields(path)
            edit = self._edit(read.id)
            edit.add[path] = mtime_ns
            if fields is not None and id not in self.described:
                self.described.add(id)
                edit.metadata = fields
        else:
            self.known.ids.add(id)
            self.batch.append(read)
            if len(self.batch) >= self.batch_size:
                self._encode()
        self._count()

    def _encode(self) -> None:
        """Encode what waits, and hand it to the writer."""
        batch, self.batch = self.batch, []
        if not batch:
            return
        try:
            vectors = self.encoder.embed_checked([read.prepared for read in batch])
        except OcelotError:
            raise
        except Exception as error:
            raise EncoderError(
                f"The encoder {self.encoder.name} failed on a batch of {len(batch)} pictures "
                f"({type(error).__name__}: {error}); try a smaller batch size. What was "
                "indexed before is kept."
            ) from error
        rows: list[Row] = []
        for read, vector in zip(batch, vectors, strict=True):
            _, fields = self._fields(read.file.path)
            if fields is not None:
                self.described.add(bytes.fromhex(read.id))
            paths = {read.file.path: read.file.mtime_ns}
            rows.append(Row(read.id, paths, read.size, *read.shape, fields or {}, vector))
        self.encoded += len(batch)
        self.writer.add(rows, {read.id: read.thumbnail for read in batch if read.thumbnail})
        self._tell()

    def _settle(self, present: set[str] | None, folders: tuple[str, ...]) -> None:
        """What can only be said at the end: lines that are gone, and paths that are no more."""
        for id in self.bare - self.described:
            self.updated += 1
            self._edit(id.hex()).metadata = {}
        if present is not None:
            for path in self.known:
                if path not in present and is_gone(path, folders):
                    self._disown(path, self.known.at(path), b"")
        self.writer.hand_over()
        for row, paths in self.removals.items():
            self._edit(row).remove |= paths

    def _count(self) -> None:
        self.done += 1
        if self.done % _REPORT_EVERY == 0:
            self._tell()

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(
                Progress(self.done, self.total, self.unchanged, self.encoded, len(self.failures))
            )
