"""Templates to responses: HTML with a policy that lets nothing run but the page's own script."""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ocelot import __version__
from ocelot.images.decode import hash_bytes
from ocelot.render import words
from ocelot.render.html import sendable
from ocelot.web.api.bodies import check_charset
from ocelot.web.api.problems import MEDIA_TYPE, Problem
from ocelot.web.page.texts import Texts, preferred
from ocelot.web.paths import SAFE, is_page, shows_pages

__all__ = ["ProblemPages", "form_of", "render", "send", "static", "texts_of"]

static = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
_SVG = '<svg xmlns="http://www.w3.org/2000/svg" fill="#a5641a"'
_SMALL = 1000  # bytes; less is not worth compressing
_LOGIN = ("/login", "/logout")
_PASSING = (408, 429)  # besides those of the server: the same may work in a while


@cache
def _environment() -> Environment:
    packages = (("ocelot.web.page", "templates"), ("ocelot.render", "."))
    found = Environment(
        loader=ChoiceLoader([PackageLoader(*package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    assets = hash_bytes(b"".join(_static(name) for name in _STATIC))[:12]
    logo = str(found.get_template("parts.html").module.logo())  # type: ignore[attr-defined]
    icon = f"data:image/svg+xml,{quote(logo.replace('<svg', _SVG))}"  # it needs no request
    found.globals |= {"words": words, "version": __version__, "assets": assets, "icon": icon}
    return found


@cache
def _static(name: str) -> bytes:
    return (files("ocelot.web.page") / "static" / name).read_bytes()


def texts_of(request: Request) -> Texts:
    """The texts in the language that the browser prefers."""
    return preferred(request.headers.get("accept-language", ""))


def form_of(request: Request, *, files: int = 0, **limits: int) -> Any:
    """The form of a request; an async context manager."""
    check_charset(request)
    return request.form(max_files=files, **limits)


def _root_of(request: Request) -> str:
    """The relative link to the page's root, so that a proxy may serve it under any path."""
    return "../" * (request.scope["path"].count("/") - 1) or "./"


def render(request: Request, template: str, **values: Any) -> str:
    """A template as HTML that can be sent as UTF-8."""
    state = request.app.state
    given = {"t": texts_of(request), "root": _root_of(request), "locked": state.locked}
    given |= {"writable": state.writable, **values}
    return sendable(_environment().get_template(template).render(given))


def send(request: Request, template: str, status: int = 200, **values: Any) -> Response:
    """A template as a response, which depends on the browser's language and is never stored."""
    headers = {
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Language, Accept-Encoding",
    }
    html = render(request, template, **values).encode()
    return _response(request, html, status, headers, "text/html; charset=utf-8")


@static.get("/static/{name}")
async def show(request: Request, name: str) -> Response:
    """The style sheet or the script; their links name their version."""
    if name not in _STATIC:
        raise HTTPException(404)
    headers = {
        "Content-Security-Policy": "default-src 'none'",
        "Cache-Control": "public, max-age=31536000, immutable",
        "Vary": "Accept-Encoding",
    }
    return _response(request, _static(name), 200, headers, f"{_STATIC[name]}; charset=utf-8")


def _response(
    request: Request, data: bytes, status: int, headers: dict[str, str], media_type: str
) -> Response:
    if len(data) > _SMALL and "gzip" in request.headers.get("accept-encoding", ""):
        data, headers = gzip.compress(data, 6), {**headers, "Content-Encoding": "gzip"}
    return Response(data, status, headers, media_type)


class ProblemPages:
    """Shows every problem of the page's paths in the page's layout, whoever has answered it.

    Programs and scripts get the JSON, and browsers that were led somewhere get the page.
    """

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
            page = _problem_page(Request(scope), json.loads(message["body"]), problem)
            await page(scope, receive, send)

        await self.app(scope, receive, shown)


def _problem_page(request: Request, body: dict[str, str], headers: Headers) -> Response:
    problem = Problem(int(body["status"]), body["detail"], type=body["type"])
    passing = problem.status >= 500 or problem.status in _PASSING
    where = _root_of(request)
    if passing and request.method in SAFE:
        where = ""  # the same address
    elif passing and request.url.query:
        where += f"?{request.url.query}"
    values = {"problem": problem, "passing": passing, "where": where}
    response = send(request, "problem.html", problem.status, **values)
    for name, value in headers.items():  # such as Retry-After and X-Request-Id
        response.headers.setdefault(name, value)
    return response
