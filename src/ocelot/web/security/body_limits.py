"""Limits of request bodies, and the end of work whose client is gone; in pure ASGI.

FastAPI limits the size of one body. This also limits all of them together, and their time.
Starlette notices that a client is gone only while it sends to it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.errors import Overloaded
from ocelot.service import Limits, Metrics
from ocelot.web.api.problems import Problem, problem_of, stopping
from ocelot.web.paths import BULK, OPEN

__all__ = ["BodyLimits", "Shutdown"]

_LARGEST = 8  # bodies of the largest size that may be in memory at once
_SMALL = 64 * 2**10  # bytes; a query without pictures is smaller
_FORM = 2**20  # bytes of a form without files: its reader spends time on each sign of it
_SPARE = 16 * 2**20  # bytes reserved for small bodies
_GRACE = 1.0  # seconds for bodies to arrive after the server began to stop
_BUSY = problem_of(Overloaded("The server is receiving too much data; try again soon.", 5))


class Shutdown:
    """Tells running requests that the server is to stop; used in the server's event loop.

    Attributes:
        begun: Whether the server is to stop.
    """

    def __init__(self) -> None:
        self.begun = False
        self._calls: set[Callable[[], object]] = set()

    def begin(self) -> None:
        """The server is to stop."""
        self.begun = True
        for function in tuple(self._calls):
            function()

    @contextmanager
    def calling(self, function: Callable[[], object]) -> Iterator[None]:
        """Within the block, call a function when the server is to stop, or now if it is already."""
        if self.begun:
            function()
        self._calls.add(function)
        try:
            yield
        finally:
            self._calls.discard(function)


class BodyLimits:
    """Refuses bodies while they arrive, and cancels the work on a request whose client is gone.

    413: the body is too large, by its Content-Length or by its bytes. 429: the bodies of all
    requests together are too large. 408: the body does not arrive in time. 503: it has not arrived
    when the server is to stop. Of a bulk request, whose lines are used while others arrive, each
    part must come in time, and its reader limits a line.
    """

    def __init__(self, app: ASGIApp, limits: Limits, shutdown: Shutdown, metrics: Metrics) -> None:
        self.app = app
        self.limits, self.shutdown, self.metrics = limits, shutdown, metrics
        self.held = 0  # bytes of the bodies of all requests, declared or received
        self.late = Problem(
            408,
            f"The body of the request did not arrive within {limits.seconds:g} seconds; send less, "
            "or send it faster.",
            headers={"Connection": "close"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        exchange = _Exchange(self, scope, receive, send)
        try:
            refused = await exchange.run()
        finally:
            self.held -= exchange.held
        if refused is not None:
            await refused.response()(scope, receive, send)


class _Exchange:
    """One request and its response.

    Attributes:
        held: Bytes that are reserved for the body.
    """

    def __init__(self, guard: BodyLimits, scope: Scope, receive: Receive, send: Send) -> None:
        self.held = 0
        self._guard, self._scope, self._receive, self._send = guard, scope, receive, send
        self._is_bulk = scope["path"] == BULK
        self._now = asyncio.get_running_loop().time
        self._inbox: asyncio.Queue[Message | Problem] = asyncio.Queue(1)
        self._work, self._arrival = anyio.CancelScope(), anyio.CancelScope()
        self._stop = math.inf  # when the body has to be here, as the server is to stop
        self._began = self._finished = False
        self._refused: Problem | None = None

    async def run(self) -> Problem | None:
        """Let the application work; returns what to answer in its place."""
        headers = Headers(scope=self._scope)
        length = headers.get("content-length", "")
        declared = int(length[:18]) if length.isdecimal() else 0
        most = self._most(headers.get("content-type", "").lower())
        if not self._is_bulk and (problem := self._hold(declared, most)):
            return problem
        listening = asyncio.ensure_future(self._listen(most))
        try:
            with self._work, self._guard.shutdown.calling(self._hurry):
                await self._guard.app(self._scope, self._next, self._watched)
        finally:
            listening.cancel()
        if self._work.cancelled_caught and self._refused is None:
            self._guard.metrics.abandoned.inc()
        return self._refused

    def _most(self, content_type: str) -> int:
        """The bytes that the body may have."""
        largest = self._guard.limits.upload_bytes
        if self._scope["path"] in OPEN:  # also without a key
            return min(_SMALL, largest)
        return min(_FORM, largest) if "urlencoded" in content_type else largest

    def _hold(self, size: int, most: int) -> Problem | None:
        """Reserve `size` bytes for this body; returns why that cannot be."""
        if size > most:
            cause = f"The request is larger than the limit of {most / 2**20:g} MiB"
            return Problem(413, f"{cause}; send smaller pictures.")
        room = _LARGEST * self._guard.limits.upload_bytes + (_SPARE if size <= _SMALL else 0)
        more = max(0, size - self.held)
        if more and self._guard.held + more > room:
            return _BUSY
        self._guard.held += more
        self.held += more
        return None

    async def _listen(self, most: int) -> None:
        """Hand on what the client sends, until it is gone."""
        message: Message = {"type": "http.request", "more_body": True}
        until, received = self._now() + self._guard.limits.seconds, 0
        while message.get("more_body"):  # a disconnect has none
            if self._is_bulk:
                until = self._now() + self._guard.limits.seconds
            with anyio.CancelScope(deadline=min(until, self._stop)) as self._arrival:
                message = await self._receive()
            if self._arrival.cancelled_caught:
                late = self._guard.late if self._stop == math.inf else stopping()
                return await self._refuse(late)
            received += len(message.get("body", b""))
            if not self._is_bulk and (problem := self._hold(received, most)):
                return await self._refuse(problem)
            if message["type"] != "http.disconnect":
                await self._inbox.put(message)
        while message["type"] != "http.disconnect":
            message = await self._receive()
        if not self._finished:
            self._work.cancel()

    async def _refuse(self, problem: Problem) -> None:
        if self._is_bulk:  # its response has begun, and ends with the problem
            await self._inbox.put(problem)
        elif not self._began:
            self._refused = problem
            self._work.cancel()

    def _hurry(self) -> None:
        self._stop = self._now() + _GRACE
        self._arrival.deadline = min(self._arrival.deadline, self._stop)

    async def _next(self) -> Message:
        message = await self._inbox.get()
        if isinstance(message, Problem):
            raise message
        return message

    async def _watched(self, message: Message) -> None:
        self._began = True
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self._finished = True
        await self._send(message)
