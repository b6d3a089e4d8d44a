"""What every response says to browsers about itself."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.web.paths import is_page

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
_PAGE_POLICY = "; ".join(
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
_PAGE = {"Content-Security-Policy": _PAGE_POLICY}


class SecurityHeaders:
    """Adds them, where a response does not say otherwise itself.

    The page's scripts, styles and pictures come from this server alone: nothing that it shows
    tells another host that somebody looks at it.

    Args:
        embeddable: Whether pages of other origins may show its pictures.
    """

    def __init__(self, app: ASGIApp, *, embeddable: bool = False) -> None:
        self.app = app
        place = "cross-origin" if embeddable else "same-origin"
        self._always = {**_ALL, "Cross-Origin-Resource-Policy": place}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        own = _PAGE if is_page(scope["path"]) else _API

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in (self._always | own).items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, dressed)
