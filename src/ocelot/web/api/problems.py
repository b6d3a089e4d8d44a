"""Errors as problem details (RFC 9457): one table from exception types to statuses.

Bad input is answered with the error's own sentence. Errors of the server may name files and
addresses, so they are logged and the client gets a sentence without them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match

from ocelot.errors import (
    CollectionError,
    EncoderError,
    FilterError,
    ImageError,
    ImageTooLarge,
    InputError,
    ItemNotFound,
    MetadataError,
    OcelotError,
    Overloaded,
    RequestTimeout,
    StorageError,
    UnknownWords,
)
from ocelot.types import Sentence

__all__ = ["HANDLERS", "MEDIA_TYPE", "TAGS", "Problem", "invalid", "problem_of", "stopping"]

MEDIA_TYPE = "application/problem+json"
TAGS = ("<data>", "<item>")  # of alternatives; pydantic adds them to the place of an error
_URN = "urn:ocelot:problem:"
_MESSAGES = {  # in place of pydantic's own, which are for programmers
    "extra_forbidden": "there is no such field",
    "model_attributes_type": "it must be a JSON object",
    "model_type": "it must be a JSON object",
}
_SENTENCES = {
    404: "There is nothing at this path.",
    405: "This path does not support this method.",
}
_log = logging.getLogger("ocelot.web")


class Problem(Exception):
    """An error response; raise it to end a request.

    Args:
        status: HTTP status code.
        detail: One sentence.
        title: Title of this kind of problem; by default the status's phrase.
        type: Name of this kind for programs; "about:blank" when the status is enough.
        headers: Response headers.
        **more: Further members, such as `field` and `errors`.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        title: str = "",
        type: str = "about:blank",
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.type = status, detail, type
        self.title = title or HTTPStatus(status).phrase
        self.headers = dict(headers or {})
        self._more = more

    @property
    def sentence(self) -> Sentence:
        """Which problem it is, for those who say it in another language."""
        known = self.type.startswith(_URN)
        return Sentence((self.type.removeprefix(_URN) if known else str(self.status),), {})

    def body(self) -> dict[str, Any]:
        """The members of the JSON object."""
        known = {name: getattr(self, name) for name in ("type", "title", "status", "detail")}
        return known | self._more

    def response(self) -> Response:
        """The HTTP response. It is plain ASCII, for what it quotes may hold lone surrogates."""
        return Response(json.dumps(self.body()), self.status, self.headers, MEDIA_TYPE)


@dataclass(frozen=True)
class _Kind:
    """The response to an error; a `detail` replaces the error's own message."""

    status: int
    name: str
    title: str
    detail: str = ""


# An error that is not listed is answered as its nearest parent.
_KINDS: Mapping[type[OcelotError], _Kind] = {
    FilterError: _Kind(400, "filter", "The filter cannot be used"),
    ItemNotFound: _Kind(404, "not-found", "There is no such item"),
    ImageTooLarge: _Kind(413, "picture-too-large", "The picture is too large"),
    ImageError: _Kind(415, "picture", "The picture cannot be read"),
    MetadataError: _Kind(422, "metadata", "The metadata cannot be stored"),
    UnknownWords: _Kind(422, "unknown-words", "The encoder knows none of the words"),
    InputError: _Kind(422, "input", "The request cannot be used"),
    Overloaded: _Kind(429, "overloaded", "The server is busy"),
    RequestTimeout: _Kind(503, "out-of-time", "The request took too long"),
    EncoderError: _Kind(
        503, "encoder", "The encoder failed",
        "The encoder failed; the server's log says why.",
    ),
    CollectionError: _Kind(
        503, "database", "The database does not answer",
        "The database failed; the server's log says why.",
    ),
    StorageError: _Kind(
        507, "storage", "The server cannot store the file",
        "The server's disk is full or cannot be written to; the server's log says more.",
    ),
    OcelotError: _Kind(
        503, "unavailable", "The server cannot do this now",
        "The server cannot do this now; its log says why.",
    ),
}  # fmt: skip


def stopping() -> Problem:
    """The response when the server stops."""
    detail = "The server is stopping; try again later."
    return Problem(503, detail, headers={"Connection": "close"})


def problem_of(error: Exception) -> Problem:
    """The response to an exception; errors of the server are logged."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, OcelotError):
        kind = next(_KINDS[parent] for parent in type(error).__mro__ if parent in _KINDS)
        if kind.detail:
            _log.error("%s: %s", type(error).__name__, error)
        is_passing = isinstance(error, (Overloaded, RequestTimeout))
        headers = {"Retry-After": str(getattr(error, "retry_after", 5))} if is_passing else {}
        return _of_kind(kind, kind.detail or str(error), headers=headers)
    if isinstance(error, RequestValidationError):
        return _of_fields(error.errors())
    if isinstance(error, HTTPException):
        detail = _SENTENCES.get(error.status_code, str(error.detail))
        return Problem(error.status_code, detail, headers=error.headers)
    _log.error("A request failed with an unexpected error.", exc_info=error)
    return Problem(500, "Internal error; the server's log says more.")


def invalid(error: ValidationError, what: str) -> Problem:
    """The response to what a client sent and FastAPI did not check, such as "line"."""
    found = error.errors(include_url=False)
    return _of_fields([{**one, "loc": ("body", *one["loc"])} for one in found], what)


def _of_kind(kind: _Kind, detail: str, **more: Any) -> Problem:
    return Problem(kind.status, detail, title=kind.title, type=f"{_URN}{kind.name}", **more)


def _of_fields(errors: Sequence[Mapping[str, Any]], what: str = "body") -> Problem:
    """Malformed JSON, or fields that cannot be used: all of them, the first in a sentence."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return Problem(400, f"The {what} is not valid JSON ({first['ctx']['error']}).")
    if first["type"] == "missing" and first["loc"] == ("body",):
        return Problem(400, "The request has no body.")
    listed = [{"field": _name(error["loc"]), "message": _message(error)} for error in errors]
    field = listed[0]["field"]
    named = f"field {field}" if field else "request"
    more = {"field": field} if field else {}
    detail = f"The {named} cannot be used: {listed[0]['message']}."
    return _of_kind(_KINDS[InputError], detail, **more, errors=listed)


def _name(location: Sequence[int | str]) -> str:
    """`("body", "images", 0, "base64")` -> "images.0.base64"."""
    return ".".join(str(part) for part in location[1:] if part not in TAGS)


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] in _MESSAGES:
        return _MESSAGES[error["type"]]
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return message[:1].lower() + message[1:]


async def _answer(request: Request, error: Exception) -> Response:
    problem = problem_of(error)
    if problem.status == 405:
        problem.headers["Allow"] = ", ".join(_methods(request))
    return problem.response()


def _methods(request: Request) -> list[str]:
    """The methods of a path; Starlette names those of its first route only."""

    def is_known(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    found = [method for method in ("DELETE", "GET", "PATCH", "POST") if is_known(method)]
    return found + ["HEAD"] * ("GET" in found)


HANDLERS: dict[Any, Any] = dict.fromkeys(
    (Problem, OcelotError, RequestValidationError, HTTPException), _answer
)
