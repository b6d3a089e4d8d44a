"""One encoder for many threads: what they want encoded at the same moment is one batch.

::

    thread ─ prepare ─┐
    thread ─ prepare ─┼─▶ waiting ─▶ batch ─▶ the model ─▶ to each thread its rows
    thread ─ prepare ─┘                     (one thread)

A model that is idle starts at once, so a lone query is never delayed; while it works, the others
gather. Only when someone else is known to be preparing an item does it wait, for a moment.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.cancel import Abandoned, Predicate, is_cancelled, predicates
from ocelot.encoders.base import Encoder, Matrix, as_input
from ocelot.errors import ConfigurationError, EncoderError
from ocelot.types import Input

if TYPE_CHECKING:
    from ocelot.encoders.base import Encodable

__all__ = ["BatchingEncoder"]

_LONGEST_WINDOW = 3600.0


@dataclass(eq=False)
class _Job:
    """One caller's items, a batch at most, and the promise of their rows."""

    batch: Sequence[Any] = ()
    arrived: float = 0.0
    rows: Future[Matrix] = field(default_factory=Future)
    predicates: tuple[Predicate, ...] = field(default_factory=predicates)


class BatchingEncoder(Encoder):
    """Lets many threads share one encoder; close it, or use it as a context manager.

    The items of a caller stay together where they fit in a batch. The caller who waits longest is
    always in the next batch, then whoever fits in beside it; more items than a batch go batch by
    batch, in turn with the others. When a batch fails, each caller's items are tried alone, so
    that an item spoils nothing for others.

    Args:
        encoder: Its `prepare` is called in the callers' threads, its `embed_checked` in one.
        window: Seconds, 0 to 3600, that a caller may wait for others who are preparing items.
        batch_size: Items that the model is given at once; by default the encoder's choice.
        observe: Told the size of each batch, in the model's thread; what it raises is ignored.

    Raises:
        ConfigurationError: A number is out of its range.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        window: float = 0.002,
        batch_size: int | None = None,
        observe: Callable[[int], None] | None = None,
    ) -> None:
        if not 0 <= window <= _LONGEST_WINDOW:
            raise ConfigurationError(
                f"The batching window must be 0 to {_LONGEST_WINDOW:.0f} seconds, was: {window}."
            )
        if batch_size is not None and batch_size < 1:
            raise ConfigurationError(f"The batch size must be 1 or more, was: {batch_size}.")
        self.name = encoder.name
        self.dimension = encoder.dimension
        self.fingerprint = encoder.fingerprint
        self.runtime = encoder.runtime
        self.decode_side = encoder.decode_side
        self.batch_size = self._most = batch_size or encoder.batch_size
        self._encoder = encoder
        self._window = window
        self._observe = observe
        self._changed = threading.Condition()  # guards what follows
        self._preparing: set[_Job] = set()
        self._waiting: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def prepare(self, item: Input) -> Any:
        """The wrapped encoder's `prepare`, in the caller's thread."""
        return self._encoder.prepare(item)

    def encode(self, items: Iterable[Encodable], *, batch_size: int | None = None) -> Matrix:
        """Encode items in order, together with those of other threads; see `Encoder.encode`.

        Raises:
            InputError, ImageError, EncoderError: As there; also EncoderError when closed.
            Abandoned: `cancellable` was told that the caller gave up.
        """
        size = min(batch_size or self.batch_size, self._most)
        rows = [np.empty((0, self.dimension), dtype=np.float32)]
        coming = map(as_input, items)
        while batch := list(islice(coming, size)):
            rows.append(self._prepare_and_wait(batch))
        return np.concatenate(rows)

    def embed(self, batch: Sequence[Any]) -> Matrix:
        """As `embed_checked`."""
        return self.embed_checked(batch)

    def embed_checked(self, batch: Sequence[Any]) -> Matrix:
        """Vectors of prepared items, shape (len(batch), dimension), rows of length 1.

        Raises:
            EncoderError: The model gave vectors that cannot be used, or this is closed.
            Abandoned: `cancellable` was told that the caller gave up.
        """
        rows = [np.empty((0, self.dimension), dtype=np.float32)]
        for start in range(0, len(batch), self._most):
            rows.append(self._wait_for(_Job(batch[start : start + self._most])))
        return np.concatenate(rows)

    def close(self) -> None:
        """Finish what waits and stop; a second call does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()
            atexit.unregister(self.close)

    def __enter__(self) -> BatchingEncoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # In the callers' threads.

    def _prepare_and_wait(self, items: Sequence[Input]) -> Matrix:
        job = _Job()
        if is_cancelled(job.predicates):
            raise Abandoned
        with self._changed:
            self._refuse_if_closed()
            self._preparing.add(job)
        try:
            job.batch = [self.prepare(item) for item in items]
        except BaseException:
            with self._changed:
                self._preparing.remove(job)
                self._changed.notify_all()
            raise
        return self._wait_for(job)

    def _wait_for(self, job: _Job) -> Matrix:
        with self._changed:
            self._preparing.discard(job)  # in one step with its arrival
            self._refuse_if_closed()
            if self._thread is None:
                name = f"ocelot-encoder-{self.name}"
                thread = threading.Thread(target=self._work, name=name, daemon=True)
                thread.start()
                self._thread = thread
                atexit.register(self.close)  # torch aborts a program that ends while it works
            job.arrived = time.monotonic()
            self._waiting.append(job)
            self._changed.notify_all()
        return job.rows.result()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise EncoderError(f"The encoder {self.name} is closed: open it again to encode.")

    # In the model's thread. It must outlive any error, for callers wait on it.

    def _work(self) -> None:
        while self._is_time():
            self._run(self._next_batch())

    def _is_time(self) -> bool:
        """Wait until a batch is to start; False when closed and nothing waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return False
            self._changed.wait_for(
                lambda: self._closed or not self._preparing or self._is_full(),
                timeout=self._waiting[0].arrived + self._window - time.monotonic(),
            )
            return True

    def _is_full(self) -> bool:
        return sum(len(job.batch) for job in self._waiting) >= self._most

    def _next_batch(self) -> list[_Job]:
        """Jobs that are still wanted; those that are not make room for others."""
        wanted: list[_Job] = []
        while taken := self._take(self._most - sum(len(job.batch) for job in wanted)):
            for job in taken:
                if is_cancelled(job.predicates):
                    job.rows.set_exception(Abandoned())
                else:
                    wanted.append(job)
        return wanted

    def _take(self, room: int) -> list[_Job]:
        """Those who wait and fit whole, the first come first."""
        taken: list[_Job] = []
        left: deque[_Job] = deque()
        with self._changed:
            for job in self._waiting:
                if len(job.batch) <= room:
                    room -= len(job.batch)
                    taken.append(job)
                else:
                    left.append(job)
            self._waiting = left
        return taken

    def _run(self, jobs: Sequence[_Job]) -> None:
        """Encode jobs as one batch, or each alone where that fails."""
        if not jobs:
            return
        try:
            batch = [item for job in jobs for item in job.batch]
            if self._observe is not None:
                with suppress(BaseException):
                    self._observe(len(batch))
            rows = self._encoder.embed_checked(batch)
            starts = np.cumsum([len(job.batch) for job in jobs])[:-1]
            for job, own in zip(jobs, np.split(rows, starts), strict=True):
                job.rows.set_result(own)
            return
        except BaseException as error:
            if len(jobs) == 1:
                jobs[0].rows.set_exception(error)
                return
        # Outside the handler, so that an error of these is one caller's own and no sequel.
        for job in jobs:
            self._run([job])
