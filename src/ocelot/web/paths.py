"""Which paths belong to the API; the page has all others."""

from __future__ import annotations

from starlette.requests import HTTPConnection
from starlette.types import Scope

__all__ = ["BULK", "DOCS", "OPEN", "PLAIN", "SAFE", "changes", "is_page", "shows_pages"]

_API = frozenset({"/healthz", "/readyz", "/login", "/logout"})
OPEN = _API | {"/static/page.css"}  # these need no key
BULK = "/v1/bulk"  # its body may be of any size: it is used line by line
DOCS = frozenset({"/docs", "/docs/reference.css", "/docs/reference.js"})
PLAIN = _API | DOCS | {"/mcp", "/metrics", "/openapi.json"}  # the API's paths outside /v1
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # methods that change nothing


def changes(method: str, path: str) -> bool:
    """Return True if a request is to change the collection, through the API or the page.

    >>> changes("DELETE", "/v1/items/x"), changes("GET", "/v1/items/x"), changes("POST", "/")
    (True, False, False)
    """
    return method not in SAFE and path.startswith(("/v1/items", BULK, "/items", "/demo"))


def is_page(path: str) -> bool:
    """Return True if a path belongs to the page.

    >>> is_page("/verdict"), is_page("/v1/search")
    (True, False)
    """
    return path not in PLAIN and path != "/v1" and not path.startswith("/v1/")


def shows_pages(scope: Scope) -> bool:
    """Return True if a client takes a page as the answer: a browser that was led somewhere."""
    return "text/html" in HTTPConnection(scope).headers.get("accept", "")
