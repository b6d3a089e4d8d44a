"""The OpenAPI description: responses that routes share, and what depends on the server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ocelot.web.api.bodies import FORM
from ocelot.web.api.problems import MEDIA_TYPE
from ocelot.web.api.responses import BulkLine, ProblemDetails
from ocelot.web.paths import OPEN

__all__ = ["EVENTS", "complete", "headers", "or_form", "picture", "problems"]

Json = dict[str, Any]
Responses = dict[int | str, Json]

_REF = "#/components/schemas/"
_REASONS = {
    400: "The JSON, the form, the filter or the cursor is malformed.",
    401: "The API key is missing or wrong; only where the server asks for one.",
    403: "The request comes from a web page of another origin, or the server is read-only.",
    404: "Not found.",
    408: "The body did not arrive in time.",
    413: "The request or a picture is too large.",
    415: "The type of the body or of a picture is not supported.",
    422: "A field cannot be used.",
    429: "Too many requests are waiting.",
    500: "Internal error.",
    503: "The server cannot answer now.",
    507: "The server's disk is full or cannot be written to.",
}
_HEADERS = {
    401: {"WWW-Authenticate": "The scheme: `Bearer`."},
    429: {"Retry-After": "Seconds to wait before the next attempt."},
}
_REQUEST_ID = {
    "name": "X-Request-Id",
    "in": "header",
    "description": "An id for the server's log and for its calls to a language model: up to 128 "
    "visible ASCII characters. Otherwise a random one is taken. Every answer has it, too.",
    "schema": {"type": "string"},
}
EVENTS: Json = {
    "description": "The hits and the ranking.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": "id: 5f0c2a6e5f0c2a6e-1\nevent: hits\ndata: {…}\n\n"
            "id: 5f0c2a6e5f0c2a6e-2\nevent: ranking\ndata: {…}\n\n"
            "id: 5f0c2a6e5f0c2a6e-3\nevent: done\ndata: {}\n\n",
        }
    },
}


def problems(*statuses: int) -> Responses:
    """The error responses of a route: these statuses, and those that any request may get."""
    problem = {MEDIA_TYPE: {"schema": {"$ref": f"{_REF}ProblemDetails"}}}
    return {
        status: {
            "description": _REASONS[status],
            "content": problem,
            **headers(_HEADERS.get(status, {})),
        }
        for status in sorted({*statuses, 400, 401, 500, 503})
    }


def headers(described: Mapping[str, str]) -> Json:
    """Headers that a response always has, and their meaning."""
    text = {"required": True, "schema": {"type": "string"}}
    named = {name: {"description": meaning, **text} for name, meaning in described.items()}
    return {"headers": named} if named else {}


def picture(description: str, media_type: str = "image/*") -> Json:
    """A response that is a picture."""
    file = {"type": "string", "format": "binary"}
    return {"description": description, "content": {media_type: {"schema": file}}}


def or_form(model: str) -> Json:
    """Adds a form to the JSON body of a route, which the route of the form must precede."""
    return {"requestBody": {"content": {FORM: {"schema": {"$ref": _REF + model}}}}}


def complete(schema: Json, rerankers: Sequence[str], *, locked: bool) -> Json:
    """FastAPI's description with the problem details, rerankers and keys of a server."""
    components = schema["components"]
    for model in (ProblemDetails, BulkLine):
        named = model.model_json_schema(ref_template=_REF + "{model}")
        components["schemas"] |= {**named.pop("$defs"), model.__name__: named}
    names = [{"type": "string", "enum": list(rerankers)}] if rerankers else []
    for name, null in (("SearchRequest", [{"type": "null"}]), ("SearchForm", [])):
        rerank = components["schemas"][name]["properties"]["rerank"]
        rerank["anyOf"] = [{"type": "boolean"}, *names, *null]  # an enum of one type each
    components["parameters"] = {"RequestId": _REQUEST_ID}
    for path, methods in schema["paths"].items():
        for operation in methods.values():
            parameters = operation.setdefault("parameters", [])
            parameters.append({"$ref": "#/components/parameters/RequestId"})
            if locked and path in OPEN:
                operation["security"] = []
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    if locked:
        schema["security"] = [{"bearer": []}, {"key": []}]
    return schema
