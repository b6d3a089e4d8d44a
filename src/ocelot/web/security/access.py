"""Who may use the server: API keys, sessions of browsers, web pages of other origins.

A browser sends whatever any page asks it to. So a page of another origin may change nothing here.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from urllib.parse import quote, urlsplit

from cachetools import TTLCache
from pydantic import SecretStr
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ocelot.errors import ConfigurationError
from ocelot.web.api.problems import Problem
from ocelot.web.paths import DOCS, OPEN, SAFE, changes, is_page, shows_pages

__all__ = [
    "BLOCKED_SECONDS", "COOKIE", "SESSION_SECONDS", "Attempts", "Keys", "ReadOnly", "RequireKey",
    "SameOrigin", "Sessions", "origins_of",
]  # fmt: skip

COOKIE = "ocelot_session"
SESSION_SECONDS = 12 * 3600
BLOCKED_SECONDS = 60
_MOST_WRONG = 10  # keys of one client until it is blocked

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]]+)(:\d{1,5})?")
_UNAUTHORISED = Problem(
    401,
    "An API key is needed: send it as Authorization: Bearer KEY, or as X-API-Key.",
    headers={"WWW-Authenticate": "Bearer"},
)
_FOREIGN = Problem(
    403,
    "A web page of another origin may not do this; to allow it, add its origin to "
    "OCELOT_CORS_ORIGINS.",
)
_READ_ONLY = Problem(
    403,
    "This server is read-only: pictures can be found, and not added, changed or deleted.",
    type="urn:ocelot:problem:read-only",
)


class Keys:
    """The accepted API keys.

    Raises:
        ConfigurationError: The setting holds no key.
    """

    def __init__(self, keys: SecretStr) -> None:
        parts = (key.strip() for key in keys.get_secret_value().split(","))
        self._keys = tuple(key.encode() for key in parts if key)
        if not self._keys:
            raise ConfigurationError(
                "The setting api_keys holds no key: give at least one, or remove the setting."
            )

    def accept(self, key: bytes) -> bool:
        """Return True if the key is accepted; takes as long for a wrong key as for a right one."""
        return sum(hmac.compare_digest(one, key) for one in self._keys) > 0  # compare with each


class Attempts:
    """Blocks clients that give many wrong keys, so that keys cannot be guessed."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._wrong: TTLCache[str, int] = TTLCache(10_000, BLOCKED_SECONDS, now)

    def blocked(self, client: str) -> bool:
        return self._wrong.get(client, 0) >= _MOST_WRONG

    def failed(self, client: str) -> None:
        """Note a wrong key."""
        self._wrong[client] = self._wrong.get(client, 0) + 1


class Sessions:
    """Tickets that hold their expiry time, signed with a secret of this process.

    Starlette's SessionMiddleware would extend a session with each request, and sends its cookie
    over plain HTTP or over HTTPS only, whichever the request uses.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._secret = secrets.token_bytes(32)
        self._now = now

    def ticket(self) -> str:
        """A new ticket."""
        until = str(int(self._now()) + SESSION_SECONDS)
        return f"{until}.{self._sign(until)}"

    def accept(self, ticket: str) -> bool:
        """Return True if the ticket was signed here and has not expired."""
        until, _, signature = ticket.partition(".")
        ours = hmac.compare_digest(self._sign(until).encode(), signature.encode())
        return ours and int(until) > self._now()

    def _sign(self, until: str) -> str:
        return hmac.new(self._secret, until.encode(), hashlib.sha256).hexdigest()


class RequireKey:
    """Answers 401 to requests without a key or a session; sends browsers to the login form."""

    def __init__(self, app: ASGIApp, keys: Keys, sessions: Sessions) -> None:
        self.app = app
        self._keys = keys
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN or self._is_allowed(scope):
            return await self.app(scope, receive, send)
        await _login(scope)(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        given = [headers.get(b"x-api-key", b"")]
        if scheme.lower() == b"bearer":
            given.append(token.strip())
        if sum(self._keys.accept(key) for key in given) > 0:  # compare each
            return True
        return self._sessions.accept(HTTPConnection(scope).cookies.get(COOKIE, ""))


def _login(scope: Scope) -> Response:
    is_get = scope["method"] == "GET"
    page = is_page(scope["path"]) or (is_get and scope["path"] in DOCS)
    if not (page and shows_pages(scope)):
        return _UNAUTHORISED.response()
    query = scope["query_string"].decode("latin-1")
    # What a form has sent is lost; the page that it was on is not known.
    wanted = (scope["path"] if is_get else "/") + (f"?{query}" if query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='/')}", 303)


class ReadOnly:
    """Answers 403 to what would change the collection, before its body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and changes(scope["method"], scope["path"]):
            return await _READ_ONLY.response()(scope, receive, send)
        await self.app(scope, receive, send)


class SameOrigin:
    """Answers 403 to changes that a page of another origin asks for (CSRF).

    Starlette's CORSMiddleware only keeps such a page from reading the answer.
    """

    def __init__(self, app: ASGIApp, origins: Iterable[str]) -> None:
        self.app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE or self._is_allowed(scope):
            return await self.app(scope, receive, send)
        await _FOREIGN.response()(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or origin in self._origins or "*" in self._origins:
            return True  # only browsers must send an origin
        if headers.get("sec-fetch-site") == "same-origin":  # also behind a proxy with another name
            return True
        try:
            return urlsplit(origin).netloc.lower() == headers.get("host", "").strip().lower()
        except ValueError:  # not an origin
            return False


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
