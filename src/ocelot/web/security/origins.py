"""Who may speak to the server: the names it goes by, and the web pages that may call it.

A browser sends whatever any page asks it to. So a page of another origin may not change anything
here, and where the server listens on loopback only, no other name may lead to it (DNS rebinding).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.errors import ConfigurationError
from ocelot.web.api.problems import Problem

__all__ = ["KnownHosts", "OwnOrigin", "Preflights", "cors", "origins_of"]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?")
_HOST = re.compile(r"(\[[^\]]+\]|[^:]*)(?::\d*)?")


def origins_of(setting: str) -> tuple[str, ...]:
    """The origins in a list with commas, as browsers spell them; `*` stands for all.

    Raises:
        ConfigurationError: One is no origin.

    >>> origins_of("https://Shop.example/, http://localhost:3000")
    ('https://shop.example', 'http://localhost:3000')
    """
    found = tuple(one.strip().rstrip("/").lower() for one in setting.split(",") if one.strip())
    for one in found:
        if one != "*" and not _ORIGIN.fullmatch(one):
            raise ConfigurationError(
                f"The setting cors_origins holds {one!r}, which is no origin: write it as "
                "https://shop.example or http://localhost:3000, or * for all."
            )
    return found


def host_of(headers: Headers) -> str:
    """The host that a request names, without its port.

    >>> host_of(Headers({"host": "[::1]:8000"}))
    '::1'
    """
    found = _HOST.fullmatch(headers.get("host", "").strip().lower())
    return found[1].strip("[]") if found else ""


class KnownHosts:
    """Answers 400 to requests that name another host than those given."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app = app
        self._hosts = frozenset(host.lower().strip("[]") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and host_of(Headers(scope=scope)) not in self._hosts:
            problem = Problem(
                400, "The server does not go by the name in the Host header of this request."
            )
            return await problem.response()(scope, receive, send)
        await self.app(scope, receive, send)


class OwnOrigin:
    """Answers 403 to what a page of another origin asks for, unless it only reads."""

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self.app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_fine(scope):
            problem = Problem(
                403,
                "A web page of another origin may not do this; name the origin in "
                "OCELOT_CORS_ORIGINS if it may.",
            )
            return await problem.response()(scope, receive, send)
        await self.app(scope, receive, send)

    def _is_fine(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if scope["method"] in _SAFE or origin is None:  # browsers send it, others need not
            return True
        if origin in self._origins or "*" in self._origins:
            return True
        if headers.get("sec-fetch-site") == "same-origin":  # also behind a proxy that renames us
            return True
        try:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").strip().lower()
        except ValueError:  # no origin at all
            return False


class Preflights:
    """Makes a problem of the plain text with which Starlette refuses a preflight."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope) if scope["type"] == "http" else ()
        asked = {"origin", "access-control-request-method"} <= set(headers)
        if not asked or scope["method"] != "OPTIONS":
            return await self.app(scope, receive, send)
        refused = False

        async def told(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                refused = message["status"] == 400
            if not refused:
                await send(message)
            elif message["type"] == "http.response.body":
                cause = message["body"].decode("latin-1")
                problem = Problem(
                    400,
                    f"This web page may not call the server so ({cause}); OCELOT_CORS_ORIGINS "
                    "names the origins that may.",
                    headers={"Vary": "Origin"},
                )
                await problem.response()(scope, receive, send)

        await self.app(scope, receive, told)


def cors(origins: Sequence[str]) -> Middleware:
    """Starlette's own, for pages of these origins. It is there without any, too.

    For Gradio lets pages of every origin read its answers, unless it finds this very class.
    """
    return Middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_methods=("GET", "HEAD", "POST", "DELETE"),
        allow_headers=("Authorization", "X-API-Key"),
        expose_headers=("ETag", "Location", "Retry-After"),
    )
