"""The pipeline that folders, records and single pictures go through.

    load ─▶ encode ─▶ gather, write
    (threads, a few batches ahead)   (one thread behind)

What was written stays written, and running again does only the rest.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, TypeVar

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.encoders.base import Encoder
from ocelot.errors import EncoderError, ImageError, InputError, OcelotError
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.images.video import FrameFile
from ocelot.indexing.patience import Patience
from ocelot.indexing.writer import Change, Writer
from ocelot.telemetry import note
from ocelot.types import Failure, IndexReport, Input, Remark
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.types import Vector

__all__ = ["Job", "Progress", "Run"]

_REPORT_EVERY = 500  # pictures between two calls of `progress`, at most

_Job = TypeVar("_Job", bound="Job")


@dataclass(frozen=True)
class Progress:
    """How far a run is, in pictures; `total` is 0 if unknown."""

    done: int
    total: int
    unchanged: int
    encoded: int
    failed: int


@dataclass
class Job:
    """A picture on its way; each step fills in what it finds."""

    name: str  # for messages
    path: str = ""
    mtime_ns: int = 0
    id: str = ""
    sha256: str = ""
    size: int = 0  # bytes of the file
    width: int = 0
    height: int = 0
    metadata: Mapping[str, Any] | None = None  # None keeps what is stored
    image: ImageFile | None = None  # the picture, if it was not read from `path`
    prepared: Any = None  # what the encoder's `prepare` returned
    vector: Vector | None = None
    thumbnail: bytes | None = None  # a small copy as a JPEG file, if one is needed
    error: InputError | None = None  # why it cannot be used

    def row(self) -> Row:
        """Its row, once it is encoded."""
        fields = (self.size, self.width, self.height, self.metadata or {}, self.vector, self.sha256)
        return Row(self.id, {self.path: self.mtime_ns}, *fields)


class Run(AbstractContextManager["Run"]):
    """One run: loads in threads ahead, encodes in batches, writes behind. A context manager.

    A subclass makes the jobs and implements `take`.

    Args:
        batch_size, progress: As of `Engine.index`.
        folders: Indexed folders: paths below them whose files are gone are dropped.
    """

    def __init__(
        self,
        collection: Collection,
        encoder: Encoder,
        images: ImageStore,
        batch_size: int | None = None,
        progress: Callable[[Progress], None] | None = None,
        folders: Sequence[str] = (),
    ) -> None:
        collection.identity.check(EncoderIdentity.of(encoder), f"{collection.name!r}")
        whole = isinstance(batch_size, Integral) and not isinstance(batch_size, bool)
        if batch_size is not None and not (whole and batch_size >= 1):
            raise InputError(f"The batch size must be a whole number from 1, was: {batch_size!r}.")
        if progress is not None and not callable(progress):
            raise InputError(f"progress must be a function, was: {type(progress).__name__}.")
        self.collection = collection
        self.encoder = encoder
        self.batch_size = batch_size or encoder.batch_size
        self.images = images
        self.patiently = Patience(collection.outage_timeout)
        self.writer = Writer(collection, images, folders, self.patiently)
        self.failures: list[Failure] = []
        self.remarks: list[Remark] = []
        self.metadata: dict[str, int] = {}
        self.total = self.done = self.unchanged = self.encoded = 0
        self.relocated = self.updated = 0
        self._progress = progress
        has_affinity = hasattr(os, "sched_getaffinity")
        cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count()
        self._threads = ThreadPoolExecutor(cores, "ocelot-load")
        self._batch: list[Job] = []
        self._started = time.perf_counter()

    def __exit__(self, *error: Any) -> None:
        try:
            self._threads.shutdown(cancel_futures=True)
        finally:
            self.writer.__exit__(*error)

    def take(self, job: Any) -> None:
        """Decide what becomes of a job: call `add` or `update`, or raise its error."""
        raise NotImplementedError

    def take_all(self, jobs: Iterable[_Job]) -> None:
        """Take jobs as they come; those that cannot be used become failures."""
        for job in jobs:
            try:
                self.take(job)
            except InputError as error:
                job.error = error
                reason = error.reason if isinstance(error, ImageError) else str(error).rstrip(".")
                self.failures.append(Failure(job.name, reason))
            self.count()

    def ahead(
        self, work: Callable[[_Job], None], jobs: Iterable[_Job | None], count: int
    ) -> Iterator[_Job]:
        """Do `work` in threads, at most `count` jobs ahead, and yield the jobs in their order.

        An `InputError` of `work` becomes the job's error. A None among `jobs` is a barrier: the
        next job is taken only after the caller is done with all earlier ones.
        """

        def run(job: _Job) -> _Job:
            try:
                if job.error is None:
                    work(job)
            except InputError as error:
                job.error = error
            return job

        waiting: deque[Future[_Job]] = deque()
        for job in jobs:
            if job is not None:
                waiting.append(self._threads.submit(run, job))
            while waiting and (job is None or len(waiting) >= count):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def load(self, job: Job, image: ImageFile) -> None:
        """Decode and prepare a picture; `InputError` if it cannot be used. Thread-safe."""
        try:
            job.width, job.height = image.decoded(self.encoder.decode_side, keep=True).size
            job.prepared = self.encoder.prepare(Input(image))
            self.make_thumbnail(job, image)
        except OcelotError:
            raise
        except Exception as error:  # an encoder may raise anything
            reason = f"it cannot be prepared ({type(error).__name__}: {error})"
            raise ImageError(image.name, reason) from error

    def make_thumbnail(self, job: Job, image: ImageFile) -> None:
        """Make the small copy of a decoded picture, if it is large or of a video."""
        copies = self.images.thumbnails
        is_slow = isinstance(image, FrameFile)
        if copies is not None and (is_slow or copies.wants(job.width, job.height)):
            job.thumbnail = copies.make(image.decoded(copies.SIDE, keep=True).image)

    def add(self, job: Job) -> None:
        """Encode a loaded picture with the next batch, and write its row."""
        self._batch.append(job)
        if len(self._batch) >= self.batch_size:
            self.encode()

    def update(self, id: str, change: Change) -> None:
        """See `Writer.update`."""
        self.writer.update(id, change)
        if self.writer.is_full:
            self.encode()  # the row may still wait for its vector
            self.writer.hand_over()

    def encode(self) -> None:
        """Encode what waits, and pass it to the writer; `EncoderError` if that fails."""
        batch, self._batch = self._batch, []
        if not batch:
            return
        try:
            vectors = self.encoder.embed_checked([job.prepared for job in batch])
        except OcelotError:
            raise
        except Exception as error:  # an encoder may raise anything
            mend = "; try a smaller batch size" if len(batch) > 1 else ""
            raise EncoderError(
                f"The encoder {self.encoder.name} failed on {count(len(batch))} "
                f"({type(error).__name__}: {error}){mend}. What was indexed before is kept."
            ) from error
        for job, vector in zip(batch, vectors, strict=True):
            job.vector = vector
        self.write(batch)
        self._report_progress()

    def write(self, jobs: Sequence[Job]) -> None:
        """Pass jobs that have vectors to the writer."""
        self.encoded += len(jobs)
        copies = {job.sha256: job.thumbnail for job in jobs if job.thumbnail}
        self.writer.add([job.row() for job in jobs], copies)

    def count(self) -> None:
        self.done += 1
        if self.done % _REPORT_EVERY == 0:
            self._report_progress()

    def finish(self, *, flush: bool = True) -> IndexReport:
        """Encode and write what waits; with `flush`, later reads are quicker."""
        self.encode()
        self.writer.finish()
        self._report_progress()
        counts = {
            "found": self.done,
            "unchanged": self.unchanged,
            "encoded": self.encoded,
            "relocated": self.relocated,
            "updated": self.updated,
            "removed": self.writer.removed,
        }
        report = IndexReport(
            **counts,
            failures=(*self.failures, *dict.fromkeys(self.writer.failures)),
            remarks=tuple(self.remarks),
            metadata=self.metadata,
            seconds=time.perf_counter() - self._started,
        )
        counts["failed"] = len(report.failures)
        note({f"ocelot.{name}": count for name, count in counts.items()})
        note({"ocelot.encoder": self.encoder.name})
        if flush and self.writer.wrote:
            self.patiently(self.collection.flush)
        return report

    def _report_progress(self) -> None:
        if self._progress is not None:
            self._progress(
                Progress(self.done, self.total, self.unchanged, self.encoded, len(self.failures))
            )
