"""From records, such as the rows of a DataFrame, or from one picture to rows of a collection.

    records ─▶ read, hash ─▶ stored? ─ no ─▶ decode, prepare ─▶ encode ─▶ write

Records are taken lazily, a few batches ahead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ocelot.collection import Collection, Row, clean_metadata
from ocelot.collection.rows import check_id, is_missing
from ocelot.encoders.base import Encoder
from ocelot.errors import ConfigurationError, ImageError, InputError, OcelotError, StorageError
from ocelot.images.fetch import public_name
from ocelot.images.file import ImageFile, ImageSource
from ocelot.images.store import ImageStore
from ocelot.indexing.pipeline import Job, Progress, Run
from ocelot.indexing.writer import Change
from ocelot.telemetry import span
from ocelot.types import IndexReport

__all__ = ["add_record", "add_records"]


@span("ocelot.index")
def add_record(
    image: ImageSource,
    collection: Collection,
    encoder: Encoder,
    images: ImageStore,
    *,
    metadata: Mapping[str, Any] | None = None,
    id: str | None = None,
) -> str:
    """Store one picture; return its id. See `Engine.add`."""
    job = _RecordJob(_name(image, 0), metadata=metadata, image=image, own_id=id)
    run = _RecordRun(collection, encoder, images)
    run.patiently.stop()  # a caller waits, who can try again
    with run:
        run.store([job])
        report = run.finish(flush=False)
    if job.error is not None:
        raise job.error
    for failure in report.failures:
        raise InputError(f"Cannot store {failure.path}: {failure.reason}.")
    return job.id


@span("ocelot.index")
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
    run = _RecordRun(collection, encoder, images, batch_size, progress)
    with run:
        run.total = len(records) if hasattr(records, "__len__") else 0
        run.store(_job_of(row, number, image, id) for number, row in enumerate(rows))
        return run.finish()


@dataclass
class _RecordJob(Job):
    """A record on its way."""

    image: Any = None  # as it was given, then an `ImageFile`; None once it is loaded
    own_id: str | None = None
    stored: Row | None = None  # the row with the same id and content when it was looked up


class _RecordRun(Run):
    """A run over records."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._uploads: set[str] = set()  # files of this run whose rows are perhaps not written
        self._unwritten: set[str] = set()  # ids of records that were looked up and may wait

    def store(self, jobs: Iterable[_RecordJob]) -> None:
        with suppress(ConfigurationError, StorageError):  # reported when the folder is needed
            is_alone = self.collection.deployment == "lite"  # one process opens it at a time
            self._sweep(self.images.unsettled(exclusive=is_alone))
        opened = self.ahead(self._open, jobs, self.batch_size)
        self.take_all(self.ahead(self._load, self._look_up(opened), 2 * self.batch_size))

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)
        finally:
            # Left are files of records that were read ahead, or failed.
            left = {path for path in self._uploads if self.images.uploads.is_pending(path)}
            if left:
                self.images.uploads.abandon(left)  # what cannot be swept now is found later
                with suppress(OcelotError):  # the first error is the one to report
                    self._sweep(left)

    def _sweep(self, uploads: set[str]) -> None:
        """Delete uploads that no row has, and that no other run is about to store."""
        if uploads:
            rows = self.collection.with_content({Path(path).stem[:64] for path in uploads})
            used = {path for row in rows for path in row.paths}
            self.images.uploads.settle(uploads & used)
            unused = uploads - used
            self.images.uploads.forget(p for p in unused if not self.images.uploads.is_pending(p))

    def _open(self, job: _RecordJob) -> None:
        """Read and hash the picture, and check the rest; runs in threads."""
        source = job.image
        image = job.image = ImageFile.of(source)
        job.sha256, job.size = image.id, len(image.data)
        job.id = image.id if job.own_id is None else job.own_id
        check_id(job.id, job.sha256)
        if job.metadata is not None:
            job.metadata = clean_metadata(job.metadata)
        if isinstance(source, (str, os.PathLike)) and Path(image.name).is_file():
            job.path = os.path.abspath(image.name)

    def _look_up(self, jobs: Iterator[_RecordJob]) -> Iterator[_RecordJob | None]:
        """Find out, for a batch at once, what is stored under the ids; see `ahead`."""
        while batch := list(islice(jobs, self.batch_size)):
            ids = [job.id for job in batch if job.error is None]
            rows = self._stored(ids)
            for job in batch:
                if job.error is None:
                    if job.id in self._unwritten:  # an earlier record has the same id
                        yield None
                        self.encode()
                        self.writer.finish()
                        self._unwritten.clear()
                        rows = self._stored(ids)
                    self._unwritten.add(job.id)
                    row = rows.get(job.id)
                    if row is not None and row.sha256 == job.sha256:
                        job.stored = row
                    elif row is not None and job.metadata is None:
                        job.metadata = row.metadata  # the content is replaced
                yield job

    def _stored(self, ids: list[str]) -> dict[str, Row]:
        return {row.id: row for row in self.patiently(lambda: self.collection.get(ids))}

    def _load(self, job: _RecordJob) -> None:
        """Prepare the picture if it is new, and give it a file; runs in threads."""
        if job.stored is None:
            self.load(job, job.image)
        image, job.image = job.image, None  # its data is not needed any more
        if not job.path:
            job.path = str(self.images.uploads.keep(image, job.id))
            if self.images.uploads.is_pending(job.path):
                self._uploads.add(job.path)
        try:
            job.mtime_ns = os.stat(job.path).st_mtime_ns
        except OSError as error:
            raise ImageError(job.name, error.strerror or str(error)) from error

    def take(self, job: _RecordJob) -> None:
        if job.error is not None:
            raise job.error
        if job.stored is None:
            self.add(job)
            return
        is_same = job.metadata is None or job.metadata == job.stored.metadata
        if is_same and job.stored.paths.get(job.path) == job.mtime_ns:
            self.unchanged += 1
            return
        self.updated += not is_same
        self.relocated += is_same
        self.update(job.id, Change(add={job.path: job.mtime_ns}, metadata=job.metadata))


