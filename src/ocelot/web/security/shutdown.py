"""The signal that the server is to stop."""

from __future__ import annotations

import asyncio
import time

__all__ = ["Shutdown", "first_of"]


class Shutdown:
    """Tells running requests that the server is to stop; used in the server's event loop.

    Attributes:
        begun: Whether the server is to stop.
        since: When it began, in seconds of `time.monotonic`.
    """

    def __init__(self) -> None:
        self.begun = False
        self.since = 0.0
        # asyncio.Event would belong to the first event loop that waits for it.
        self._waiting: set[asyncio.Event] = set()

    def begin(self) -> None:
        """Wake everything that waits, now and from now on."""
        if not self.begun:
            self.begun, self.since = True, time.monotonic()
        for event in self._waiting:
            event.set()

    async def wait(self) -> None:
        """Return when the server is to stop."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            if not self.begun:
                await event.wait()
        finally:
            self._waiting.discard(event)


async def first_of(work: asyncio.Future[None], other: asyncio.Future[None]) -> bool:
    """Wait for `work`, and cancel it when `other` ends first; returns True if it was cancelled."""
    try:
        await asyncio.wait({work, other}, return_when=asyncio.FIRST_COMPLETED)
        return not work.done()
    finally:
        for task in (work, other):
            task.cancel()
        await asyncio.wait({work, other})
        for task in (work, other):  # marks an exception as seen
            task.cancelled() or task.exception()
