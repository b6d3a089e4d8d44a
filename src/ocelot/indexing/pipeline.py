"""The pipeline that folders, records and single pictures go through.

    load ─▶ encode ─▶ gather, write
    (threads, a few batches ahead)   (one thread behind)

What was written stays written, and running again does only the rest.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.encoders.base import Encoder
from ocelot.errors import EncoderError, EncoderMismatch, ImageError, InputError, OcelotError
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.images.thumbnails import Thumbnails
from ocelot.indexing.writer import RowUpdate, Writer
from ocelot.types import Failure, IndexReport, Input

__all__ = ["Loaded", "Progress", "Run"]

_REPORT_EVERY = 500  # pictures between two calls of `progress`, at most

_Self = TypeVar("_Self", bound="Run")
_T = TypeVar("_T")
_Done = TypeVar("_Done")


@dataclass(frozen=True)
class Progress:
    """How far a run is, in pictures; `total` is 0 if unknown."""

    done: int
    total: int
    unchanged: int
    encoded: int
    failed: int


class Loaded(NamedTuple):
    """A picture that is ready to encode.

    Attributes:
        size: Width and height in pixels.
        prepared: What the encoder's `prepare` returned.
        thumbnail: A small copy as a JPEG file; None if none is needed.
    """

    size: tuple[int, int]
    prepared: Any
    thumbnail: bytes | None


class Run:
    """One run: loads in threads ahead, encodes in batches, writes behind. A context manager.

    Args:
        collection: Opened with this encoder's identity.
        images: Keeps small copies of large pictures, and uploads.
        folders: Indexed folders: paths below them whose files are gone are dropped.
        batch_size: Pictures encoded at once; by default the encoder's choice.
        workers: Threads that load; by default one for each core.
        progress: Called now and then from the calling thread.

    Attributes:
        failures, total, done, unchanged, encoded, relocated, updated: Counts so far, as of
            `IndexReport` and `Progress`.

    Raises:
        EncoderMismatch: The collection holds another encoder's vectors.
        InputError: A number is below 1.
    """

    def __init__(
        self,
        collection: Collection,
        encoder: Encoder,
        images: ImageStore,
        *,
        folders: Sequence[str] = (),
        batch_size: int | None = None,
        workers: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        identity = EncoderIdentity.of(encoder)
        if not identity.is_comparable(collection.identity):
            raise EncoderMismatch(
                f"The collection {collection.name!r} holds vectors of {collection.identity}, "
                f"not of {identity}: choose that encoder, or another collection."
            )
        for name, number in (("batch size", batch_size), ("number of workers", workers)):
            if number is not None and number < 1:
                raise InputError(f"The {name} must be 1 or more, was: {number}.")
        self.collection = collection
        self.encoder = encoder
        self.batch_size = batch_size or encoder.batch_size
        self.images = images
        self.writer = Writer(collection, images, folders)
        self.failures: list[Failure] = []
        self.total = self.done = self.unchanged = self.encoded = 0
        self.relocated = self.updated = 0
        self._progress = progress
        self._threads = ThreadPoolExecutor(workers or _cores(), "ocelot-load")
        self._batch: list[tuple[Row, Loaded]] = []
        self._started = time.perf_counter()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        try:
            self._threads.shutdown(cancel_futures=True)
        finally:
            self.writer.__exit__(kind, error, trace)

    def load(self, image: ImageFile) -> Loaded:
        """Decode and prepare a picture. Thread-safe.

        Raises:
            InputError: The picture cannot be used; mostly an `ImageError`.
        """
        thumbnails, thumbnail = self.images.thumbnails, None
        try:
            decoded = image.decoded(self.encoder.decode_side, keep=True)
            if thumbnails is not None and thumbnails.wants(*decoded.size):
                thumbnail = thumbnails.make(image.decoded(Thumbnails.SIDE, keep=True).image)
            return Loaded(decoded.size, self.encoder.prepare(Input(image)), thumbnail)
        except OcelotError:
            raise
        except Exception as error:  # an encoder may raise anything
            reason = f"it cannot be prepared ({type(error).__name__}: {error})"
            raise ImageError(image.name, reason) from error

    def ahead(
        self, work: Callable[[_T], _Done], items: Iterable[_T], count: int
    ) -> Iterator[_Done]:
        """Results of `work`, done in threads, in order; takes at most `count` items ahead."""
        waiting: deque[Future[_Done]] = deque()
        for item in items:
            waiting.append(self._threads.submit(work, item))
            if len(waiting) >= count:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def add(self, row: Row, loaded: Loaded) -> None:
        """Encode a picture with the next batch, and write its row, given without the vector."""
        self._batch.append((row, loaded))
        if len(self._batch) >= self.batch_size:
            self.encode()

    def update(self, id: str) -> RowUpdate:
        """The change of a stored or added row, for the caller to fill in."""
        if not self.writer.has_room_for(id):
            self.encode()  # the row may still wait for its vector
            self.writer.hand_over()
        return self.writer.update(id)

    def encode(self) -> None:
        """Encode what waits, and pass it to the writer.

        Raises:
            EncoderError: The encoder failed.
        """
        batch, self._batch = self._batch, []
        if not batch:
            return
        try:
            vectors = self.encoder.embed_checked([loaded.prepared for _, loaded in batch])
        except OcelotError:
            raise
        except Exception as error:  # an encoder may raise anything
            raise EncoderError(
                f"The encoder {self.encoder.name} failed on a batch of {len(batch)} pictures "
                f"({type(error).__name__}: {error}); try a smaller batch size. What was "
                "indexed before is kept."
            ) from error
        self.encoded += len(batch)
        self.writer.add(
            [replace(row, vector=vector) for (row, _), vector in zip(batch, vectors, strict=True)],
            {row.sha256: loaded.thumbnail for row, loaded in batch if loaded.thumbnail},
        )
        self._report_progress()

    def fail(self, name: str, error: InputError) -> None:
        """Report a picture that cannot be used."""
        reason = error.reason if isinstance(error, ImageError) else str(error).rstrip(".")
        self.failures.append(Failure(name, reason))

    def count(self) -> None:
        """Count one more picture as done."""
        self.done += 1
        if self.done % _REPORT_EVERY == 0:
            self._report_progress()

    def finish(self) -> IndexReport:
        """Encode and write what waits, and report what was done."""
        self.encode()
        self.writer.finish()
        self._report_progress()
        return IndexReport(
            found=self.done,
            unchanged=self.unchanged,
            encoded=self.encoded,
            relocated=self.relocated,
            updated=self.updated,
            removed=self.writer.removed,
            failures=(*self.failures, *self.writer.failures),
            seconds=time.perf_counter() - self._started,
        )

    def _report_progress(self) -> None:
        if self._progress is not None:
            self._progress(
                Progress(self.done, self.total, self.unchanged, self.encoded, len(self.failures))
            )


def _cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
