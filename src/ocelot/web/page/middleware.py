"""Middleware that only the page needs: its scripts, Gradio's paths and Gradio's streams."""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.web.security.middleware import is_last, is_stream
from ocelot.web.security.shutdown import Shutdown, first_of

__all__ = ["NeededPaths", "PagePolicy", "StoppableStreams"]

_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Gradio compiles the templates of its HTML parts and its handlers in the browser.
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_NEEDED = re.compile(
    r"""
    / | /config/? | /theme\.css | /favicon\.ico | /manifest\.json | /(assets|static)/.*
    | /gradio_api/ (
        queue/(join|data) | cancel | reset/? | startup-events | heartbeat/[^/]* | component_server/?
        | upload | upload_progress | file=/.*
    )
    """,
    re.VERBOSE | re.DOTALL,
)


class NeededPaths:
    """Answers 404 to Gradio's other paths: fetching from other hosts, recordings, its own API."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _NEEDED.fullmatch(scope["path"]):
            return await PlainTextResponse("There is nothing at this path.", 404)(
                scope, receive, send
            )
        await self.app(scope, receive, send)


class PagePolicy:
    """Lets the page load scripts, styles and pictures from its own server only."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault("Content-Security-Policy", _POLICY)
            await send(message)

        await self.app(scope, receive, secured)


class StoppableStreams:
    """Ends the page's event streams when the server is to stop.

    Gradio keeps one open for as long as the page is shown, and a server that stops waits for its
    responses.
    """

    def __init__(self, app: ASGIApp, shutdown: Shutdown) -> None:
        self.app = app
        self._shutdown = shutdown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/gradio_api/"):
            return await self.app(scope, receive, send)
        streaming, finished = asyncio.Event(), False

        async def watched(message: Message) -> None:
            nonlocal finished
            await send(message)
            finished = is_last(message)
            if message["type"] == "http.response.start" and is_stream(message):
                streaming.set()

        async def end() -> None:
            await streaming.wait()
            await self._shutdown.wait()

        work = asyncio.ensure_future(self.app(scope, receive, watched))
        ending = asyncio.ensure_future(end())
        if not await first_of(work, ending):
            work.result()
        elif not finished:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
