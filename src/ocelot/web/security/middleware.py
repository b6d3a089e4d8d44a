"""Middleware around every request, in pure ASGI so that responses can be streamed."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.request_id import answering
from ocelot.service import Metrics
from ocelot.telemetry import note, span
from ocelot.web.api.problems import Problem, problem_of, stopping
from ocelot.web.paths import PLAIN, changes, is_page
from ocelot.web.security.shutdown import Shutdown, first_of

__all__ = ["CancelOnDisconnect", "ReadOnly", "RequestLog", "is_last", "is_stream"]

_log = logging.getLogger("ocelot.web")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_READ_ONLY = Problem(
    403,
    "This server is read-only: pictures can be found, and not added, changed or deleted.",
    type="urn:ocelot:problem:read-only",
)
_DISCONNECTED = 499  # logged when the client did not wait for its answer


def is_stream(start: Message) -> bool:
    """Return True if a response that starts is an event stream."""
    headers = Headers(raw=start.get("headers", []))
    return headers.get("content-type", "").startswith("text/event-stream")


def is_last(message: Message) -> bool:
    """Return True if a message ends a response."""
    return message["type"] == "http.response.body" and not message.get("more_body")


class RequestLog:
    """Counts and logs each request by its route, and answers 500 to unexpected errors.

    Each request has an id, the client's own (X-Request-Id) or a new one, which is sent back.
    Paths and query strings are not logged: they may be private. HEAD is handled as GET, which
    FastAPI's routes do not do; the web server leaves out the body.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, shutdown: Shutdown) -> None:
        self.app = app
        self._metrics = metrics
        self._shutdown = shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # the server has no web sockets
            return await send({"type": "websocket.close", "code": 1008})
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        with answering(id), span(scope["method"], kind="SERVER", headers=headers):
            await self._watch(scope, receive, send, id)

    async def _watch(self, scope: Scope, receive: Receive, send: Send, id: str) -> None:
        started, status, endless = time.perf_counter(), 0, False
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope

        async def watched(message: Message) -> None:
            nonlocal status, endless
            if message["type"] == "http.response.start":
                status = message["status"]
                endless = is_page(scope["path"]) and is_stream(message)
                MutableHeaders(scope=message)["X-Request-Id"] = id
            await send(message)

        try:
            await self.app(inner, receive, watched)
        except Exception as error:
            # Starlette wraps an error that comes too late for its own response.
            cause = error.__cause__ if status and isinstance(error.__cause__, Exception) else error
            problem = problem_of(cause)
            if not status:
                await problem.response()(scope, receive, watched)
            else:  # the web server closes the connection of an unfinished response
                _log.warning("%s broke off: %s", _route(inner), type(cause).__name__)
        except asyncio.CancelledError:
            if not self._shutdown.begun:
                raise
            if not status:  # the time for running requests is over
                await stopping().response()(scope, receive, watched)
        finally:
            seconds, route = time.perf_counter() - started, _route(inner)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            status = status or _DISCONNECTED
            self._metrics.requests.labels(method, route, str(status)).inc()
            if not endless:
                self._metrics.request_seconds.labels(route).observe(seconds)
            milliseconds = 1000 * seconds
            fields = {"method": method, "route": route, "status": status}
            about = {"http.request.method": method, "http.route": route}
            note({**about, "http.response.status_code": status}, f"{method} {route}")
            _log.info(
                "%s %s %d %.0f ms", method, route, status, milliseconds,
                extra={"fields": {**fields, "milliseconds": round(milliseconds, 1)}},
            )  # fmt: skip


def _route(scope: Scope) -> str:
    """The template of the path, so that the number of routes is small."""
    path = scope["path"]
    if is_page(path):
        return "page"
    return str(getattr(scope.get("route"), "path", path if path in PLAIN else "none"))


class CancelOnDisconnect:
    """Cancels the work on a request when its client disconnects.

    Starlette notices a disconnect only while it sends.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        inbox: asyncio.Queue[Message] = asyncio.Queue(1)
        began = finished = False

        async def listen() -> None:
            while (message := await receive())["type"] != "http.disconnect":
                await inbox.put(message)
            if finished:  # the connection ends after a complete answer
                await asyncio.Event().wait()

        async def watched(message: Message) -> None:
            nonlocal began, finished
            began, finished = True, is_last(message)
            await send(message)

        work = asyncio.ensure_future(self.app(scope, inbox.get, watched))
        listening = asyncio.ensure_future(listen())
        disconnected = await first_of(work, listening)
        if disconnected:
            self._metrics.abandoned.inc()
        elif work.cancelled() and not began:  # by the service, which is closing
            await stopping().response()(scope, receive, send)
        else:
            work.result()


class ReadOnly:
    """Answers 403 to what would change the collection, before its body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and changes(scope["method"], scope["path"]):
            return await _READ_ONLY.response()(scope, receive, send)
        await self.app(scope, receive, send)
