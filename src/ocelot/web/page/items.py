"""Single items on the page: show one, add pictures, edit, delete and bring back."""

from __future__ import annotations

import math
import re
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import quote

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from ocelot.errors import ImageError, InputError, ItemNotFound, OcelotError
from ocelot.images.file import ImageFile
from ocelot.service import Service
from ocelot.types import MAX_REFERENCES, Item
from ocelot.web.api.problems import problem_of
from ocelot.web.page.question import Question, question_of
from ocelot.web.page.rendering import form_of, send, texts_of
from ocelot.web.page.texts import Texts
from ocelot.web.paths import shows_pages

__all__ = ["Items", "edited", "title_of"]

_FILES, _FIELDS = 200, 256  # of one form
_EDITED = 8192  # fields of one form; more do not fit into the metadata of an item
_APART = ("title", "price", "currency", "url", "file_name")  # fields that are shown elsewhere
_THOUSANDS = re.compile(r",\d{3}(?!\d)")  # 1,299 is 1299 to some and 1.299 to others

Show = Callable[..., Awaitable[Response]]


class Items:
    """Handlers of the paths of items.

    Args:
        page: Shows a question's page.
    """

    def __init__(self, service: Service, page: Show) -> None:
        self._service = service
        self._page = page

    async def show(self, request: Request) -> Response:
        """An item with its whole picture and all its fields; the script shows it in a dialog."""
        question = question_of(request)
        item = await self._service.get(request.path_params["id"])
        link = str(item.metadata.get("url", ""))
        safe = link.strip().lower().startswith(("https://", "http://"))
        return send(
            request,
            "item.html",
            q=question,
            item=item,
            link=link if safe else "",
            rows=_rows(item, texts_of(request)),
            editable=_editable(item),
            addable=len(question.pictures) < MAX_REFERENCES,
        )

    async def add(self, request: Request) -> Response:
        """Store pictures under their file names; the script sends one at a time."""
        added, known, failures, t = 0, 0, [], texts_of(request)
        async with form_of(request, files=_FILES, max_fields=_FIELDS) as form:
            for file in form.getlist("picture"):
                if not isinstance(file, UploadFile) or not (file.filename or file.size):
                    continue
                try:
                    created = await self._add(file)
                    added, known = added + created, known + (not created)
                except ImageError as error:  # the file is named already
                    said = t.engine(f"{error.reason}.", problem_of(error).sentence)
                    failures.append((file.filename, said))
                except OcelotError as error:
                    problem = problem_of(error)
                    failures.append((file.filename, t.engine(problem.detail, problem.sentence)))
        if not shows_pages(request.scope):
            return JSONResponse({"added": added, "known": known, "failures": failures})
        parts = [t("add.done", added=added, total=added + known + len(failures))]
        parts += [t("add.known", n=known)] if known else []
        parts += [t("add.failed", n=len(failures))] if failures else []
        report = {"said": ", ".join(parts) + ".", "failures": failures}
        return await self._page(request, Question(), report=report)

    async def _add(self, file: UploadFile) -> bool:
        """Store a picture; returns whether it is new. One that was stored keeps its metadata."""
        image = ImageFile(await file.read(), file.filename or "the picture")
        try:
            await self._service.get(image.id)
            metadata = None
        except ItemNotFound:
            metadata = {"title": title_of(file.filename or "")}
        _, created = await self._service.add(ImageFile(image.data), metadata)
        return created

    async def edit(self, request: Request) -> Response:
        """Change the metadata of an item."""
        id = request.path_params["id"]
        async with form_of(request, max_fields=_EDITED) as form:
            fields = {name: str(value) for name, value in form.multi_items()}
        item = await self._service.get(id)
        # None removes what is not among the new fields.
        changes = dict.fromkeys(item.metadata) | edited(item.metadata, fields)
        await self._service.update(id, changes)
        return RedirectResponse(question_of(request).url(f"../{quote(id, safe='')}"), 303)

    async def delete(self, request: Request) -> Response:
        """Remove an item; the page offers to bring it back."""
        question, id = question_of(request), request.path_params["id"]
        await self._service.delete(id, keep=True)
        like = tuple(one for one in question.like if one != id)
        unlike = tuple(one for one in question.unlike if one != id)
        left = question.but(like=like, unlike=unlike)
        return RedirectResponse(left.url("../../", undo=id), 303)

    async def restore(self, request: Request) -> Response:
        """Bring back an item that was removed."""
        async with form_of(request, max_fields=4) as form:
            _, mark, query = str(form.get("back", "")).partition("?")
        await self._service.restore(request.path_params["id"])
        return RedirectResponse(f"../../{mark}{query}", 303)


