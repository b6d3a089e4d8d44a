"""From records, such as the rows of a DataFrame, or from one picture to rows of a collection.

    records ─▶ read, hash ─▶ stored? ─ no ─▶ decode, prepare ─▶ encode ─▶ write

Records are taken lazily, a few batches ahead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ocelot.collection import Collection, Row, clean_metadata
from ocelot.collection.rows import check_id, is_missing
from ocelot.encoders.base import Encoder
from ocelot.errors import ImageError, InputError
from ocelot.images.fetch import public_name
from ocelot.images.file import ImageFile, ImageSource
from ocelot.images.store import ImageStore
from ocelot.indexing.pipeline import Loaded, Progress, Run
from ocelot.types import IndexReport

__all__ = ["Record", "add_record", "add_records"]


@dataclass(frozen=True)
class Record:
    """A picture to store.

    Attributes:
        image: Anything that `ImageFile.of` takes.
        metadata: The item's own fields; None keeps the stored ones.
        id: By default the hash of the content.
    """

    image: ImageSource | None
    metadata: Mapping[str, Any] | None = None
    id: str | None = None


def add_record(record: Record, collection: Collection, encoder: Encoder, images: ImageStore) -> str:
    """Store one picture; return its id. Errors as of `Engine.add`."""
    with _RecordRun(collection, encoder, images, workers=1) as run:
        (job,) = run.store([record], strict=True)
        report = run.finish()
    for failure in report.failures:
        raise InputError(f"Cannot store {failure.path}: {failure.reason}.")
    return job.id


def add_records(
    records: Any,
    collection: Collection,
    encoder: Encoder,
    images: ImageStore,
    *,
    image: str = "image",
    id: str = "id",
    batch_size: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IndexReport:
    """Store many pictures in batches; see `Engine.add_many`."""
    rows = _rows_of(records)
    with _RecordRun(collection, encoder, images, batch_size=batch_size, progress=progress) as run:
        run.total = len(records) if hasattr(records, "__len__") else 0
        for _ in run.store(_record_of(row, image, id) for row in rows):
            pass
        report = run.finish()
        if run.writer.wrote:
            collection.flush()
    return report


@dataclass
class _Job:
    """A record on its way; each stage fills in what it finds."""

    name: str  # for messages
    record: Record | InputError
    image: ImageFile | None = None
    id: str = ""
    sha256: str = ""
    size: int = 0
    metadata: Mapping[str, Any] | None = None  # None keeps the stored metadata
    stored: Row | None = None  # the row with this id when it was looked up
    is_stored: bool = False  # the content is stored under this id, or an earlier record has it
    is_repeated: bool = False  # an earlier record of this run has the same id
    loaded: Loaded | None = None
    path: str = ""  # the given file, or the one among the uploads
    mtime_ns: int = 0
    error: InputError | None = None


class _RecordRun(Run):
    """A run over records."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._contents: dict[str, str] = {}  # id -> content hash, of the records looked up so far
        self._unusable: dict[str, InputError] = {}  # content hash -> why it cannot be used

    def store(
        self, records: Iterable[Record | InputError], *, strict: bool = False
    ) -> Iterator[_Job]:
        """Store records; yields each when it is done or waits to be encoded.

        Args:
            strict: Whether to raise the error of a record that cannot be used.
        """
        jobs = (_Job(_name(record, n), record) for n, record in enumerate(records))
        opened = self.ahead(self._open, jobs, self.batch_size)
        for job in self.ahead(self._load, self._look_up(opened), 2 * self.batch_size):
            self._take(job)
            if strict and job.error is not None:
                raise job.error
            self.count()
            yield job

    def _open(self, job: _Job) -> _Job:
        """Read and hash the picture, and check the rest; runs in threads."""
        try:
            if isinstance(job.record, InputError):
                raise job.record
            source, id = job.record.image, job.record.id
            image = ImageFile.of(source)  # type: ignore[arg-type]  # None is refused, too
            job.image, job.sha256, job.size = image, image.id, len(image.data)
            job.id = image.id if id is None else id
            check_id(job.id, job.sha256)
            if job.record.metadata is not None:
                job.metadata = clean_metadata(job.record.metadata)
            if isinstance(source, (str, os.PathLike)) and Path(image.name).is_file():
                job.path = os.path.abspath(image.name)
            job.record = Record(None, None, job.id)  # the source may hold much memory
        except InputError as error:
            job.error = error
        return job

    def _look_up(self, jobs: Iterator[_Job]) -> Iterator[_Job]:
        """Find out, for a batch at once, what is stored under the ids."""
        while batch := list(islice(jobs, self.batch_size)):
            usable = [job for job in batch if job.error is None]
            rows = {row.id: row for row in self.collection.get(job.id for job in usable)}
            for job in usable:
                job.stored = rows.get(job.id)
                job.is_repeated = job.id in self._contents
                stored = job.stored.sha256 if job.stored else ""
                job.is_stored = self._contents.get(job.id, stored) == job.sha256
                self._contents[job.id] = job.sha256
            yield from batch

    def _load(self, job: _Job) -> _Job:
        """Prepare the picture if it is new, and give it a file; runs in threads."""
        if job.error is not None:
            return job
        try:
            if not job.is_stored:
                assert job.image is not None
                job.loaded = self.load(job.image)
            if not job.is_repeated:
                self._keep(job)
        except InputError as error:
            job.error = self._unusable[job.sha256] = error
        return job

    def _keep(self, job: _Job) -> None:
        """Give the picture a file among the uploads if it has none, and let go of its data."""
        image, job.image = job.image, None
        assert image is not None
        if not job.path:
            job.path = str(self.images.uploads.keep(image, job.id))
        try:
            job.mtime_ns = os.stat(job.path).st_mtime_ns
        except OSError as error:
            raise ImageError(job.name, error.strerror or str(error)) from error

    def _take(self, job: _Job) -> None:
        """Queue what is to be encoded or updated."""
        try:
            if job.error is not None:
                raise job.error
            if job.is_repeated:
                self._settle_earlier(job)
            if job.is_stored:
                self._update(job)
            else:
                self._add(job)
        except InputError as error:
            job.error = error
            self.fail(job.name, error)

    def _settle_earlier(self, job: _Job) -> None:
        """Write the earlier record with this id, if this one replaces it."""
        if not job.is_stored:
            self.encode()
            self.writer.finish()
            job.stored = next(iter(self.collection.get([job.id])), None)
        elif job.sha256 in self._unusable:  # it is not stored after all
            raise self._unusable[job.sha256]
        self._keep(job)  # only now: the replaced item's file, perhaps the same, was removed

    def _add(self, job: _Job) -> None:
        assert job.loaded is not None
        kept = job.stored.metadata if job.stored else {}
        metadata = kept if job.metadata is None else job.metadata
        paths = {job.path: job.mtime_ns}
        row = Row(job.id, paths, job.size, *job.loaded.size, metadata, sha256=job.sha256)
        self.add(row, job.loaded)

    def _update(self, job: _Job) -> None:
        """Give a stored picture another path or other metadata."""
        row = job.stored
        if row is not None and not job.is_repeated:
            is_same = job.metadata is None or job.metadata == row.metadata
            if is_same and row.paths.get(job.path) == job.mtime_ns:
                self.unchanged += 1
                return
            self.updated += not is_same
            self.relocated += is_same
        else:
            self.relocated += 1
        update = self.update(job.id)
        update.add[job.path] = job.mtime_ns
        if job.metadata is not None:
            update.metadata = job.metadata


