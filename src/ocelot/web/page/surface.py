"""Of all that Gradio answers to, the page needs a few paths; the others are not there."""

from __future__ import annotations

import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["OnlyWhatThePageNeeds"]

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


class OnlyWhatThePageNeeds:
    """Answers 404 to Gradio's other paths: fetching from other hosts, recordings, its own API."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _NEEDED.fullmatch(_path(scope)):
            missing = PlainTextResponse("There is nothing at this path.", 404)
            return await missing(scope, receive, send)
        await self.app(scope, receive, send)


def _path(scope: Scope) -> str:
    """The path within the page's own."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/")) or "/"
