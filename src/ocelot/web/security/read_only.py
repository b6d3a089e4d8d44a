"""A server where pictures can be found, and nothing can be changed."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from ocelot.web.api.problems import Problem
from ocelot.web.paths import changes

__all__ = ["ReadOnly"]

_REFUSAL = Problem(
    403,
    "This server is read-only: pictures can be found, and not added, changed or deleted.",
    type="urn:ocelot:problem:read-only",
)


class ReadOnly:
    """Answers 403 to what would change the collection, before its body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and changes(scope["method"], scope["path"]):
            return await _REFUSAL.response()(scope, receive, send)
        await self.app(scope, receive, send)
