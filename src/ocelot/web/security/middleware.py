"""What every request has: an id, a line in the log, counters, and headers of its response."""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.request_id import answering
from ocelot.service import Metrics
from ocelot.telemetry import note, span
from ocelot.web.api.problems import problem_of, stopping
from ocelot.web.paths import PLAIN, is_page
from ocelot.web.security.body_limits import Shutdown

__all__ = ["RequestLog", "SecurityHeaders"]

_log = logging.getLogger("ocelot.web")
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
_DISCONNECTED = 499  # logged when the client did not wait for its answer
_ENDLESS = "/verdict"  # how long it takes says nothing: the page waits for a language model

_POLICY = b"content-security-policy"
_ALL = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
)
_API = (
    (_POLICY, b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class SecurityHeaders:
    """Adds the headers that a response does not set itself; Starlette has no such middleware.

    A response with a Content-Security-Policy of its own also decides about its caching.

    Args:
        embeddable: Whether pages of other origins may show the pictures.
    """

    def __init__(self, app: ASGIApp, *, embeddable: bool = False) -> None:
        self.app = app
        place = b"cross-origin" if embeddable else b"same-origin"
        self._all = (*_ALL, (b"cross-origin-resource-policy", place))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                wanted = self._all if _POLICY in own else self._all + _API
                added = [header for header in wanted if header[0] not in own]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, secured)


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
        started, status = time.perf_counter(), 0
        inner = {**scope, "method": "GET"} if scope["method"] == "HEAD" else scope

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", id.encode())]
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
            seconds = time.perf_counter() - started
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._note(inner, method, status or _DISCONNECTED, seconds)

    def _note(self, scope: Scope, method: str, status: int, seconds: float) -> None:
        route = _route(scope)
        self._metrics.requests.labels(method, route, str(status)).inc()
        if scope["path"] != _ENDLESS:
            self._metrics.request_seconds.labels(route).observe(seconds)
        about = {"http.request.method": method, "http.route": route}
        note({**about, "http.response.status_code": status}, f"{method} {route}")
        if _log.isEnabledFor(logging.INFO):
            fields = {"method": method, "route": route, "status": status}
            fields["milliseconds"] = round(1000 * seconds, 1)
            line = "%(method)s %(route)s %(status)d %(milliseconds).0f ms"
            _log.info(line, fields, extra={"fields": fields})


def _route(scope: Scope) -> str:
    """The template of the path, so that the number of routes is small."""
    path = scope["path"]
    if is_page(path):
        return "page"
    return str(getattr(scope.get("route"), "path", path if path in PLAIN else "none"))
