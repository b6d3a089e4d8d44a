"""Limits of request bodies, in pure ASGI.

FastAPI limits the size of one body. This also limits all of them together, and their time.
"""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.errors import Overloaded
from ocelot.service import Limits
from ocelot.web.api.problems import Problem, problem_of, stopping
from ocelot.web.paths import BULK, OPEN
from ocelot.web.security.shutdown import Shutdown

__all__ = ["BodyLimits"]

_LARGEST = 8  # bodies of the largest size that may be in memory at once
_SMALL = 64 * 2**10  # bytes; a query without pictures is smaller
_FORM = 2**20  # bytes of a form without files: its reader spends time on each sign of it
_SPARE = 16 * 2**20  # bytes reserved for small bodies
_GRACE = 1.0  # seconds for bodies to arrive after the server began to stop
_BUSY = problem_of(Overloaded("The server is receiving too much data; try again soon.", 5))


class BodyLimits:
    """Refuses bodies while they arrive.

    413: the body is too large, by its Content-Length or by its bytes. 429: the bodies of all
    requests together are too large. 408: the body does not arrive in time. 503: it has not arrived
    when the server is to stop. Of a bulk request, whose lines are used while others arrive, each
    part must come in time, and its reader limits a line.
    """

    def __init__(self, app: ASGIApp, limits: Limits, shutdown: Shutdown) -> None:
        self.app = app
        self._shutdown = shutdown
        self._seconds, self._max = limits.seconds, limits.upload_bytes
        self._held = 0  # bytes of the bodies of all requests, declared or received
        self._late = Problem(
            408,
            f"The body of the request did not arrive within {limits.seconds:g} seconds; send less, "
            "or send it faster.",
            headers={"Connection": "close"},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        if scope["path"] == BULK:
            return await self.app(scope, self._parts(receive), send)
        until = asyncio.get_running_loop().time() + self._seconds
        most = self._most(scope)
        held = received = 0
        refused: Problem | None = None
        complete = began = False

        def hold(size: int) -> None:
            """Reserve `size` bytes for this body."""
            nonlocal held, refused
            if refused := self._refusal(size, size - held, most):
                raise _Refused
            self._held += size - held
            held = size

        async def limited_receive() -> Message:
            nonlocal received, refused, complete
            if refused:
                raise _Refused
            if complete or began:
                return await receive()
            message = await self._next(receive, until)
            if isinstance(message, Problem):
                refused = message
                raise _Refused
            received += len(message.get("body", b""))
            hold(max(held, received))
            complete = not message.get("more_body", False)
            return message

        async def limited_send(message: Message) -> None:
            nonlocal began
            if refused and not began:
                return
            began = True
            await send(message)

        try:
            hold(_declared(scope))
            await self.app(scope, limited_receive, limited_send)
        except Exception:
            if not refused or began:
                raise
        finally:
            self._held -= held
        if refused and not began:
            await refused.response()(scope, receive, send)

    def _parts(self, receive: Receive) -> Receive:
        """Receives the parts of a body of any size; raises a `Problem` if one does not come."""

        async def part() -> Message:
            until = asyncio.get_running_loop().time() + self._seconds
            message = await self._next(receive, until)
            if isinstance(message, Problem):
                raise message
            return message

        return part

    def _most(self, scope: Scope) -> int:
        """The bytes that the body may have."""
        if scope["path"] in OPEN:  # also without a key
            return min(_SMALL, self._max)
        kind = Headers(scope=scope).get("content-type", "").lower()
        return min(_FORM, self._max) if "urlencoded" in kind else self._max

    def _refusal(self, size: int, more: int, most: int) -> Problem | None:
        """Why `more` bytes cannot be held for a body of `size` bytes so far; None if they can."""
        if size > most:
            cause = f"The request is larger than the limit of {most / 2**20:g} MiB"
            return Problem(413, f"{cause}; send smaller pictures.")
        room = _LARGEST * self._max + (_SPARE if size <= _SMALL else 0)
        return _BUSY if more > 0 and self._held + more > room else None

    async def _next(self, receive: Receive, until: float) -> Message | Problem:
        """The next part of a body, or the response when it does not arrive in time."""
        left = until - asyncio.get_running_loop().time()
        coming = asyncio.ensure_future(receive())
        ending = asyncio.ensure_future(self._stopped())
        try:
            await asyncio.wait(
                {coming, ending}, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED
            )
            if coming.done():
                return coming.result()
            return stopping() if ending.done() else self._late
        finally:
            coming.cancel()
            ending.cancel()
            await asyncio.wait({coming, ending})

    async def _stopped(self) -> None:
        await self._shutdown.wait()
        await asyncio.sleep(max(0.0, self._shutdown.since + _GRACE - time.monotonic()))


class _Refused(Exception):
    pass


def _declared(scope: Scope) -> int:
    length = Headers(scope=scope).get("content-length", "")
    return int(length[:18]) if length.isdecimal() else 0
