"""Errors as problem details (RFC 9457): one table from exception types to statuses.

Bad input is answered with the error's own sentence. What fails on the server's side may name
files and addresses, so it is logged, and the client gets a sentence without them.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

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
)

__all__ = ["HANDLERS", "MEDIA_TYPE", "STOPPING", "Problem", "Refusal", "problem_of"]

MEDIA_TYPE = "application/problem+json"
_URN = "urn:ocelot:problem:"
_log = logging.getLogger("ocelot.web")


@dataclass(frozen=True)
class Problem:
    """One answer that says what is wrong.

    Attributes:
        status: Of HTTP.
        detail: One sentence.
        title: Of the kind of problem; the status's phrase when empty.
        type: Names the kind for programs: "about:blank" when the status says it all.
        more: Further members, such as `field` and `errors`.
        headers: Of the answer.
    """

    status: int
    detail: str
    title: str = ""
    type: str = "about:blank"
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self) -> dict[str, Any]:
        """The members as JSON has them."""
        return {
            "type": self.type,
            "title": self.title or HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.more,
        }

    def response(self) -> Response:
        """The answer."""
        return JSONResponse(self.body(), self.status, dict(self.headers), MEDIA_TYPE)


class Refusal(Exception):
    """A request that the server does not take, as it is or at all.

    Args:
        status: Of HTTP, 400 to 503.
        detail: One sentence.
        field: Of the request, that is to blame.
        headers: Of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        more = {} if field is None else {"field": field}
        self.problem = Problem(status, detail, more=more, headers=headers or {})


@dataclass(frozen=True)
class _Kind:
    """What is said of an error; a `detail` takes the place of the error's own words."""

    status: int
    name: str
    title: str
    detail: str = ""


# The nearest class counts: an error that is not listed is answered as its parent is.
_KINDS: Mapping[type[OcelotError], _Kind] = {
    FilterError: _Kind(400, "filter", "The filter cannot be used"),
    ItemNotFound: _Kind(404, "not-found", "There is no such item"),
    ImageTooLarge: _Kind(413, "picture-too-large", "The picture is too large"),
    ImageError: _Kind(415, "picture", "The picture cannot be read"),
    MetadataError: _Kind(422, "metadata", "The metadata cannot be stored"),
    InputError: _Kind(422, "input", "The request cannot be used"),
    Overloaded: _Kind(429, "overloaded", "The server is busy"),
    RequestTimeout: _Kind(503, "out-of-time", "The request took too long"),
    EncoderError: _Kind(
        503, "encoder", "The encoder failed",
        "The encoder failed; the server's log says why.",
    ),
    CollectionError: _Kind(
        503, "database", "The database does not answer",
        "The database does not answer as it should; the server's log says why.",
    ),
    StorageError: _Kind(
        507, "storage", "The disk does not keep it",
        "The server's disk is full or cannot be written to; the server's log says more.",
    ),
    OcelotError: _Kind(
        503, "unavailable", "The server cannot do this now",
        "The server cannot do this now; its log says why.",
    ),
}  # fmt: skip

_SENTENCES = {
    404: "There is nothing at this path.",
    405: "This path does not take this method.",
}
STOPPING = Problem(503, "The server is stopping; try again later.", headers={"Connection": "close"})
_UNEXPECTED = Problem(500, "The server made a mistake; its log says more.")


def problem_of(error: Exception) -> Problem:
    """What to answer to an exception; what is the server's own fault is logged."""
    if isinstance(error, Refusal):
        return error.problem
    if isinstance(error, OcelotError):
        return _of_ocelot(error)
    if isinstance(error, RequestValidationError):
        return _of_validation(error.errors())
    if isinstance(error, HTTPException):
        detail = _SENTENCES.get(error.status_code, str(error.detail))
        return Problem(error.status_code, detail, headers=error.headers or {})
    _log.error("A request failed for a reason that is not its own.", exc_info=error)
    return _UNEXPECTED


def _of_ocelot(error: OcelotError) -> Problem:
    kind = next(_KINDS[parent] for parent in type(error).__mro__ if parent in _KINDS)
    if kind.detail:
        _log.error("%s: %s", type(error).__name__, error)
    headers = {}
    if isinstance(error, (Overloaded, RequestTimeout)):
        headers["Retry-After"] = str(getattr(error, "retry_after", 5))
    detail = kind.detail or str(error)
    return Problem(kind.status, detail, kind.title, f"{_URN}{kind.name}", headers=headers)


def _of_validation(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Fields that do not fit the description of the API: the first one in a sentence."""
    listed = [{"field": _name(error["loc"]), "message": _message(error)} for error in errors]
    field, message = listed[0]["field"], listed[0]["message"]
    blamed = f"field {field}" if field else "request"
    more: dict[str, Any] = {"field": field} if field else {}
    kind = _KINDS[InputError]
    return Problem(
        kind.status,
        f"The {blamed} cannot be used: {message}.",
        kind.title,
        f"{_URN}{kind.name}",
        {**more, "errors": listed},
    )


def _name(location: Sequence[int | str]) -> str:
    """`("body", "images", 0, "base64")` -> "images.0.base64"."""
    return ".".join(str(part) for part in location[1:])


def _message(error: Mapping[str, Any]) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such field"
    message = str(error["msg"]).removeprefix("Value error, ").rstrip(".")
    return message[:1].lower() + message[1:]


async def _answer(_: Request, error: Exception) -> Response:
    return problem_of(error).response()


HANDLERS: Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    Refusal: _answer,
    OcelotError: _answer,
    RequestValidationError: _answer,
    HTTPException: _answer,
}
