"""From folders of pictures to rows of a collection.

    scan ─▶ unchanged? ─ no ─▶ read, hash ─▶ known? ─ no ─▶ decode, prepare ─▶ encode ─▶ write

New contents are added first, then rows get further paths, and last of all paths that are no
longer true are removed. So an interruption at any point leaves at worst a path too many, which
the next run finds and removes.
"""

from __future__ import annotations

import json
import os
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ocelot.collection import Collection, clean_metadata
from ocelot.encoders.base import Encoder
from ocelot.errors import ImageError, InputError, MetadataError
from ocelot.images.file import ImageFile
from ocelot.images.places import file_of, frame_of, frame_path
from ocelot.images.store import ImageStore
from ocelot.images.video import checked_sampling, frames, is_video
from ocelot.indexing.metadata import MetadataTables, read_tables
from ocelot.indexing.pipeline import Job, Progress, Run
from ocelot.indexing.scan import File, is_gone, roots_of, scan
from ocelot.indexing.writer import Change
from ocelot.telemetry import span
from ocelot.types import Failure, IndexReport, Remark

__all__ = ["FolderRun", "StoredFile", "StoredFiles", "index_images", "metadata_hash"]

_AHEAD = 3  # batches loaded before they are needed
_FRAMES = 16  # of a video that are in memory at once
_ENTRY = struct.Struct("=32sqqq")


