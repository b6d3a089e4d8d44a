"""The OpenAPI description: what FastAPI cannot read from the routes by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic.json_schema import models_json_schema

from ocelot.service import Limits
from ocelot.web.api.problems import MEDIA_TYPE
from ocelot.web.api.requests import NOT_BLANK, REQUESTS
from ocelot.web.api.responses import ProblemDetails
from ocelot.web.paths import OPEN

__all__ = ["EVENTS", "body", "complete", "headers", "picture", "problems"]

Json = dict[str, Any]
Responses = dict[int | str, Json]

_REF = "#/components/schemas/"
_FILE = {"type": "string", "format": "binary", "description": "An image file."}
_REASONS = {
    400: "Malformed: no JSON, no form, or no filter.",
    401: "There is no valid API key; only where the server asks for one.",
    403: "A web page of another origin asked for it.",
    404: "There is no such thing.",
    408: "The body was not there in time.",
    413: "The request or a picture is too large.",
    415: "The body or a picture is of a type that cannot be read.",
    422: "A field cannot be used.",
    429: "Too much is waiting already.",
    500: "The server made a mistake.",
    503: "The server cannot answer now.",
    507: "The server's disk is full or cannot be written to.",
}
_HEADERS = {
    401: {"WWW-Authenticate": "The scheme: `Bearer`."},
    429: {"Retry-After": "Seconds after which another try makes sense."},
}
EVENTS: Json = {
    "description": "The hits, and the verdict on them.",
    "content": {
        "text/event-stream": {
            "schema": {"type": "string"},
            "example": "event: hits\ndata: {…}\n\n"
            "event: ranking\ndata: {…}\n\n"
            "event: done\ndata: {}\n\n",
        }
    },
}


def problems(*statuses: int) -> Responses:
    """The responses that are problem details: those given, and those that any request may get."""
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
    """The headers that a response always has, and what they say."""
    if not described:
        return {}
    return {
        "headers": {
            name: {"description": words, "required": True, "schema": {"type": "string"}}
            for name, words in described.items()
        }
    }


def picture(description: str, media_type: str = "image/*") -> Json:
    """A response that is a picture."""
    return {"description": description, "content": {media_type: {"schema": dict(_FILE)}}}


def body(model: str, *, form: str | None = None) -> Json:
    """A request body in JSON, or as a form too."""
    content = {"application/json": {"schema": {"$ref": _REF + model}}}
    if form is not None:
        content["multipart/form-data"] = {"schema": {"$ref": _REF + form}}
    return {"requestBody": {"required": True, "content": content}}


def complete(schema: Json, limits: Limits, rerankers: Sequence[str], *, locked: bool) -> Json:
    """FastAPI's description, with the bodies, limits and keys of one server."""
    models: list[Any] = [(model, "validation") for model in (*REQUESTS, ProblemDetails)]
    _, definitions = models_json_schema(models, ref_template=_REF + "{model}")
    components = schema.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update(definitions["$defs"])
    _narrow(schemas["SearchRequest"]["properties"], limits, rerankers)
    schemas["SearchForm"] = _search_form(schemas["SearchRequest"])
    schemas["ItemForm"] = _item_form(schemas["ItemRequest"])
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    if locked:
        schema["security"] = [{"bearer": []}, {"key": []}]
        for path in OPEN & schema["paths"].keys():
            schema["paths"][path]["get"]["security"] = []
    return schema


def _narrow(fields: Json, limits: Limits, rerankers: Sequence[str]) -> None:
    fields["limit"]["maximum"] = limits.results
    for name, most in (("text", limits.text_length), ("filter", limits.filter_length)):
        fields[name]["anyOf"][0]["maxLength"] = most
    yes = [True] if rerankers else []
    fields["rerank"]["anyOf"] = [{"enum": [*yes, False, *rerankers, None]}]


def _search_form(request: Json) -> Json:
    fields = {name: _plain(field) for name, field in request["properties"].items()}
    most = fields.pop("images")["maxItems"]
    files = {"type": "array", "items": _FILE, "maxItems": most, "description": "Image files."}
    ids = {
        "type": "array",
        "items": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "maxItems": most,
        "description": "Indexed items whose pictures to take.",
    }
    return {
        "type": "object",
        "description": "A `SearchRequest` as a form.",
        "properties": {"image": files, "image_id": ids, **fields},
        "additionalProperties": False,
        "anyOf": [
            {"required": [name], "properties": {name: least}}
            for name, least in (
                ("image", {"minItems": 1}),
                ("image_id", {"minItems": 1}),
                ("text", {"pattern": NOT_BLANK}),
            )
        ],
    }


def _item_form(request: Json) -> Json:
    metadata = {
        "type": "object",
        "description": "As JSON. " + request["properties"]["metadata"]["description"],
    }
    return {
        "type": "object",
        "description": "An `ItemRequest` as a form.",
        "properties": {"image": dict(_FILE), "metadata": metadata},
        "required": ["image"],
        "additionalProperties": False,
    }


def _plain(field: Json) -> Json:
    """Without null, which a form cannot say."""
    if "anyOf" not in field:
        return field
    kind = dict(field["anyOf"][0])
    if "enum" in kind:
        kind["enum"] = [one for one in kind["enum"] if one is not None]
    rest = {name: value for name, value in field.items() if name not in ("anyOf", "default")}
    return {**kind, **rest}
