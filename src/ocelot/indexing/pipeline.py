"""From folders of pictures to rows of a collection.

    scan ─▶ unchanged? ─ no ─▶ read, hash, decode, prepare ─▶ encode ─▶ write
                                 (threads, a few batches ahead)          (one thread behind)

Whatever was written stays written, and running again does only what is left: new contents are
added first, then rows learn of further paths, and last of all paths that are no longer true are
taken away. So an interruption at any point leaves at worst a path too many, which the next run
finds and removes.
"""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from ocelot.collection import Collection, EncoderIdentity, Row, clean_metadata
from ocelot.encoder import Encoder
from ocelot.errors import EncoderError, EncoderMismatch, ImageError, InputError, OcelotError
from ocelot.images import MAX_PIXELS, hash_bytes, load_image, read_file
from ocelot.indexing.metadata import MetadataTables
from ocelot.indexing.scan import File, is_gone, roots_of, scan
from ocelot.records import Failure, IndexReport, Item

__all__ = ["Progress", "index_images"]

_AHEAD = 3  # batches prepared before they are wanted
_EDITS = 256  # rows read and written again at once
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
    max_pixels: int = MAX_PIXELS,
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
        workers: Threads that read and decode.
        max_pixels: Larger pictures are refused.
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
    run = _Run(collection, encoder, batch_size or encoder.batch_size, max_pixels, progress)
    return run.go(roots_of(paths), metadata, prune, workers or min(8, max(2, os.cpu_count() or 2)))


class _Seen(NamedTuple):
    """What a row says of one of its paths; small, as there is one for each file."""

    id: bytes
    size: int
    mtime_ns: int
    digest: int


class _Read(NamedTuple):
    """A file that was read: ready to encode, known already, or not usable."""

    file: File
    id: str = ""
    size: int = 0
    shape: tuple[int, int] = (0, 0)
    prepared: Any = None
    error: str = ""


@dataclass
class _Edit:
    """A change to a row that needs no encoding."""

    add: dict[str, int] = field(default_factory=dict)
    remove: set[str] = field(default_factory=set)
    metadata: Mapping[str, Any] | None = None


