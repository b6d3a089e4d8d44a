"""Reading what was sent: JSON or a form, and the pictures in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ocelot.images.file import ImageFile
from ocelot.service import Service
from ocelot.web.api.problems import Refusal
from ocelot.web.api.requests import TAGS, ImageData, ImageOfItem, SearchRequest

__all__ = [
    "in_utf_8",
    "item_form",
    "names_of",
    "pictures_of",
    "read_body",
    "search_form",
]

Model = TypeVar("Model", bound=BaseModel)
Part = tuple[str, "str | bytes"]  # of a form: a field or a file
Form = Callable[[Sequence[Part]], dict[str, Any]]

_JSON, _FORM = "application/json", "multipart/form-data"
_MAX_FIELD = 256 * 2**10  # bytes of a text; metadata is the longest
_MAX_PARTS = 64
_TRUTHS: dict[str, Any] = {"true": True, "false": False}
_SEARCH_FIELDS = frozenset(SearchRequest.model_fields) - {"images"}


async def read_body(request: Request, model: type[Model], form: Form | None = None) -> Model:
    """The body of a request, checked: JSON, or a form where `form` reads one.

    Raises:
        Refusal: It is of another type or in another charset (415), or neither JSON nor a whole
            form (400).
        RequestValidationError: A field does not fit.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise Refusal(415, f"The body is encoded ({encoding[:40]}); send it as it is.")
    # Reading large pictures in base64 takes a while: in a thread, so that nobody else waits.
    if media_type == _JSON:
        body = await request.body()
        return await run_in_threadpool(
            _checked, lambda: model.model_validate_json(body, strict=True)
        )
    if media_type == _FORM and form is not None:
        fields = form(await _parts(request))
        return await run_in_threadpool(_checked, lambda: model.model_validate(fields))
    takes = f"{_JSON} or {_FORM}" if form else _JSON
    raise Refusal(415, f"The Content-Type must be {takes}, was: {media_type[:80] or 'missing'}.")


def _checked(validate: Callable[[], Model]) -> Model:
    try:
        return validate()
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False, include_context=False)
    if errors[0]["type"] == "json_invalid":
        cause = errors[0]["msg"].removeprefix("Invalid JSON: ")
        raise Refusal(400, f"The body is no valid JSON ({cause}).")
    # The names of alternatives are ours; the field is what the client has sent.
    located = [
        {**one, "loc": ("body", *(part for part in one["loc"] if part not in TAGS))}
        for one in errors
    ]
    raise RequestValidationError(located)


async def _parts(request: Request) -> list[Part]:
    in_utf_8(request)
    parser = _Parser(
        request.headers,
        request.stream(),
        max_files=_MAX_PARTS,
        max_fields=_MAX_PARTS,
        max_part_size=_MAX_FIELD,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise Refusal(400, f"The form cannot be read: {error.message.rstrip('.')}.") from None
    try:
        if not parser.ended:
            raise Refusal(400, "The form is cut off: the boundary at its end is missing.")
        return [
            (name, value if isinstance(value, str) else await value.read())
            for name, value in form.multi_items()
        ]
    finally:
        await form.close()


class _Parser(MultiPartParser):
    """Starlette's, that also tells whether the form came to its end; the last part hangs on it."""

    ended = False

    def on_end(self) -> None:
        self.ended = True


def in_utf_8(request: Request) -> None:
    """Check that a form is in UTF-8, as all browsers send it.

    Raises:
        Refusal: It says that it is in something else (415).
    """
    _, parameters = parse_options_header(request.headers.get("content-type"))
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise Refusal(415, f"The form is in {charset[:40]}; send it in UTF-8.")


def search_form(parts: Sequence[Part]) -> dict[str, Any]:
    """The fields of a `SearchRequest` in a form."""
    images: list[dict[str, Any]] = []
    fields: dict[str, Any] = {}
    for name, value in parts:
        if name == "image":
            images.append({"base64": _file(name, value)})
        elif name == "image_id":
            images.append({"id": _text(name, value)})
        elif name not in _SEARCH_FIELDS:
            raise _unknown(name, ("image", "image_id", *sorted(_SEARCH_FIELDS)))
        else:
            _once(name, fields)
            fields[name] = _text(name, value)
    for name in fields.keys() & {"rerank", "keep_reference"}:
        fields[name] = _TRUTHS.get(fields[name].lower(), fields[name])
    return {**fields, "images": images}


def item_form(parts: Sequence[Part]) -> dict[str, Any]:
    """The fields of an `ItemRequest` in a form: a file, and its metadata as a JSON object."""
    fields: dict[str, Any] = {}
    for name, value in parts:
        if name == "image":
            _once(name, fields)
            fields[name] = {"base64": _file(name, value)}
        elif name == "metadata":
            _once(name, fields)
            fields[name] = _object(name, _text(name, value))
        else:
            raise _unknown(name, ("image", "metadata"))
    return fields


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        found = from_json(text)
        cause = "it is none"
    except (TypeError, ValueError) as error:
        found, cause = None, str(error)
    if not isinstance(found, dict):
        raise Refusal(422, f"The {name} must be a JSON object ({cause}).", field=name)
    return found


def _file(name: str, value: str | bytes) -> bytes:
    if isinstance(value, str):
        raise Refusal(
            422, f"The field {name} must be a file (with curl: -F {name}=@FILE).", field=name
        )
    return value


def _text(name: str, value: str | bytes) -> str:
    if isinstance(value, bytes):
        raise Refusal(422, f"The field {name} must be a text, not a file.", field=name)
    return value


def _once(name: str, fields: dict[str, Any]) -> None:
    if name in fields:
        raise Refusal(422, f"The field {name} is given more than once.", field=name)


def _unknown(name: str, known: Sequence[str]) -> Refusal:
    return Refusal(
        422, f"The form has a field {name[:80]!r}; known are {', '.join(known)}.", field=name[:80]
    )


async def pictures_of(
    service: Service, images: Sequence[ImageData | ImageOfItem], names: Sequence[str]
) -> list[ImageFile]:
    """Each picture: what was sent, checked, or the file of an indexed item.

    Args:
        names: What to call each picture in messages; see `names_of`.

    Raises:
        ImageError: What was sent is no picture, or one with too many pixels.
        ItemNotFound: There is no such item, or its file is gone.
    """
    found = []
    for name, image in zip(names, images, strict=True):
        if isinstance(image, ImageOfItem):
            found.append(ImageFile((await service.picture(image.id)).data, name))
            continue
        sent = ImageFile(image.base64, name)
        await run_in_threadpool(sent.probe, service.limits.pixels)
        found.append(sent)
    return found


def names_of(number: int) -> list[str]:
    """What to call pictures in messages.

    >>> names_of(1), names_of(2)
    (['the picture'], ['picture 1', 'picture 2'])
    """
    return ["the picture"] if number == 1 else [f"picture {n}" for n in range(1, number + 1)]
