"""A limit of wrong keys per client, so that keys cannot be guessed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from cachetools import LRUCache

__all__ = ["Attempts"]

_MOST, _SECONDS = 10, 60.0  # wrong keys of a client, in a time
_CLIENTS = 10_000


class Attempts:
    """Counts the wrong keys of each client; used in one event loop.

    Args:
        now: A clock, in seconds.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # Client -> when its first wrong key came, and how many there were since.
        self._wrong: LRUCache[str, tuple[float, int]] = LRUCache(_CLIENTS)

    def wait(self, client: str) -> int:
        """Seconds until the client may try again; 0 if it may now."""
        first, wrong = self._of(client)
        return math.ceil(first + _SECONDS - self._now()) if wrong >= _MOST else 0

    def failed(self, client: str) -> None:
        """Note a wrong key."""
        first, wrong = self._of(client)
        self._wrong[client] = first, wrong + 1

    def _of(self, client: str) -> tuple[float, int]:
        now = self._now()
        first, wrong = self._wrong.get(client, (now, 0))
        return (first, wrong) if now < first + _SECONDS else (now, 0)
