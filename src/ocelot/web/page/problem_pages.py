"""Problems as pages, for browsers that were led somewhere; programs and scripts get the JSON."""

from __future__ import annotations

import json

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot.web.api.problems import MEDIA_TYPE, Problem
from ocelot.web.page.rendering import root_of, send
from ocelot.web.paths import SAFE, is_page, shows_pages

__all__ = ["ProblemPages"]

_LOGIN = ("/login", "/logout")
_PASSING = (408, 429)  # besides those of the server: the same may work in a while


class ProblemPages:
    """Shows every problem of the page's paths in the page's layout, whoever has answered it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and (is_page(scope["path"]) or scope["path"] in _LOGIN)
        if not (ours and shows_pages(scope)):
            return await self.app(scope, receive, send)
        problem: Headers | None = None

        async def shown(message: Message) -> None:
            nonlocal problem
            if message["type"] == "http.response.start":
                headers = Headers(raw=message["headers"])
                if headers.get("content-type") == MEDIA_TYPE:
                    problem = headers
                    return
            if problem is None:
                return await send(message)
            page = _page(Request(scope), json.loads(message["body"]), problem)  # it is one part
            await page(scope, receive, send)

        await self.app(scope, receive, shown)


def _page(request: Request, body: dict[str, str], headers: Headers) -> Response:
    problem = Problem(int(body["status"]), body["detail"], type=body["type"])
    passing = problem.status >= 500 or problem.status in _PASSING
    root, query = root_of(request), request.url.query
    where = root + (query and f"?{query}") if passing else root
    if passing and request.method in SAFE:
        where = ""  # the same address
    values = {"problem": problem, "passing": passing, "where": where}
    response = send(request, "problem.html", problem.status, **values)
    for name, value in headers.items():  # such as Retry-After and X-Request-Id
        response.headers.setdefault(name, value)
    return response
