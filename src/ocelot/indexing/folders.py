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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ocelot.collection import Collection, clean_metadata
from ocelot.encoders.base import Encoder
from ocelot.errors import InputError, MetadataError
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.indexing.metadata import MetadataTables
from ocelot.indexing.pipeline import Job, Progress, Run
from ocelot.indexing.scan import File, is_gone, roots_of, scan
from ocelot.indexing.writer import Change
from ocelot.telemetry import span
from ocelot.types import IndexReport, Remark

__all__ = ["StoredFile", "StoredFiles", "index_images", "metadata_hash"]

_AHEAD = 3  # batches loaded before they are needed
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
    run = _FolderRun(collection, encoder, images or ImageStore(), batch_size, progress, folders)
    with run:
        return run.index(roots, metadata, prune)


class _FolderRun(Run):
    """A run over folders."""

    def index(self, roots: Sequence[str], metadata: str | Path | None, prune: bool) -> IndexReport:
        self._described: set[bytes] = set()  # ids whose metadata is settled in this run
        self._removals: defaultdict[str, set[str]] = defaultdict(set)  # id -> paths that it loses
        files: list[File] = []
        for found in scan(roots):
            if isinstance(found, File):
                files.append(found)
            else:
                self.failures.append(found)
        self.total = len(files)
        tables = MetadataTables(roots, [file.path for file in files], metadata)
        self.metadata, self._lines = tables.used, tables.lines
        self.remarks.extend(tables.remarks)
        self._stored = self.patiently(
            lambda: StoredFiles(self.collection, metadata=bool(self._lines))
        )
        changed = (
            Job(file.path, file.path, file.mtime_ns)
            for file in files
            if not self._is_unchanged(file)
        )
        self.take_all(self.ahead(self._read, changed, _AHEAD * self.batch_size))
        self.encode()
        self._settle({file.path for file in files} if prune else None)
        return self.finish()

    def _is_unchanged(self, file: File) -> bool:
        rows = self._stored.at(file.path)
        same = [row for row in rows if (row.size, row.mtime_ns) == (file.size, file.mtime_ns)]
        if len(same) != 1:
            return False
        self.unchanged += 1
        self._remove_path(file.path, keep=same[0].id)
        self._describe(file.path, same[0])
        self.count()
        return True

    def _read(self, job: Job) -> None:
        """Read a file, and load it if its content is new; runs in threads."""
        image = ImageFile.of(job.path)
        job.id = job.sha256 = image.id
        job.size = len(image.data)
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

    def _describe(self, path: str, row: StoredFile) -> None:
        """Update the metadata of an unchanged picture if its line says something else."""
        if row.id in self._described or (fields := self._fields(path)) is None:
            return
        self._described.add(row.id)
        if metadata_hash(fields) != row.metadata_hash:
            self.updated += 1
            self.update(row.id.hex(), Change(metadata=fields))

    def _fields(self, path: str) -> Mapping[str, object] | None:
        """What a metadata file says about a picture; None keeps what is stored."""
        if (line := self._lines.get(path)) is None:
            return None
        try:
            return clean_metadata(line)
        except MetadataError as error:
            self.remarks.append(Remark(path, str(error).rstrip(".")))
            return None

    def _settle(self, present: set[str] | None) -> None:
        """Remove paths that are gone, which is only certain at the end."""
        if present is not None:
            for path in self._stored:
                if path not in present and is_gone(path, self.writer.folders):
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
