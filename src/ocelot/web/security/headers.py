"""Security headers of every response."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["SecurityHeaders"]

_ALL = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_API = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class SecurityHeaders:
    """Adds the headers that a response does not set itself; Starlette has no such middleware.

    A response with a Content-Security-Policy of its own also decides about its caching.

    Args:
        embeddable: Whether pages of other origins may show the pictures.
    """

    def __init__(self, app: ASGIApp, *, embeddable: bool = False) -> None:
        self.app = app
        place = "cross-origin" if embeddable else "same-origin"
        self._all = {**_ALL, "Cross-Origin-Resource-Policy": place}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                own = "content-security-policy" in headers
                for name, value in (self._all if own else self._all | _API).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, secured)
