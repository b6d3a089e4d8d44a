"""What stands around every request, in pure ASGI: nothing here waits for a whole response.

::

    Observed ─ counts, logs, and answers 500 to what nobody expected
      EndableStreams ─ the page's endless streams end when the server is to stop
        WhileConnected ─ work for a client that went away is cancelled
          BodyLimit ─ a body that is too large, too slow or one too many is refused (intake.py)
"""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.service import Metrics
from ocelot.web.api.problems import STOPPING, problem_of
from ocelot.web.paths import PLAIN, is_page

__all__ = ["EndableStreams", "Observed", "Stop", "WhileConnected"]

_log = logging.getLogger("ocelot.web")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_GONE = 499  # what is noted when the client did not stay for an answer


class Observed:
    """Counts and logs each request by its route, and answers 500 to what nobody expected.

    The log has neither paths nor query strings: they may hold what is nobody's business.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, stop: Stop) -> None:
        self.app = app
        self._metrics = metrics
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # there are no web sockets here
            return await send({"type": "websocket.close", "code": 1008})
        started, status, endless = time.perf_counter(), 0, False

        async def noted(message: Message) -> None:
            nonlocal status, endless
            if message["type"] == "http.response.start":
                status = message["status"]
                endless = is_page(scope["path"]) and _is_stream(message)
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            # What was raised for an answer of its own comes wrapped when it is too late for one.
            cause = error.__cause__ if status and isinstance(error.__cause__, Exception) else error
            problem = problem_of(cause)
            if not status:
                await problem.response()(scope, receive, noted)
            else:  # what serves us cuts a connection whose answer has no end
                _log.warning("%s broke off: %s", _route(scope), type(cause).__name__)
        except asyncio.CancelledError:
            if not self._stop.said:
                raise
            if not status:  # the time that a server that stops gives to its requests is over
                await STOPPING.response()(scope, receive, noted)
        finally:
            seconds = time.perf_counter() - started
            self._note(scope, status or _GONE, seconds)
            if not endless:
                self._metrics.request_seconds.labels(_route(scope)).observe(seconds)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = _route(scope)
        self._metrics.requests.labels(method, route, str(status)).inc()
        _log.info("%s %s %d %.0f ms", method, route, status, 1000 * seconds)


def _route(scope: Scope) -> str:
    """The template of a path, so that there are only so many."""
    path = scope["path"]
    if is_page(path):
        return "page"
    return str(getattr(scope.get("route"), "path", path if path in PLAIN else "none"))


def _is_stream(start: Message) -> bool:
    headers = Headers(raw=start.get("headers", []))
    return headers.get("content-type", "").startswith("text/event-stream")


def _is_last(message: Message) -> bool:
    return message["type"] == "http.response.body" and not message.get("more_body")


class Stop:
    """The word that what may never end shall end; said and heard in the server's event loop."""

    def __init__(self) -> None:
        self.said = False
        self.when = 0.0  # of `time.monotonic`
        self._listening: set[asyncio.Event] = set()

    def say(self) -> None:
        """End every stream, and those to come."""
        if not self.said:
            self.said, self.when = True, time.monotonic()
        for event in self._listening:
            event.set()

    async def heard(self) -> None:
        """Wait for it."""
        event = asyncio.Event()
        self._listening.add(event)
        try:
            if not self.said:
                await event.wait()
        finally:
            self._listening.discard(event)


class EndableStreams:
    """Ends the event streams of the page when the server is to stop.

    The page keeps one open for as long as it is shown, and a server that stops waits for its
    responses. The API's own streams end by themselves, so they are let finish.
    """

    def __init__(self, app: ASGIApp, stop: Stop) -> None:
        self.app = app
        self._stop = stop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/gradio_api/"):
            return await self.app(scope, receive, send)
        streaming, finished = asyncio.Event(), False

        async def watched(message: Message) -> None:
            nonlocal finished
            await send(message)
            finished = _is_last(message)
            if message["type"] == "http.response.start" and _is_stream(message):
                streaming.set()

        async def end() -> None:
            await streaming.wait()
            await self._stop.heard()

        work = asyncio.ensure_future(self.app(scope, receive, watched))
        ending = asyncio.ensure_future(end())
        if not await _first_of(work, ending):
            work.result()
        elif not finished:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class WhileConnected:
    """Cancels the work on a request of the API when its client goes away.

    The body is handed on as it comes; what comes behind it can only be the end.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_page(scope["path"]):  # the page sees to its own
            return await self.app(scope, receive, send)
        inbox: asyncio.Queue[Message] = asyncio.Queue(1)
        began = finished = False

        async def listen() -> None:
            while (message := await receive())["type"] != "http.disconnect":
                await inbox.put(message)
            if finished:  # the connection is done with, not broken off
                await asyncio.Event().wait()

        async def watched(message: Message) -> None:
            nonlocal began, finished
            began, finished = True, _is_last(message)
            await send(message)

        work = asyncio.ensure_future(self.app(scope, inbox.get, watched))
        listening = asyncio.ensure_future(listen())
        gone = await _first_of(work, listening)
        if gone:
            self._metrics.abandoned.inc()
        elif work.cancelled() and not began:  # not by us: the service is closing
            await STOPPING.response()(scope, receive, send)
        else:
            work.result()


async def _first_of(work: asyncio.Future[None], other: asyncio.Future[None]) -> bool:
    """Wait for work, or for `other` to cancel it; returns whether it did."""
    try:
        await asyncio.wait({work, other}, return_when=asyncio.FIRST_COMPLETED)
        return not work.done()
    finally:
        for task in (work, other):
            task.cancel()
        await asyncio.wait({work, other})
        for task in (work, other):  # what is raised while ending interests nobody
            task.cancelled() or task.exception()