def _rows_of(source: Any) -> Iterator[Any]:
    """The records of a DataFrame, or whatever an iterable yields."""
    if hasattr(source, "itertuples"):
        names = [str(name) for name in source.columns]
        tuples = source.itertuples(index=False, name=None)
        return (dict(zip(names, values, strict=True)) for values in tuples)
    if isinstance(source, (str, bytes, Mapping)) or not hasattr(source, "__iter__"):
        raise InputError(
            "The records must be mappings in a list or another iterable, a DataFrame or a "
            f"Dataset, was: {type(source).__name__}."
        )
    return iter(source)


def _record_of(row: Any, image: str, id: str) -> Record | InputError:
    """The record of a row, or why there is none."""
    if not isinstance(row, Mapping):
        return InputError(f"it must be a mapping, was: {type(row).__name__}")
    source = row.get(image)
    if isinstance(source, Mapping):  # an undecoded picture of a `datasets.Dataset`
        source = source.get("bytes") or source.get("path")
    if is_missing(source):
        return InputError(f"it has no picture under the key {image!r}")
    metadata = {str(key): value for key, value in row.items() if key not in (image, id)}
    given = row.get(id)
    if isinstance(given, float) and given.is_integer():  # pandas' integers beside missing values
        given = int(given)
    return Record(source, metadata or None, None if is_missing(given) else str(given))


def _name(record: Record | InputError, number: int) -> str:
    source = None if isinstance(record, InputError) else record.image
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        return public_name(source)
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else f"record {number}"
