"""Which paths belong to the API; the page has all others."""

from __future__ import annotations

__all__ = ["OPEN", "PLAIN", "is_page"]

_API = frozenset({"/healthz", "/readyz", "/login", "/logout"})
OPEN = _API | {"/static/page.css"}  # these need no key
PLAIN = _API | {"/mcp", "/metrics", "/openapi.json"}  # the API's paths outside /v1


def is_page(path: str) -> bool:
    """Return True if a path belongs to the page.

    >>> is_page("/verdict"), is_page("/v1/search")
    (True, False)
    """
    return path not in PLAIN and path != "/v1" and not path.startswith("/v1/")
