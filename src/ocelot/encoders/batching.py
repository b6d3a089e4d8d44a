"""One encoder for many threads: inputs that arrive at the same time become one batch.

::

    thread ─ prepare ─┐
    thread ─ prepare ─┼─▶ queue ─▶ batch ─▶ the model ─▶ each thread's rows
    thread ─ prepare ─┘                   (one thread)

An idle model starts at once, so a lone query is never delayed; while the model works, the next
batch gathers. It waits, for a short window, only while another caller is preparing an input.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.cancel import Abandoned, Predicate, current_predicates, is_cancelled, stop_if_cancelled
from ocelot.encoders.base import Encoder, EncoderWrapper, Matrix, as_input
from ocelot.errors import ConfigurationError, EncoderError

if TYPE_CHECKING:
    from ocelot.encoders.base import Encodable

__all__ = ["BatchingEncoder"]


@dataclass(eq=False)
class _Job:
    """One caller's inputs, a batch at most, and the future of their rows."""

    batch: Sequence[Any] = ()
    arrived: float = 0.0
    rows: Future[Matrix] = field(default_factory=Future)
    predicates: tuple[Predicate, ...] = field(default_factory=current_predicates)


class BatchingEncoder(EncoderWrapper):
    """Lets many threads share one encoder; close it, or use it as a context manager.

    The inputs of one call stay together if they fit in a batch. The call that has waited longest
    is always in the next batch, together with later ones that still fit. A call with more inputs
    than a batch holds runs batch by batch, in turn with the others. If a batch fails, each call
    in it is tried alone, so that one bad input does not fail the other callers.

    Args:
        encoder: Its `prepare` runs in the callers' threads, its `embed_checked` in one thread.
        window: Seconds, 0 to 3600, that a call may wait for others that are preparing inputs.
        batch_size: Most inputs given to the model at once; by default the encoder's own.
        observe: Called with the size of each batch, in the model's thread.

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
        if not 0 <= window <= 3600:
            raise ConfigurationError(
                f"The batching window must be 0 to 3600 seconds, was: {window}."
            )
        if batch_size is not None and batch_size < 1:
            raise ConfigurationError(f"The batch size must be 1 or more, was: {batch_size}.")
        super().__init__(encoder)
        self.batch_size = batch_size or encoder.batch_size
        self._window = window
        self._observe = observe
        self._changed = threading.Condition()  # guards what follows
        self._preparing: set[_Job] = set()
        self._waiting: deque[_Job] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    def encode(self, inputs: Iterable[Encodable], *, batch_size: int | None = None) -> Matrix:
        """Encode inputs in order, together with those of other threads; see `Encoder.encode`.

        Raises:
            EncoderError: Also if this is closed.
            Abandoned: The caller was `cancellable` and gave up.
        """
        size = min(batch_size or self.batch_size, self.batch_size)
        jobs = (self._job_of(batch) for batch in _batches(map(as_input, inputs), size))
        return self._all_rows(jobs)

    def embed_checked(self, batch: Sequence[Any]) -> Matrix:
        """Return the vectors of prepared inputs; errors are those of `encode`."""
        return self._all_rows(_Job(part) for part in _batches(iter(batch), self.batch_size))

    embed = embed_checked

    def close(self) -> None:
        """Finish the waiting jobs, stop, and close the wrapped encoder."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
            atexit.unregister(self.close)
        self.wrapped.close()

    def __enter__(self) -> BatchingEncoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # In the callers' threads.

    def _all_rows(self, jobs: Iterable[_Job]) -> Matrix:
        rows = [np.empty((0, self.dimension), dtype=np.float32)]
        rows += [self._run(job) for job in jobs]
        return np.concatenate(rows)

    def _job_of(self, inputs: Sequence[Any]) -> _Job:
        stop_if_cancelled()
        job = _Job()
        with self._changed:
            self._check_open()
            self._preparing.add(job)
        try:
            job.batch = [self.prepare(one) for one in inputs]
        except BaseException:
            with self._changed:
                self._preparing.remove(job)
                self._changed.notify_all()
            raise
        return job

    def _run(self, job: _Job) -> Matrix:
        """Hand a job to the model's thread and wait for its rows."""
        with self._changed:
            self._preparing.discard(job)  # in one step with its arrival in the queue
            self._check_open()
            if self._thread is None:
                name = f"ocelot-encoder-{self.name}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()
                atexit.register(self.close)  # torch aborts a program that ends while it works
            job.arrived = time.monotonic()
            self._waiting.append(job)
            self._changed.notify_all()
        return job.rows.result()

    def _check_open(self) -> None:
        if self._closed:
            raise EncoderError(f"The encoder {self.name} is closed: open it again to encode.")

    # In the model's thread. It must survive every error, as callers wait for it.

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if not self._waiting:
                    return
                self._changed.wait_for(
                    lambda: self._closed or not self._preparing or self._is_full(),
                    timeout=self._waiting[0].arrived + self._window - time.monotonic(),
                )
                jobs = self._next_batch()
            if jobs:
                self._encode(jobs)

    def _is_full(self) -> bool:
        return sum(len(job.batch) for job in self._waiting) >= self.batch_size

    def _next_batch(self) -> list[_Job]:
        """Take waiting jobs that fit whole in one batch, the oldest first; end cancelled ones."""
        jobs: list[_Job] = []
        left: deque[_Job] = deque()
        room = self.batch_size
        for job in self._waiting:
            if jobs and len(job.batch) > room:
                left.append(job)
            elif is_cancelled(job.predicates):
                job.rows.set_exception(Abandoned())
            else:
                room -= len(job.batch)
                jobs.append(job)
        self._waiting = left
        return jobs

    def _encode(self, jobs: Sequence[_Job]) -> None:
        """Encode jobs as one batch, or each alone if that fails."""
        try:
            batch = [prepared for job in jobs for prepared in job.batch]
            if self._observe is not None:
                self._observe(len(batch))
            rows = self.wrapped.embed_checked(batch)
            starts = np.cumsum([len(job.batch) for job in jobs])[:-1]
            for job, own in zip(jobs, np.split(rows, starts), strict=True):
                job.rows.set_result(own)
            return
        except BaseException as error:
            if len(jobs) == 1:
                jobs[0].rows.set_exception(error)
                return
        # Outside the handler, so that the errors that follow have no __context__.
        for job in jobs:
            self._encode([job])


def _batches(items: Iterator[Any], size: int) -> Iterator[list[Any]]:
    while batch := list(islice(items, size)):
        yield batch
