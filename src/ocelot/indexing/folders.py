"""From folders of pictures to rows of a collection.

    scan ─▶ unchanged? ─ no ─▶ read, hash ─▶ known? ─ no ─▶ decode, prepare ─▶ encode ─▶ write

New contents are added first, then rows get further paths, and last of all paths that are no
longer true are removed. So an interruption at any point leaves at worst a path too many, which
the next run finds and removes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from ocelot.collection import Collection, Row, clean_metadata
from ocelot.encoders.base import Encoder
from ocelot.errors import InputError
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.indexing.metadata import MetadataTables
from ocelot.indexing.pipeline import Loaded, Progress, Run
from ocelot.indexing.scan import File, is_gone, roots_of, scan
from ocelot.indexing.stored import StoredFile, StoredFiles, metadata_hash
from ocelot.types import IndexReport

__all__ = ["index_images"]

_AHEAD = 3  # batches loaded before they are needed


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
    """Bring a collection up to date with folders or files of pictures; see `Engine.index`.

    Args:
        workers: Threads that read and decode; by default one for each core.

    Raises:
        EncoderMismatch: The collection holds another encoder's vectors.
    """
    roots = roots_of(paths)
    run = _FolderRun(
        collection,
        encoder,
        images or ImageStore(),
        folders=[os.path.join(root, "") for root in roots if os.path.isdir(root)],
        batch_size=batch_size,
        workers=workers,
        progress=progress,
    )
    with run:
        return run.index(roots, metadata, prune)


class _Read(NamedTuple):
    """A file that was read.

    Attributes:
        id: SHA-256 of the content; "" if it cannot be read.
        size: Size in bytes.
        loaded: None if the content is known or cannot be used.
        error: Why the file cannot be used.
    """

    file: File
    id: str = ""
    size: int = 0
    loaded: Loaded | None = None
    error: InputError | None = None


class _FolderRun(Run):
    """A run over folders."""

    stored: StoredFiles
    tables: MetadataTables

    def index(
        self, roots: tuple[str, ...], metadata: str | Path | None, prune: bool
    ) -> IndexReport:
        self._described: set[bytes] = set()  # ids whose metadata is settled in this run
        self._undescribed: set[bytes] = set()  # ids with stored metadata and no line so far
        self._removals: dict[str, set[str]] = {}  # id -> paths that it loses
        self.tables = MetadataTables.beside(roots, metadata)
        self.failures.extend(self.tables.failures())
        files: list[File] = []
        for found in scan(roots):
            if isinstance(found, File):
                files.append(found)
            else:
                self.failures.append(found)
        self.total = len(files)
        self.stored = StoredFiles.read(self.collection, metadata=bool(self.tables))
        changed = (file for file in files if not self._is_unchanged(file))
        for read in self.ahead(self._read, changed, _AHEAD * self.batch_size):
            self._take(read)
        self.encode()
        self._settle({file.path for file in files} if prune else None)
        report = self.finish()
        if self.writer.wrote:
            self.collection.flush()
        return report

    def _is_unchanged(self, file: File) -> bool:
        rows = self.stored.at(file.path)
        same = [row for row in rows if (row.size, row.mtime_ns) == (file.size, file.mtime_ns)]
        if len(same) != 1:
            return False
        self.unchanged += 1
        self._remove_path(file.path, rows, keep=same[0].id)
        self._describe(file.path, same[0])
        self.count()
        return True

    def _read(self, file: File) -> _Read:
        """Read a file, and load it if its content is new; runs in threads."""
        read = _Read(file)
        try:
            image = ImageFile.of(file.path)
            read = _Read(file, image.id, len(image.data))
            if bytes.fromhex(image.id) in self.stored.ids:
                return read
            return read._replace(loaded=self.load(image))
        except InputError as error:
            return read._replace(error=error)

    def _take(self, read: _Read) -> None:
        path, id = read.file.path, bytes.fromhex(read.id)
        if id:  # the file has no other content any more
            self._remove_path(path, self.stored.at(path), keep=id)
        if read.error is not None:
            self.fail(path, read.error)
        else:
            _, fields = self._fields(path)
            if id in self.stored.ids:
                self.relocated += 1
                update = self.update(read.id)
                update.add[path] = read.file.mtime_ns
                if fields is not None and id not in self._described:
                    update.metadata = fields
            else:
                assert read.loaded is not None
                self.stored.ids.add(id)
                paths = {path: read.file.mtime_ns}
                row = Row(read.id, paths, read.size, *read.loaded.size, fields or {})
                self.add(row, read.loaded)
            if fields is not None:
                self._described.add(id)
        self.count()

    def _remove_path(self, path: str, rows: Iterable[StoredFile], keep: bytes = b"") -> None:
        """Remove `path` at the end of the run from all rows that have it, except `keep`."""
        for row in rows:
            if row.id != keep:
                self._removals.setdefault(row.id.hex(), set()).add(path)

    def _describe(self, path: str, row: StoredFile) -> None:
        """Update the metadata of an unchanged picture if its table says something else."""
        covered, fields = self._fields(path)
        if not covered or row.id in self._described:
            return
        if fields is None:
            if row.metadata_hash != metadata_hash({}):
                self._undescribed.add(row.id)
            return
        self._described.add(row.id)
        if metadata_hash(fields) != row.metadata_hash:
            self.updated += 1
            self.update(row.id.hex()).metadata = fields

    def _fields(self, path: str) -> tuple[bool, Mapping[str, object] | None]:
        """Whether a table covers `path`, and the table's line if that can be stored."""
        covered, line = self.tables.find(path)
        if line is None:
            return covered, None
        try:
            return covered, clean_metadata(line)
        except InputError as error:
            self.fail(path, error)
            return False, None  # the stored metadata stays

    def _settle(self, present: set[str] | None) -> None:
        """Do what is only certain at the end: remove metadata and paths that are gone."""
        for id in self._undescribed - self._described:
            self.updated += 1
            self.update(id.hex()).metadata = {}
        if present is not None:
            for path in self.stored:
                if path not in present and is_gone(path, self.writer.folders):
                    self._remove_path(path, self.stored.at(path))
        self.writer.hand_over()
        for row, paths in self._removals.items():
            self.update(row).remove |= paths
