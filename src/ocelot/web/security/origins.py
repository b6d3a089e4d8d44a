"""Which web pages may call the server, and by which names.

A browser sends whatever any page asks it to. So a page of another origin may change nothing here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from ocelot.errors import ConfigurationError
from ocelot.web.api.problems import Problem
from ocelot.web.paths import SAFE

__all__ = ["SameOrigin", "TrustedHosts", "origins_of"]

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?")
_FOREIGN = Problem(
    403,
    "A web page of another origin may not do this; to allow it, add its origin to "
    "OCELOT_CORS_ORIGINS.",
)


def origins_of(setting: str) -> tuple[str, ...]:
    """The origins in a comma-separated list, in the form that browsers send; `*` means all.

    Raises:
        ConfigurationError: An entry is not an origin.

    >>> origins_of("https://Shop.example/, http://localhost:3000")
    ('https://shop.example', 'http://localhost:3000')
    """
    found = tuple(one.strip().rstrip("/").lower() for one in setting.split(",") if one.strip())
    for one in found:
        if one != "*" and not _ORIGIN.fullmatch(one):
            raise ConfigurationError(
                f"The setting cors_origins holds {one!r}, which is not an origin: write it as "
                "https://shop.example or http://localhost:3000, or * for all."
            )
    return found


class TrustedHosts(TrustedHostMiddleware):
    """Answers 400 to requests with another Host. Starlette before 1.10 compares the case, too."""

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str]) -> None:
        super().__init__(app, [name.lower() for name in allowed_hosts], www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["headers"] = [
                (name, value.lower() if name == b"host" else value)
                for name, value in scope["headers"]
            ]
        await super().__call__(scope, receive, send)


class SameOrigin:
    """Answers 403 to changes that a page of another origin asks for (CSRF).

    Starlette's CORSMiddleware only keeps such a page from reading the answer.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self.app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_allowed(scope):
            return await _FOREIGN.response()(scope, receive, send)
        await self.app(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if scope["method"] in SAFE or origin is None:  # only browsers must send it
            return True
        if origin in self._origins or "*" in self._origins:
            return True
        if headers.get("sec-fetch-site") == "same-origin":  # also behind a proxy with another name
            return True
        try:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").strip().lower()
        except ValueError:  # not an origin
            return False
