"""A bounded number of threads behind a bounded queue, for callers that await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from ocelot.encoders.batching import cancellable
from ocelot.errors import OutOfTime, Overloaded

__all__ = ["Workers"]

T = TypeVar("T")


class Workers:
    """Runs functions in threads; what would wait behind a full queue is refused at once.

    Works from any event loop. When the awaiting task is cancelled (its client went away) or
    the time is over, work that has not started never starts, and encoding that waits is dropped.

    Args:
        name: Of the threads, and in messages and metrics.
        threads: How many functions run at once.
        queue: How many more may wait.
        timeout: Seconds that a caller waits, queueing included.
        refused: Called whenever the queue was full.
    """

    def __init__(
        self,
        name: str,
        *,
        threads: int,
        queue: int,
        timeout: float,
        refused: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.capacity = threads + queue
        self.timeout = timeout
        self._threads = threads
        self._refused = refused
        self._held = 0
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=f"ocelot-{name}")

    @property
    def held(self) -> int:
        """Functions that run or wait."""
        return self._held

    @property
    def waiting(self) -> int:
        """Functions that wait for a thread."""
        return max(0, self._held - self._threads)

    async def run(self, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """Await `function(*args, **options)` in one of the threads.

        Raises:
            Overloaded: The queue is full.
            OutOfTime: It took too long.
        """
        gone = threading.Event()

        def work() -> T:
            if gone.is_set():
                raise CancelledError
            with cancellable(gone.is_set):
                return function(*args, **options)

        with self._lock:
            if self._held >= self.capacity:
                self._refused()
                raise Overloaded(
                    f"The server is busy: {self._held} requests of this kind are at work or "
                    "waiting; try again in a second."
                )
            self._held += 1
        try:
            future = self._pool.submit(work)
        except BaseException:
            self._let_go(None)
            raise
        future.add_done_callback(self._let_go)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self.timeout)
        except asyncio.TimeoutError:
            gone.set()
            raise OutOfTime(
                f"The request took longer than {self.timeout:g} s and was given up; try again, "
                "or ask for less."
            ) from None
        except asyncio.CancelledError:
            gone.set()
            raise

    def _let_go(self, _: Future[Any] | None) -> None:
        with self._lock:
            self._held -= 1

    def close(self) -> None:
        """Wait for what runs; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)