def _rows_of(source: Any) -> Iterator[Any]:
    """The records of a DataFrame, or whatever an iterable yields."""
    if hasattr(source, "itertuples"):
        if any(source.index.names):  # a named index is a column
            source = source.reset_index()
        names = [str(name) for name in source.columns]
        tuples = source.itertuples(index=False, name=None)
        return (dict(zip(names, values, strict=True)) for values in tuples)
    if isinstance(source, (str, bytes, Mapping)) or not hasattr(source, "__iter__"):
        raise InputError(
            "The records must be mappings in a list or another iterable, a DataFrame or a "
            f"Dataset, was: {type(source).__name__}."
        )
    return iter(source)


def _job_of(row: Any, number: int, image: str, id: str) -> _RecordJob:
    """The job for a record, with an error if it has no picture."""
    if not isinstance(row, Mapping):
        error = InputError(f"it must be a mapping, was: {type(row).__name__}")
        return _RecordJob(f"record {number}", error=error)
    source = row.get(image)
    if isinstance(source, Mapping):  # an undecoded picture of a `datasets.Dataset`
        source = source.get("bytes") or source.get("path")
    if is_missing(source):
        error = InputError(f"it has no picture under the key {image!r}")
        return _RecordJob(f"record {number}", error=error)
    metadata = {str(key): value for key, value in row.items() if key not in (image, id)}
    given = row.get(id)
    if isinstance(given, float) and given.is_integer():  # pandas' integers beside missing values
        given = int(given)
    return _RecordJob(
        _name(source, number),
        metadata=metadata or None,
        image=source,
        own_id=None if is_missing(given) else str(given),
    )


def _name(source: Any, number: int) -> str:
    """What messages call a record."""
    if isinstance(source, str) and "://" in source:  # may hold a password
        try:
            return public_name(source.strip())
        except ImageError as error:  # reading it fails, too
            return error.name
    return os.fspath(source) if isinstance(source, (str, os.PathLike)) else f"record {number}"
