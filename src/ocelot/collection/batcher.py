"""Calls of several threads, sent as one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

__all__ = ["Batcher"]

_Key = TypeVar("_Key", bound=Hashable)
_Request = TypeVar("_Request")
_Result = TypeVar("_Result")


@dataclass(eq=False)
class _Call(Generic[_Request, _Result]):
    request: _Request
    result: _Result | None = None
    has_result: bool = False
    is_over: bool = False  # it has a result, or must run alone


class Batcher(Generic[_Key, _Request, _Result]):
    """A function for many threads. Calls that arrive while one with the same key runs wait, and run
    as one afterwards. Others run at once, each in its own thread.

    If a batch fails, each of its calls runs alone, so that one caller's error is not another's.

    Args:
        run: `run(key, requests)` returns the results in the order of the requests.
        max_batch: The most requests in one run.
    """

    def __init__(
        self, run: Callable[[_Key, Sequence[_Request]], Sequence[_Result]], max_batch: int = 32
    ) -> None:
        self._run, self._max_batch = run, max_batch
        # Guards what follows. It is also entered itself: an interrupt within the methods of
        # Condition, which are written in Python, could leave it locked.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._running: dict[_Key, list[_Call[_Request, _Result]]] = {}
        self._waiting: dict[_Key, list[_Call[_Request, _Result]]] = {}

    def __call__(self, key: _Key, request: _Request) -> _Result:
        """Return the result of one request; raise what `run` raises for it."""
        mine: _Call[_Request, _Result] = _Call(request)
        try:
            if batch := self._begin(key, mine):
                self._run_batch(key, batch)
        finally:
            try:
                self._end(key, mine)
            except BaseException:  # interrupted
                self._end(key, mine)
                raise
        if mine.has_result:
            return mine.result  # type: ignore[return-value]
        return self._run(key, [request])[0]

    def _begin(self, key: _Key, mine: _Call[_Request, _Result]) -> list[_Call[_Request, _Result]]:
        """Wait, and return the batch to run: none if another thread ran it with its own."""
        with self._lock:
            self._waiting.setdefault(key, []).append(mine)
            self._changed.wait_for(lambda: mine.is_over or key not in self._running)
            if mine.is_over:
                return []
            waiting = self._waiting[key]
            waiting.remove(mine)
            batch = [mine, *waiting[: self._max_batch - 1]]
            del waiting[: self._max_batch - 1]
            self._running[key] = batch
            return batch

    def _run_batch(self, key: _Key, batch: Sequence[_Call[_Request, _Result]]) -> None:
        try:
            results = self._run(key, [call.request for call in batch])
            pairs = list(zip(batch, results, strict=True))
        except Exception:
            if len(batch) == 1:
                raise
            return
        for call, result in pairs:
            call.result, call.has_result = result, True

    def _end(self, key: _Key, mine: _Call[_Request, _Result]) -> None:
        """Release those that wait for this call; leave the queue, if it was interrupted there.

        It can be repeated.
        """
        with self._lock:
            batch, waiting = self._running.get(key, []), self._waiting.get(key, [])
            if batch and batch[0] is mine:
                for call in batch:
                    call.is_over = True
                self._changed.notify_all()
                del self._running[key]
            elif mine in waiting:
                waiting.remove(mine)
            if not waiting and key not in self._running:
                self._waiting.pop(key, None)