def title_of(file_name: str) -> str:
    """A title from a file's name.

    >>> title_of("C:\\\\pictures\\\\red_kettle.jpg")
    'red kettle'
    """
    name = PurePosixPath(PureWindowsPath(file_name).name)
    return " ".join(name.stem.replace("_", " ").split())[:200] or "?"


def edited(metadata: Mapping[str, Any], fields: Mapping[str, str]) -> dict[str, Any]:
    """Metadata with the changes of a form: a field that is left empty is removed.

    >>> edited({"price": 3, "title": "old", "new": True}, {"field.price": "4,5", "field.title": ""})
    {'price': 4.5, 'new': True}

    Args:
        fields: New values by "field.KEY"; a new field by its "name" and "value".

    Raises:
        InputError: A value does not suit its field.
    """
    changed: dict[str, Any] = {}
    for key, old in {"title": "", **metadata}.items():
        text = _lines(fields.get(f"field.{key}", _shown(old)))
        if text != _lines(_shown(old)):
            changed[key] = _value(key, old, text.strip())
        elif key in metadata:  # what nobody touched stays as it is, not as it is shown
            changed[key] = old
    name, value = (fields.get(part, "").strip() for part in ("name", "value"))
    if name and value:
        changed[name] = value
    return {key: value for key, value in changed.items() if value is not None}


def _value(key: str, old: Any, text: str) -> Any:
    if not text:
        return None
    if isinstance(old, bool):
        if text.lower() not in ("true", "false"):
            raise InputError(f"The field {key} must be true or false, was: {text[:40]!r}.")
        return text.lower() == "true"
    if isinstance(old, (int, float)):
        return _number(key, text, whole=isinstance(old, int))
    return text


def _number(key: str, text: str, *, whole: bool) -> int | float:
    """The number that a text says; a whole one as an int if `whole`."""
    given = math.nan
    with suppress(ValueError):
        given = float(text.replace(",", "."))
    number: int | float = given
    if whole and given.is_integer():
        number = int(given)
        with suppress(ValueError):  # as of 3.0; the float has lost all beyond 53 bits
            number = int(text)
    if _THOUSANDS.search(text) or not abs(number) < 2**63:  # also what is not a number
        raise InputError(
            f"The field {key} must be a number between -2^63 and 2^63 with a point before "
            f"decimals and nothing between thousands, was: {text[:40]!r}."
        )
    return number


def _lines(text: str) -> str:
    """A text with plain line breaks; a browser sends all as CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _shown(value: Any) -> str:
    """A value as the form shows it; "" if it cannot be edited as text."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (str, int, float)) else ""


def _editable(item: Item) -> dict[str, str]:
    """Fields that can be edited as text; an item without a title gets one."""
    found = {
        key: _lines(_shown(value))
        for key, value in item.metadata.items()
        if isinstance(value, (str, int, float))
    }
    return {"title": "", **found}


def _rows(item: Item, t: Texts) -> list[tuple[str, str]]:
    """All fields as text, besides what is shown apart."""

    def text(value: Any) -> str:
        if isinstance(value, bool):
            return t("yes" if value else "no")
        if isinstance(value, float):
            return f"{value:.10g}"
        if isinstance(value, (list, tuple)):
            return ", ".join(map(str, value))
        return str(value).replace("_", " ")

    return [(key, text(value)) for key, value in item.metadata.items() if key not in _APART]
