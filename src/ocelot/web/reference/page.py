"""The page of the reference, with its style and script."""

from __future__ import annotations

import re
from pathlib import Path

from fastapi import APIRouter, Request
from markupsafe import Markup, escape
from starlette.responses import FileResponse, HTMLResponse, Response

from ocelot.render.html import environment
from ocelot.web.reference import schemas

__all__ = ["router"]

router = APIRouter(include_in_schema=False)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_CODE, _LINK = re.compile(r"`([^`]+)`"), re.compile(r"\[([^\]]+)\]\((#[\w-]+)\)")


@router.get("/docs")
async def show(request: Request) -> Response:
    """The reference of this server."""
    described = request.app.openapi()
    templates = environment("ocelot.web.reference")
    templates.filters["marked"] = _marked
    page = templates.get_template("reference.html").render(**described, schemas=schemas)
    return HTMLResponse(page, headers=_HEADERS)


@router.get("/docs/reference.css")
@router.get("/docs/reference.js")
async def asset(request: Request) -> Response:
    """How it looks, and what sends the requests that are tried."""
    file = Path(__file__).with_name(request.url.path.rpartition("/")[2])
    return FileResponse(file, headers=_HEADERS)


def _marked(text: str) -> Markup:
    """Code and links of Markdown, and paragraphs, as HTML; all else is escaped.

    >>> _marked("a `b < c` and [Hit](#hit)")
    Markup('a <code>b &lt; c</code> and <a href="#hit">Hit</a>')
    """
    html = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    html = _LINK.sub(r'<a href="\2">\1</a>', html)
    return Markup("<br><br>".join(html.split("\n\n")))
