"""What each path of the page answers."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from ocelot.assets import demo_shop
from ocelot.errors import InputError, ItemNotFound, OcelotError, StorageError
from ocelot.service import Overview, Service
from ocelot.web.api.problems import Problem, problem_of
from ocelot.web.page.items import Items
from ocelot.web.page.pictures import HASH, QueryPictures
from ocelot.web.page.question import FIRST, STEP, Question, question_of
from ocelot.web.page.rendering import form_of, render, send, static, texts_of
from ocelot.web.page.shop import Demo, Found, Shop
from ocelot.web.page.views import answer_view, ask_view, more_url
from ocelot.web.paths import shows_pages
from ocelot.web.security.body_limits import Shutdown

__all__ = ["HEARTBEAT", "create_page"]

HEARTBEAT = 10.0  # seconds; proxies close a connection that is silent for longer
_FORM = {"files": 16, "max_fields": 256, "max_part_size": 64 * 2**10}
_SHOWN = 8  # pictures of the collection, at first
_BROWSED = 60  # those that a filter selects
_PREVIEW = 720  # pixels, longest side of a query picture on the page
_CROP = re.compile(r"(like|image):(.+)", re.DOTALL)
_PICTURE_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"

Handler = Callable[[Request], Awaitable[Response]]


def create_page(service: Service, shutdown: Shutdown, *, heartbeat: float = HEARTBEAT) -> APIRouter:
    """The routes of the page; the HTTP API is at its side.

    Args:
        heartbeat: Seconds between the signs of life of an answer that is waited for.
    """
    pictures = QueryPictures(service.uploads / "queries", service.limits)
    page = _Page(Shop(service, pictures), shutdown, heartbeat)
    items = Items(service, page.show)
    router = APIRouter(include_in_schema=False)
    router.include_router(static)
    routes: list[tuple[str, str, Handler]] = [
        ("GET", "/", page.home),
        ("POST", "/", page.ask),
        ("GET", "/verdict", page.verdict),
        ("GET", "/more", page.more),
        ("GET", "/crop", page.show_crop),
        ("POST", "/crop", page.crop),
        ("GET", "/pictures/{hash}", page.picture),
        ("POST", "/demo", page.fill),
        ("POST", "/items", items.add),
        ("GET", "/items/{id}", items.show),
        ("POST", "/items/{id}/edit", items.edit),
        ("POST", "/items/{id}/delete", items.delete),
        ("POST", "/items/{id}/restore", items.restore),
    ]
    for method, path, handler in routes:
        router.add_route(path, page.readable(handler), [method])
    return router


class _Page:
    """Handlers over one shop."""

    def __init__(self, shop: Shop, shutdown: Shutdown, heartbeat: float) -> None:
        self._shop = shop
        self._service = shop.service
        self._shutdown = shutdown
        self._heartbeat = heartbeat
        self._demo = Demo(self._service)

    def readable(self, handler: Handler) -> Handler:
        """Show an error of a handler as a sentence on the page."""

        async def readable(request: Request) -> Response:
            try:
                return await handler(request)
            except (OcelotError, Problem, HTTPException) as error:
                problem = problem_of(error)
            if problem.status >= 500 or not shows_pages(request.scope):
                return problem.response()  # the database may be away, and a page would need it
            question = Question()
            with suppress(OcelotError):  # the link cannot be read
                question = question_of(request)
            response = await self.show(request, question, problem)
            response.headers.update(problem.headers)
            return response

        return readable

    async def home(self, request: Request) -> Response:
        """The answer to the question of the link; without one, the collection."""
        return await self.show(request, question_of(request))

    async def ask(self, request: Request) -> Response:
        """A form with a question, perhaps with pictures: on to the question's link."""
        async with form_of(request, **_FORM) as form:
            fields = [(name, one) for name, one in form.multi_items() if isinstance(one, str)]
            question = Question.of(fields)
            try:
                given = await self._given(form)
                question = Question.of([*fields, *(("image", hash) for hash in given)])
                if not (question.asks or question.filtered):
                    said = "Give a picture, a text, or both; then search."
                    raise Problem(422, said, type="urn:ocelot:problem:nothing-asked")
            except (OcelotError, Problem) as error:
                return await self.show(request, question, problem_of(error))
        return RedirectResponse(question.url(), 303)

    async def _given(self, form: FormData) -> list[str]:
        """Keep the pictures of a form; returns their content hashes."""
        keep, files = self._shop.pictures.keep, form.getlist("picture")
        return [
            await self._service.work(keep, await file.read())
            for file in files
            if isinstance(file, UploadFile) and (file.filename or file.size)
        ]

    async def show(
        self,
        request: Request,
        question: Question,
        problem: Problem | None = None,
        **more: Any,
    ) -> Response:
        """The page of a question.

        Args:
            problem: What has gone wrong; the page then only says so.
            **more: Further values of the template.
        """
        t, service = texts_of(request), self._service
        undo = request.query_params.get("undo", "")
        values: dict[str, Any] = {
            "answer": None,
            "items": None,
            "undo": undo if service.restorable(undo) else "",
            "report": None,
            "filling": self._demo.filling,
            "empty": False,
            "problem": problem or self._demo.problem(),
        }
        overview = await service.overview()
        liked = []
        if problem is None:
            try:
                liked = [await service.get(id) for id in question.like]
                if question.asks:
                    wait = "wait" in request.query_params and not _is_foreign(request)
                    found = await self._shop.find(question, overview, wait=wait)
                    title = liked[0].title if question.is_only_like else ""
                    values |= answer_view(t, question, found, title)
                elif not overview.info.count:
                    local = overview.info.deployment == "lite"
                    values |= {"empty": True, "demo": self._demo.size, "local": local}
                else:
                    values["items"] = await self._browsed(question, overview)
            except OcelotError as error:
                problem = values["problem"] = problem_of(error)
        leopard = await self._leopard(overview)
        values |= ask_view(t, question, service, overview, liked, leopard)
        status = problem.status if problem else 200
        return send(request, "page.html", status, **(values | more))

    async def _browsed(self, question: Question, overview: Overview) -> Any:
        if not question.filtered:
            return overview.examples[:_SHOWN]
        filter = question.expression(overview.facets)
        items, _ = await self._service.page(limit=_BROWSED, filter=filter)
        return items

    async def _leopard(self, overview: Overview) -> str | None:
        """The query picture of the demo shop, if this is its collection."""
        if not {"kind", "pattern"} <= {facet.key for facet in overview.facets}:
            return None
        data = await self._service.work((demo_shop() / "leopard.jpg").read_bytes)
        with suppress(StorageError):  # then it is not suggested
            return await self._service.work(self._shop.pictures.keep, data)
        return None

    async def verdict(self, request: Request) -> Response:
        """The order of a slow reranker as one server-sent event, with signs of life before it."""
        if _is_foreign(request):
            raise Problem(403, "A page of another site may not ask the language model.")
        question = question_of(request).but()
        found = await self._shop.find(question, await self._service.overview())
        headers = {"X-Accel-Buffering": "no"}  # a proxy must send each event at once
        events = self._events(request, question, found)
        return StreamingResponse(events, media_type="text/event-stream", headers=headers)

    async def _events(
        self, request: Request, question: Question, found: Found
    ) -> AsyncIterator[bytes]:
        yield b"retry: 1000\n\n"
        if found.pending is not None:
            verdict = self._shop.judge(question, found.answer, found.pending)
            judging = asyncio.ensure_future(verdict)
            try:
                with self._shutdown.calling(judging.cancel):
                    while not judging.done():
                        await asyncio.wait({judging}, timeout=self._heartbeat)
                        if not judging.done():
                            yield b": waiting\n\n"
            finally:
                judging.cancel()
            if judging.cancelled():  # the server stops; the browser comes back when it does
                return
            found = Found(judging.result(), None, found.has_more)
        values = answer_view(texts_of(request), question, found)
        html = render(request, "answer.html", **values)
        data = json.dumps({"question": question.url(), "html": html})
        yield f"event: verdict\ndata: {data}\n\n".encode()

    async def more(self, request: Request) -> Response:
        """Further results, for the script."""
        question = question_of(request)
        found = await self._shop.find(question, await self._service.overview())
        hits = found.answer.result.hits[max(FIRST, question.limit - STEP) :]
        return send(request, "more.html", hits=hits, q=question, more=more_url(question, found))

    async def show_crop(self, request: Request) -> Response:
        """A picture of the question, to choose a part of it."""
        question, (kind, id) = question_of(request), _part_of(request)
        source = f"pictures/{id}" if kind == "image" else f"v1/items/{quote(id)}/image?size=1024"
        return send(request, "crop.html", q=question, of=f"{kind}:{id}", src=source)

    async def crop(self, request: Request) -> Response:
        """Search with a part of a picture in its place."""
        question, (kind, id) = question_of(request), _part_of(request)
        async with form_of(request, **_FORM) as form:
            box = [_percent(name, form) for name in ("left", "top", "width", "height")]
        hash = await self._shop.crop(kind, id, box)
        return RedirectResponse(question.without_picture(kind, id, hash).url(), 303)

    async def picture(self, request: Request) -> Response:
        """A query picture, as a JPEG."""
        hash = request.path_params["hash"]
        if not HASH.fullmatch(hash):
            raise ItemNotFound("There is no such picture.")
        data = await self._service.work(self._shop.pictures.small, hash, _PREVIEW)
        headers = {
            "Cache-Control": "private, max-age=86400",
            "Content-Security-Policy": _PICTURE_POLICY,
        }
        return Response(data, headers=headers, media_type="image/jpeg")

    async def fill(self, request: Request) -> Response:
        """Begin to index the demo shop; the page shows how far that is."""
        self._demo.begin()
        return RedirectResponse("./", 303)


def _is_foreign(request: Request) -> bool:
    """Whether a page of another site made the browser ask, which may cost money."""
    return request.headers.get("sec-fetch-site") == "cross-site"


def _part_of(request: Request) -> tuple[str, str]:
    """Which picture is to be cropped: "like" or "image", and its id."""
    found = _CROP.fullmatch(request.query_params.get("of", ""))
    if found is None or (found[1] == "image" and not HASH.fullmatch(found[2])):
        raise InputError("The link does not say which picture to crop; go back to the answer.")
    return found[1], found[2]


def _percent(name: str, form: FormData) -> float:
    try:
        value = float(str(form.get(name, "")))
    except ValueError:
        value = -1.0
    if not 0 <= value <= 100:
        raise InputError(f"The {name} must be a number from 0 to 100 percent.")
    return value
