"""Request bodies: one FastAPI route for JSON and one for a form on the same path.

FastAPI reads one content type in a route. So a path that takes both has two routes, each with
its own declared model: `FormRoute` takes the multipart forms, `JSONRoute` everything else.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, get_origin

from fastapi.routing import APIRoute
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from ocelot.web.api.problems import Problem

__all__ = ["FORM", "FormRoute", "JSONRoute", "check_charset", "check_encoding", "media_type"]

JSON, FORM = "application/json", "multipart/form-data"
_FIELD_BYTES = 256 * 2**10  # metadata is the longest text field
_PARTS = 64

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def media_type(headers: Headers) -> str:
    """The type of a body, without parameters."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def check_charset(request: Request) -> None:
    """Check that a form is in UTF-8, as browsers send it: codecs such as unicode_escape are unsafe.

    Raises:
        Problem: The form names another charset (415).
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise Problem(415, f"The form is in {charset[:40]}; send it in UTF-8.")


class JSONRoute(APIRoute):
    """A route whose body, if it has one, is JSON; other types are answered with 415."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            if self.body_field is not None:
                check_encoding(request)
                if (given := media_type(request.headers)) != JSON:
                    raise Problem(
                        415,
                        f"The Content-Type {given[:80]!r} cannot be read here; send {JSON}, or a "
                        f"{FORM} where one is described.",
                    )
            return await handle(request)

        return checked


class FormRoute(APIRoute):
    """A route that only matches multipart forms. Text fields may appear once each."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        if match is Match.NONE or media_type(Headers(scope=scope)) != FORM:
            return Match.NONE, {}
        return match, child_scope

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            check_encoding(request)
            check_charset(request)
            request._form = form = await _read_form(request)  # FastAPI validates and closes it
            self._check_repeats(form)
            return await handle(request)

        return checked

    def _check_repeats(self, form: FormData) -> None:
        assert self.body_field is not None
        fields = self.body_field.field_info.annotation.model_fields  # type: ignore[union-attr]
        for name in form:
            is_list = name in fields and get_origin(fields[name].annotation) is list
            if not is_list and len(form.getlist(name)) > 1:
                raise Problem(422, f"The field {name} is given more than once.", field=name)


def check_encoding(request: Request) -> None:
    """Check that the body is not compressed.

    Raises:
        Problem: It is (415).
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise Problem(415, f"The body is encoded ({encoding[:40]}); send it without encoding.")


class _Parser(MultiPartParser):
    """Starlette's parser; also reports whether the form has its end, without which parts are lost.

    Starlette accepts forms that are cut off.
    """

    ended = False

    def on_end(self) -> None:
        self.ended = True


async def _read_form(request: Request) -> FormData:
    parser = _Parser(
        request.headers,
        request.stream(),
        max_files=_PARTS,
        max_fields=_PARTS,
        max_part_size=_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Problem(400, f"The form cannot be read: {error.message.rstrip('.')}.") from None
    if not parser.ended:
        await form.close()
        raise Problem(400, "The form is cut off: the boundary at its end is missing.")
    return form