@span("ocelot.index")
def index_images(
    paths: str | Path | Iterable[str | Path],
    collection: Collection,
    encoder: Encoder,
    images: ImageStore | None = None,
    *,
    metadata: str | Path | None = None,
    prune: bool = False,
    video: str | None = None,
    batch_size: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IndexReport:
    """Bring a collection up to date with folders or files of pictures; see `Engine.index`."""
    roots = roots_of(paths)
    if metadata is not None and not isinstance(metadata, (str, Path)):
        raise InputError(
            f"The metadata must be the path of a file, was: {type(metadata).__name__}."
        )
    folders = [os.path.join(root, "") for root in roots if os.path.isdir(root)]
    sampling = None if video is None else checked_sampling(video)
    run = FolderRun(collection, encoder, images or ImageStore(), batch_size, progress, folders)
    with run:
        found = list(scan(roots, videos=sampling is not None))
        files = [one for one in found if isinstance(one, File)]
        run.failures += [one for one in found if isinstance(one, Failure)]
        run.total = len(files)
        run.compare([read_tables(roots, [file.path for file in files], metadata)])
        run.index(files, sampling)
        run.settle({file.path for file in files} if prune else None)
        return run.finish()


class FolderRun(Run):
    """A run over folders."""

    def compare(self, tables: Iterable[MetadataTables], *, metadata: bool = False) -> None:
        """Read what the collection knows; call it before any job is taken.

        Args:
            metadata: Whether jobs bring metadata of their own.
        """
        self._described: set[bytes] = set()  # ids whose metadata is settled in this run
        self._removals: defaultdict[str, set[str]] = defaultdict(set)  # id -> paths that it loses
        self._lines: dict[str, Mapping[str, Any]] = {}
        for table in tables:
            self.metadata |= table.used
            self._lines |= table.lines
            self.remarks.extend(table.remarks)
        metadata = metadata or bool(self._lines)
        self._stored = self.patiently(lambda: StoredFiles(self.collection, metadata=metadata))

    def index(self, files: Iterable[File], sampling: str | None) -> None:
        """Add what is new or changed."""
        self.take_all(
            self.ahead(self._read, self._changed(files, sampling), _AHEAD * self.batch_size)
        )
        self.encode()

    def _changed(self, files: Iterable[File], sampling: str | None) -> Iterator[Job | None]:
        frames_of = defaultdict(set)
        if sampling is not None:
            for path in self._stored:
                if place := frame_of(path):
                    frames_of[place[0]].add(path)
        for file in files:
            if sampling is not None and is_video(file.path):
                yield from self._frames(file, sampling, frames_of.pop(file.path, set()))
            elif not self.is_unchanged(file):
                yield Job(file.path, file.path, file.mtime_ns)

    def _frames(self, file: File, sampling: str, gone: set[str]) -> Iterator[Job | None]:
        """The frames of a new or changed video; the first comes last: it says that all are there.

        Args:
            gone: Places of its frames in the collection.
        """
        path, size, mtime_ns = file
        start = frame_path(path, 0, sampling)
        if self.is_unchanged(File(start, size, mtime_ns)):
            for place in gone - {start}:
                if not place.endswith(f"&by={sampling}"):  # of an interrupted run
                    self._remove_path(place)
                else:
                    self.is_unchanged(File(place, size, mtime_ns))
            return
        first: Job | None = None
        try:
            for number, (second, image) in enumerate(frames(path, sampling), 1):
                place = frame_path(path, second, sampling)
                job = Job(image.name, place, mtime_ns, image.id, image.id, size, image=image)
                gone.discard(place)
                if first is None:
                    first = job
                else:
                    yield job
                if number % _FRAMES == 0:
                    yield None  # wait until they are loaded: each is a whole picture
        except ImageError as error:
            yield Job(path, error=error)
        else:
            for place in gone:
                self._remove_path(place)
        if first is not None:
            yield first

    def is_unchanged(self, file: File) -> bool:
        """Count a file that is stored as it is; its metadata may be new."""
        rows = self._stored.at(file.path)
        same = [row for row in rows if (row.size, row.mtime_ns) == (file.size, file.mtime_ns)]
        if len(same) != 1:
            return False
        (row,) = same
        self.unchanged += 1
        self.count()
        self._remove_path(file.path, keep=row.id)
        if row.id not in self._described and (fields := self._fields(file.path)) is not None:
            self._described.add(row.id)
            if metadata_hash(fields) != row.metadata_hash:
                self.updated += 1
                self.update(row.id.hex(), Change(metadata=fields))
        return True

    def _read(self, job: Job) -> None:
        """Read a file, and load it if its content is new; runs in threads."""
        image = job.image or ImageFile.of(job.path)
        if job.image is None:
            job.id = job.sha256 = image.id
            job.size = len(image.data)
        job.image = None  # its bytes are not needed any more
        if bytes.fromhex(job.id) not in self._stored.ids:
            self.load(job, image)

    def take(self, job: Job) -> None:
        id = bytes.fromhex(job.id)
        if id:  # the file has no other content any more
            self._remove_path(job.path, keep=id)
        if job.error is not None:
            raise job.error
        job.metadata = self._fields(job.path)
        if id not in self._stored.ids:
            self._stored.ids.add(id)
            self.add(job)
        else:
            self.relocated += 1
            metadata = None if id in self._described else job.metadata
            self.update(job.id, Change(add={job.path: job.mtime_ns}, metadata=metadata))
        if job.metadata is not None:
            self._described.add(id)

    def _remove_path(self, path: str, keep: bytes = b"") -> None:
        """Remove `path` at the end of the run from all rows that have it, except `keep`."""
        for row in self._stored.at(path):
            if row.id != keep:
                self._removals[row.id.hex()].add(path)

    def _fields(self, path: str) -> Mapping[str, object] | None:
        """What a metadata file says about a picture or a video; None keeps what is stored."""
        frame = frame_of(path)
        line = self._lines.get(frame[0] if frame else path)
        if frame and (line is not None or not self._stored.at(path)):
            # Clients are told paths relative to an indexed folder, and no others.
            below = (folder for folder in self.writer.folders if frame[0].startswith(folder))
            name = frame[0].removeprefix(next(below, os.path.join(os.path.dirname(frame[0]), "")))
            line = {**(line or {}), "video": name, "second": frame[1]}
        if line is None:
            return None
        try:
            return clean_metadata(line)
        except MetadataError as error:
            self.remarks.append(Remark(path, str(error).rstrip(".")))
            return None

    def settle(self, present: set[str] | None) -> None:
        """Remove paths that are gone, which is only certain at the end.

        Args:
            present: Files that exist; others of the indexed folders are gone. None keeps them.
        """
        if present is not None:
            for path in self._stored:
                if file_of(path) not in present and is_gone(path, self.writer.folders):
                    self._remove_path(path)
        self.writer.hand_over()  # removals are written after all that was added
        for row, paths in self._removals.items():
            self.update(row, Change(remove=paths))


class StoredFile(NamedTuple):
    """What a row says about one of its paths."""

    id: bytes  # SHA-256 of the content, 32 bytes
    size: int  # bytes
    mtime_ns: int
    metadata_hash: int  # of the row's metadata; 0 if that was not read


class StoredFiles:
    """All paths and contents of a collection, packed: a run over many files keeps them in memory.

    Rows whose ids are not content hashes are left out: they belong to whoever added them.

    Attributes:
        ids: Contents that are stored or about to be; grows during the run.
    """

    def __init__(self, collection: Collection, *, metadata: bool) -> None:
        self.ids: set[bytes] = set()
        self._entries: dict[str, bytes] = {}
        for row in collection.iterate(metadata=metadata):
            if row.id != row.sha256:
                continue
            id = bytes.fromhex(row.id)
            self.ids.add(id)
            hashed = metadata_hash(row.metadata) if metadata else 0
            for path, mtime_ns in row.paths.items():
                entry = _ENTRY.pack(id, row.size, mtime_ns, hashed)
                self._entries[path] = self._entries.get(path, b"") + entry

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def at(self, path: str) -> list[StoredFile]:
        """What the rows with this path say about it: one row, or several after an interruption."""
        return [StoredFile(*entry) for entry in _ENTRY.iter_unpack(self._entries.get(path, b""))]


def metadata_hash(metadata: Mapping[str, object]) -> int:
    """A hash to compare metadata within one process."""
    return hash(json.dumps(metadata, sort_keys=True))
