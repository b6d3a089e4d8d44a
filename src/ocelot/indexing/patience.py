"""Calls to Milvus that are made again while its server is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from ocelot.errors import CollectionError, DatabaseUnavailable

__all__ = ["Patience"]

log = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 2.0  # seconds


class Patience:
    """Makes a call again, with growing pauses, while the server does not answer."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds  # how long, from the first failure of a call
        self._stopped = threading.Event()

    def __call__(self, call: Callable[[], _Answer]) -> _Answer:
        """Return what `call` returns, or raise what it raised last; it must be repeatable."""
        started, pause = time.monotonic(), _FIRST_PAUSE
        try:
            return call()
        except DatabaseUnavailable as error:
            last: CollectionError = error
        deadline = time.monotonic() + self._seconds
        if self._seconds and not self._stopped.is_set():
            log.warning("%s Trying again for %g seconds.", last, self._seconds)
        while (left := deadline - time.monotonic()) > 0:
            if self._stopped.wait(min(pause, left)):
                break
            try:
                answer = call()
            except CollectionError as error:  # a server that starts may refuse at first
                last, pause = error, min(2 * pause, _LONGEST_PAUSE)
            else:
                log.warning("Milvus answers again, after %.0f s.", time.monotonic() - started)
                return answer
        raise last

    def stop(self) -> None:
        """Let each call fail at once from now on."""
        self._stopped.set()