class _Run:
    """One run: what is known, what waits to be encoded or written, and the tally."""

    def __init__(
        self,
        collection: Collection,
        encoder: Encoder,
        batch_size: int,
        max_pixels: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.collection = collection
        self.encoder = encoder
        self.batch_size = batch_size
        self.max_pixels = max_pixels
        self.progress = progress
        self.known: dict[str, tuple[_Seen, ...]] = {}
        self.ids: set[bytes] = set()
        self.tables = MetadataTables(())
        self.described: set[bytes] = set()  # ids whose metadata this run has settled
        self.bare: set[bytes] = set()  # ids with metadata stored and no line met so far
        self.batch: list[_Read] = []
        self.edits: dict[str, _Edit] = {}
        self.removals: dict[str, _Edit] = {}
        self.folders: tuple[str, ...] = ()
        self.failures: list[Failure] = []
        self.total = self.done = self.unchanged = self.encoded = 0
        self.relocated = self.updated = self.removed = 0
        self.wrote = False

    def go(
        self, roots: tuple[str, ...], metadata: str | Path | None, prune: bool, workers: int
    ) -> IndexReport:
        started = time.perf_counter()
        self.folders = tuple(os.path.join(root, "") for root in roots if os.path.isdir(root))
        self.tables = MetadataTables.beside(roots, metadata)
        self.failures.extend(self.tables.failures())
        files: list[File] = []
        for found in scan(roots):
            if isinstance(found, File):
                files.append(found)
            else:
                self.failures.append(found)
        self.total = len(files)
        self._load_known()
        with ThreadPoolExecutor(1) as self.writer, ThreadPoolExecutor(workers) as readers:
            self.writing: Future[None] | None = None
            ahead: deque[Future[_Read]] = deque()
            try:
                for file in files:
                    if self._is_unchanged(file):
                        continue
                    ahead.append(readers.submit(self._read, file))
                    if len(ahead) >= _AHEAD * self.batch_size:
                        self._take(ahead.popleft().result())
                while ahead:
                    self._take(ahead.popleft().result())
                self._write_batch()
                self._finish({file.path for file in files}, prune)
            finally:
                for future in ahead:
                    future.cancel()
        if self.wrote:
            self.collection.flush()
        self._tell()
        return IndexReport(
            found=self.total,
            unchanged=self.unchanged,
            encoded=self.encoded,
            relocated=self.relocated,
            updated=self.updated,
            removed=self.removed,
            failures=tuple(self.failures),
            seconds=time.perf_counter() - started,
        )

    def _load_known(self) -> None:
        for row in self.collection.iterate(metadata=bool(self.tables)):
            id = bytes.fromhex(row.id)
            digest = _digest(row.metadata) if self.tables else 0
            self.ids.add(id)
            for path, mtime_ns in row.paths.items():
                seen = _Seen(id, row.size, mtime_ns, digest)
                self.known[path] = (*self.known.get(path, ()), seen)

    def _is_unchanged(self, file: File) -> bool:
        seen = self.known.get(file.path, ())
        same = [one for one in seen if (one.size, one.mtime_ns) == (file.size, file.mtime_ns)]
        if len(same) != 1:
            return False
        self.unchanged += 1
        self._disown(file.path, same[0].id)
        self._describe(file.path, same[0])
        self._count()
        return True

    def _disown(self, path: str, id: bytes) -> None:
        """Other rows that claim `path` are to lose it."""
        for seen in self.known.get(path, ()):
            if seen.id != id:
                self.removals.setdefault(seen.id.hex(), _Edit()).remove.add(path)

    def _describe(self, path: str, seen: _Seen) -> None:
        """Queue a change of metadata where the table differs from what is stored."""
        covered, fields = self._fields(path)
        if not covered or seen.id in self.described:
            return
        if fields is None:
            if seen.digest != _digest({}):
                self.bare.add(seen.id)
            return
        self.described.add(seen.id)
        if _digest(fields) != seen.digest:
            self.updated += 1
            self._edit(seen.id.hex()).metadata = fields

    def _fields(self, path: str) -> tuple[bool, Mapping[str, Any] | None]:
        """Whether a table covers `path`, and its line there if it has a usable one."""
        covered, line = self.tables.find(path)
        if line is None:
            return covered, None
        try:
            return covered, clean_metadata(line)
        except InputError as error:
            self.failures.append(Failure(path, str(error).rstrip(".")))
            return False, None  # what is stored stays

    def _edit(self, id: str) -> _Edit:
        if id not in self.edits and len(self.edits) >= _EDITS:
            self._write_batch()
        return self.edits.setdefault(id, _Edit())

    def _read(self, file: File) -> _Read:
        """Runs in threads: touches nothing but the file (and looks at `ids`)."""
        try:
            data = read_file(file.path)
        except ImageError as error:
            return _Read(file, error=error.reason)
        read = _Read(file, hash_bytes(data), len(data))
        if bytes.fromhex(read.id) in self.ids:
            return read
        try:
            image = load_image(data, max_pixels=self.max_pixels)
            prepared = self.encoder.prepare(Item(image=image))
        except ImageError as error:
            return read._replace(error=error.reason)
        except InputError as error:
            return read._replace(error=str(error).rstrip("."))
        except OcelotError:
            raise  # not about this file
        except Exception as error:
            return read._replace(error=f"it cannot be prepared ({type(error).__name__}: {error})")
        return read._replace(shape=image.size, prepared=prepared)

    def _take(self, read: _Read) -> None:
        path, mtime_ns, id = read.file.path, read.file.mtime_ns, bytes.fromhex(read.id)
        if read.id:
            self._disown(path, id)  # whatever the bytes are now, they are not the old ones
        if read.error:
            self.failures.append(Failure(path, read.error))
        elif id in self.ids:
            self.relocated += 1
            _, fields = self._fields(path)
            edit = self._edit(read.id)
            edit.add[path] = mtime_ns
            if fields is not None and id not in self.described:
                self.described.add(id)
                edit.metadata = fields
        else:
            self.ids.add(id)
            self.batch.append(read)
            if len(self.batch) >= self.batch_size:
                self._write_batch()
        self._count()

    def _write_batch(self) -> None:
        """Encode what waits, and hand it with the edits to the writer."""
        batch, edits = self.batch, self.edits
        self.batch, self.edits = [], {}
        rows: list[Row] = []
        if batch:
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
            for read, vector in zip(batch, vectors, strict=True):
                _, fields = self._fields(read.file.path)
                if fields is not None:
                    self.described.add(bytes.fromhex(read.id))
                paths = {read.file.path: read.file.mtime_ns}
                rows.append(Row(read.id, paths, read.size, *read.shape, fields or {}, vector))
            self.encoded += len(batch)
        if rows or edits:
            self._hand_over(rows, edits)
            self._tell()

    def _hand_over(self, rows: list[Row], edits: dict[str, _Edit]) -> None:
        if self.writing is not None:
            self.writing.result()
        self.writing = self.writer.submit(self._write, rows, edits)

    def _write(self, rows: list[Row], edits: dict[str, _Edit]) -> None:
        """Runs in the one writing thread, so reads here see all earlier writes."""
        self.wrote = True
        self.collection.upsert(rows)
        changed = []
        gone = []
        for row in self.collection.get(edits):
            edit = edits[row.id]
            paths = {path: at for path, at in row.paths.items() if path not in edit.remove}
            if edit.add:  # a renamed file: the old name goes
                paths = {path: at for path, at in paths.items() if not is_gone(path, self.folders)}
            paths |= edit.add
            metadata = row.metadata if edit.metadata is None else edit.metadata
            if not paths:
                gone.append(row.id)
                continue
            try:
                new = replace(row, paths=paths, metadata=metadata)
            except InputError as error:
                reason = str(error).rstrip(".")
                self.failures.extend(Failure(path, reason) for path in edit.add)
                continue
            if new != row:
                changed.append(new)
        self.collection.upsert(changed)
        self.removed += self.collection.delete(gone)

    def _finish(self, present: set[str], prune: bool) -> None:
        for id in self.bare - self.described:
            self.updated += 1
            self._edit(id.hex()).metadata = {}
        self._write_batch()
        if prune:
            for path, seen in self.known.items():
                if path not in present and is_gone(path, self.folders):
                    for one in seen:
                        self.removals.setdefault(one.id.hex(), _Edit()).remove.add(path)
        ids = list(self.removals)
        for start in range(0, len(ids), _EDITS):
            self._hand_over([], {id: self.removals[id] for id in ids[start : start + _EDITS]})
        if self.writing is not None:
            self.writing.result()

    def _count(self) -> None:
        self.done += 1
        if self.done % _REPORT_EVERY == 0:
            self._tell()

    def _tell(self) -> None:
        if self.progress is not None:
            self.progress(
                Progress(self.done, self.total, self.unchanged, self.encoded, len(self.failures))
            )


def _digest(metadata: Mapping[str, Any]) -> int:
    return hash(json.dumps(metadata, sort_keys=True))
