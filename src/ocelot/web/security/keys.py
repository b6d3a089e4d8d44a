"""API keys, and sessions for browsers, which cannot send a key for each picture of a page."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from urllib.parse import quote

from pydantic import SecretStr
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ocelot.errors import ConfigurationError
from ocelot.web.api.problems import Problem
from ocelot.web.paths import DOCS, OPEN, is_page, shows_pages

__all__ = ["COOKIE", "SESSION_SECONDS", "Keys", "RequireKey", "Sessions"]

COOKIE = "ocelot_session"
SESSION_SECONDS = 12 * 3600

_UNAUTHORISED = Problem(
    401,
    "An API key is needed: send it as Authorization: Bearer KEY, or as X-API-Key.",
    headers={"WWW-Authenticate": "Bearer"},
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
        await self._refusal(scope)(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        headers = dict(scope["headers"])
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        given = [headers.get(b"x-api-key", b"")]
        if scheme.lower() == b"bearer":
            given.append(token.strip())
        if sum(self._keys.accept(key) for key in given) > 0:  # compare each
            return True
        return self._sessions.accept(HTTPConnection(scope).cookies.get(COOKIE, ""))

    def _refusal(self, scope: Scope) -> Response:
        page = is_page(scope["path"]) or (scope["method"] == "GET" and scope["path"] in DOCS)
        if not (page and shows_pages(scope)):
            return _UNAUTHORISED.response()
        query = scope["query_string"].decode("latin-1")
        # What a form has sent is lost; the page that it was on is not known.
        path = scope["path"] if scope["method"] == "GET" else "/"
        wanted = path + (f"?{query}" if query else "")
        return RedirectResponse(f"/login?next={quote(wanted, safe='/')}", 303)
