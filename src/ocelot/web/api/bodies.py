"""Request bodies: JSON, and forms on the same paths."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, get_origin

from fastapi.params import Form
from fastapi.routing import APIRoute
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from ocelot.web.api.problems import Problem

__all__ = ["FORM", "BodyRoute", "check_charset", "check_type"]

JSON, FORM = "application/json", "multipart/form-data"
_FIELD_BYTES = 256 * 2**10  # metadata is the longest text field
_PARTS = 64


class BodyRoute(APIRoute):
    """A route whose body is a multipart form if it declares one, else JSON.

    FastAPI reads one type of body in a route. So a path that takes both has two routes: first that
    of the form, which no other body matches, then that of JSON, which also refuses other types.
    """

    @property
    def _form(self) -> Form | None:
        info = self.body_field.field_info if self.body_field else None
        return info if isinstance(info, Form) else None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if self._form and match is not Match.NONE and _media_type(Headers(scope=scope)) != FORM:
            return Match.NONE, {}
        return match, child_scope

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def checked(request: Request) -> Response:
            if self._form is None:
                check_type(request, JSON, hint=f"{JSON}, or a {FORM} where one is described")
            else:
                check_type(request, FORM)
                check_charset(request)
                await _read_form(request, self._form.annotation)
            return await handle(request)

        return checked


def check_type(request: Request, *types: str, hint: str = "") -> None:
    """Check that a body is of one of these types, and not compressed.

    Args:
        hint: What to send instead; by default the first type.

    Raises:
        Problem: It is not (415).
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise Problem(415, f"The body is encoded ({encoding[:40]}); send it without encoding.")
    if (given := _media_type(request.headers)) not in types:
        known = hint or types[0]
        raise Problem(415, f"The Content-Type {given[:80]!r} cannot be read here; send {known}.")


def check_charset(request: Request) -> None:
    """Check that a form is in UTF-8, as browsers send it: codecs such as unicode_escape are unsafe.

    Raises:
        Problem: The form names another charset (415).
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise Problem(415, f"The form is in {charset[:40]}; send it in UTF-8.")


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


async def _read_form(request: Request, model: Any) -> None:
    """Read a form, which FastAPI then validates; fields that are no lists may be given once.

    Of several values FastAPI would take the last one.
    """
    limits: dict[str, int] = {"max_files": _PARTS, "max_fields": _PARTS}
    try:
        form = await request.form(**limits, max_part_size=_FIELD_BYTES)
    except HTTPException as error:
        raise Problem(400, f"The form cannot be read: {error.detail.rstrip('.')}.") from None
    fields = model.model_fields
    for name in form:
        is_list = name in fields and get_origin(fields[name].annotation) is list
        if not is_list and len(form.getlist(name)) > 1:
            raise Problem(422, f"The field {name} is given more than once.", field=name)
