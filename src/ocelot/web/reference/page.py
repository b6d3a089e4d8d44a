"""The page of the reference, and its style and script."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from ocelot.render.html import environment
from ocelot.web.reference.schemas import (
    bodies_of,
    fields_of,
    is_named,
    meaning_of,
    target_of,
    type_of,
)

__all__ = ["render_reference", "router"]

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
    app = request.app
    if not hasattr(app.state, "reference"):
        app.state.reference = render_reference(app.openapi())
    return HTMLResponse(app.state.reference, headers=_HEADERS)


@router.get("/docs/reference.css")
async def style() -> Response:
    """How it looks."""
    return Response(_asset("reference.css"), media_type="text/css", headers=_HEADERS)


@router.get("/docs/reference.js")
async def script() -> Response:
    """What sends the requests that are tried."""
    return Response(_asset("reference.js"), media_type="text/javascript", headers=_HEADERS)


@cache
def _asset(name: str) -> bytes:
    return (Path(__file__).parent / name).read_bytes()


def render_reference(described: dict[str, Any]) -> str:
    """An OpenAPI description as a page."""
    schemas = described["components"]["schemas"]
    groups = [
        (
            tag["name"],
            tag["description"],
            [
                _operation(method.upper(), path, operation, schemas)
                for path, methods in described["paths"].items()
                for method, operation in methods.items()
                if tag["name"] in operation["tags"]
            ],
        )
        for tag in described["tags"]
    ]
    values = [
        (name, meaning_of(schema), fields_of(schema)) for name, schema in sorted(schemas.items())
    ]
    templates = environment("ocelot.web.reference")
    return templates.get_template("reference.html").render(
        info=described["info"], groups=groups, values=values, marked=_marked
    )


def _operation(method: str, path: str, operation: Any, schemas: Any) -> dict[str, Any]:
    parameters = [one for one in operation.get("parameters", ()) if "$ref" not in one]
    bodies = {kind: body["schema"] for kind, body in bodies_of(operation).items()}
    media_type = next(iter(bodies), "")
    return {
        "method": method,
        "path": path,
        "id": operation["operationId"],
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": [_parameter(one) for one in parameters],
        "bodies": [(kind, type_of(schema)) for kind, schema in bodies.items()],
        "media_type": media_type,
        "example": _example(bodies[media_type], schemas) if bodies else None,
        "answers": [
            (status, _kinds(answer), meaning_of(answer))
            for status, answer in operation["responses"].items()
        ],
    }


def _parameter(one: Any) -> dict[str, Any]:
    examples = one["schema"].get("examples") or one.get("examples") or [""]
    return {
        "name": one["name"],
        "place": one["in"],
        "required": one.get("required", False),
        "type": type_of(one["schema"]),
        "meaning": meaning_of(one) or meaning_of(one["schema"]),
        "example": examples[0],
    }


def _example(schema: Any, schemas: Any) -> str:
    """What the form is filled with."""
    described = schemas[target_of(schema)] if target_of(schema) else schema
    example = (described.get("examples") or [""])[0]
    if isinstance(example, str):
        return example
    return json.dumps(example, indent=2, ensure_ascii=False)


def _kinds(answer: Any) -> str:
    kinds = answer.get("content", {}).items()
    return " or ".join(
        type_of(content["schema"]) if is_named(content) else f"`{kind}`" for kind, content in kinds
    )


def _marked(text: str) -> Markup:
    """Code and links of Markdown, and paragraphs, as HTML; all else is escaped.

    >>> _marked("a `b < c` and [Hit](#hit)")
    Markup('a <code>b &lt; c</code> and <a href="#hit">Hit</a>')
    """
    html = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    html = _LINK.sub(r'<a href="\2">\1</a>', html)
    return Markup("<br><br>".join(html.split("\n\n")))
