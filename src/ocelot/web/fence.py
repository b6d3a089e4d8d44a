"""The last route before the page: it keeps the API's paths from falling through to it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from ocelot.web.api.problems import Problem
from ocelot.web.paths import is_page

__all__ = ["Fence"]

_METHODS = ("DELETE", "GET", "PATCH", "POST", "PUT")


class Fence(BaseRoute):
    """Answers what the routes before it do not take, under the API's paths.

    A page that is mounted at / matches every path, and a whole match wins over a route that
    only has another method. So HEAD, unknown paths and wrong methods are seen to here.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = tuple(routes)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whole for all of the API's paths."""
        ours = scope["type"] == "http" and not is_page(scope["path"])
        return (Match.FULL if ours else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """GET for HEAD; else 404 or 405."""
        methods = [method for method in _METHODS if self._route(scope, method)]
        if scope["method"] == "HEAD" and "GET" in methods:
            return await self._get(scope, receive, send)
        if not methods:
            problem = Problem(404, "There is nothing at this path.")
        else:
            allowed = ", ".join(methods + ["HEAD"] * ("GET" in methods))
            problem = Problem(405, f"This path takes {allowed} only.", headers={"Allow": allowed})
        await problem.response()(scope, receive, send)

    async def _get(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._route(scope, "GET")
        assert found is not None
        route, more = found
        inner = {**scope, **more, "method": "GET"}
        try:
            await route.handle(inner, receive, send)  # what serves leaves the body out
        finally:
            scope["route"] = inner.get("route")

    def _route(self, scope: Scope, method: str) -> tuple[BaseRoute, Scope] | None:
        asked = {**scope, "method": method}
        for route in self._routes:
            match, more = route.matches(asked)
            if match is Match.FULL:
                return route, more
        return None
