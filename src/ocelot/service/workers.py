"""A bounded number of threads behind a bounded queue, for callers that await."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ocelot.cancel import cancellable, stop_if_cancelled
from ocelot.errors import Overloaded, RequestTimeout
from ocelot.service.metrics import Metrics

__all__ = ["Workers"]

T = TypeVar("T")


class Workers:
    """Runs functions in threads; refuses them at once when the queue is full.

    Works from any event loop. When the awaiting task is cancelled (its client disconnected) or
    the timeout is over, work that has not started never starts, and waiting encoding is dropped.

    Args:
        name: Name of the threads, used in metrics.
        threads: Functions that run at once.
        queue: Functions that may wait.
        timeout: Seconds that a caller waits, including the time in the queue.
        metrics: Counts refusals and reports the length of the queue.
        patience: Seconds that a function may wait for a thread; by default the timeout.

    Attributes:
        held: Functions that run or wait.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        queue: int,
        timeout: float,
        metrics: Metrics,
        *,
        patience: float | None = None,
    ) -> None:
        self.held = 0
        self._capacity = threads + queue
        self._timeout = timeout
        self._patience = timeout if patience is None else min(patience, timeout)
        self._refused = metrics.refused.labels(name)
        metrics.watch_queue(name, lambda: max(0, self.held - threads))
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"ocelot-{name}")

    async def run(self, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Await `function(*args, **options)` in one of the threads.

        Raises:
            Overloaded: The queue is full, or the server stops.
            RequestTimeout: The function took too long.
        """
        gone = begun = False

        def work() -> T:
            nonlocal begun
            begun = True
            with cancellable(lambda: gone or self._closing.is_set()):
                stop_if_cancelled()
                return function(*args, **options)

        answer = asyncio.wrap_future(self._submit(work))
        try:
            await asyncio.wait({answer}, timeout=self._patience)
            if begun and not answer.done():
                await asyncio.wait({answer}, timeout=self._timeout - self._patience)
            late = not answer.done()
        finally:  # done, late, or cancelled by the caller
            gone = True
            answer.cancel()
        if late:
            seconds = self._timeout if begun else self._patience
            raise RequestTimeout(
                f"The request took longer than {seconds:g} s and was given up; try again, "
                "or ask for less."
            )
        if answer.cancelled():
            raise Overloaded("The server is stopping; try again later.", 10)
        return answer.result()

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        with self._lock:
            if self.held >= self._capacity:
                self._refused.inc()
                raise Overloaded(
                    f"The server is busy: {self.held} requests of this kind are running or "
                    "waiting; try again in a second."
                )
            future = self._pool.submit(contextvars.copy_context().run, work)
            self.held += 1
        future.add_done_callback(self._release)
        return future

    def _release(self, _: Future[Any]) -> None:
        with self._lock:
            self.held -= 1

    def close(self, *, wait: bool = True) -> None:
        """Drop waiting work; wait for running work, or only ask it to stop at its next step."""
        if not wait:
            self._closing.set()
        self._pool.shutdown(wait=wait, cancel_futures=True)
