"""What each button of the page does, without Gradio: events in, views out.

A view says what changes on the page. Handlers are async generators, so that results are shown
before a reranker has finished; every error becomes a sentence on the page.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

from ocelot.assets import demo_shop_size
from ocelot.errors import ImageError, InputError, OcelotError
from ocelot.images.file import ImageFile
from ocelot.indexing import Progress
from ocelot.render import words
from ocelot.service import MAX_TEXT, Service
from ocelot.types import Query
from ocelot.web.page.cards import card, notice, status
from ocelot.web.page.form import Form, Offer, Upload, expression, path_of
from ocelot.web.page.query_images import QueryPictures
from ocelot.web.page.state import KEEP, Session, Step, View

__all__ = ["Actions", "Handler"]

_THEME = "phone case with this image theme"
_SENTENCES = ("the same in blue", "the same without a pattern", "one that goes with this")
_FAILED = "The server failed; its log says why. Try again."
_log = logging.getLogger(__name__)

Views = AsyncIterator[View]
Handler = Callable[..., Views]


def _readable(handler: Handler) -> Handler:
    """Show any error of a handler as a sentence on the page."""

    @wraps(handler)
    async def guarded(*args: Any) -> Views:
        try:
            async for view in handler(*args):
                yield view
        except OcelotError as error:
            yield View(status=status(""), notice=notice(str(error)))
        except Exception:
            _log.exception("a handler of the page failed")
            yield View(status=status(""), notice=notice(_FAILED))

    return guarded


class Actions:
    """Handlers over one service."""

    def __init__(self, service: Service, pictures: QueryPictures) -> None:
        self._service = service
        self._pictures = pictures
        self._demo = demo_shop_size()

    @_readable
    async def open(self, session: Session) -> Views:
        """A page is opened."""
        yield await self._start()

    @_readable
    async def pick(self, session: Session, picture: Upload) -> Views:
        """A picture was chosen: report at once if it cannot be used."""
        path = path_of(picture)
        try:
            if path is not None:
                await self._pictures.read(path)
            yield View()
        except ImageError as error:
            yield View(picture=None, notice=notice(str(error)))

    @_readable
    async def search(self, session: Session, *entered: Any) -> Views:
        """Search with what was entered: the arguments of `Form.of` after `offer`."""
        form = await self._form(session, entered)
        if form.picture is None and not form.text.strip():
            raise InputError("Give a picture, a sentence, or both; then search.")
        if not session.awaits(form):  # pressed twice
            async for view in self._answer(session, form):
                yield view

    @_readable
    async def refine(self, session: Session, sentence: str, *entered: Any) -> Views:
        """Add a sentence to the search that is shown."""
        form = await self._form(session, entered)
        if not sentence.strip():
            raise InputError("Say what should be different; then refine.")
        last = session.steps[session.at].form if session.steps else form
        text = ", ".join(part for part in (last.text.strip(), sentence.strip()) if part)
        asked = replace(form, picture=last.picture, text=text)
        yield View(picture=asked.picture, text=asked.text)
        async for view in self._answer(session, asked, f"… {sentence.strip()}"):
            yield view

    @_readable
    async def act(self, session: Session, data: Mapping[str, Any], *entered: Any) -> Views:
        """A button in a card, a step or a suggestion was pressed; `data` are its `data-…`."""
        form = await self._form(session, entered)
        handler = {
            "added": self._added,
            "demo": self._fill,
            "leopard": self._leopard,
            "restart": self._restart,
            "say": self._say,
            "similar": self._similar,
            "step": self._back,
            "use": self._use,
        }.get(str(data.get("act")))
        if handler is not None:
            async for view in handler(session, form, str(data.get("value", ""))):
                yield view

    async def add(self, path: str) -> dict[str, Any]:
        """Index one uploaded file, and remove the upload.

        Returns:
            {"added": False} for a picture that was stored before; {"reason": ...} on an error.
        """
        try:
            _, created = await self._service.add(ImageFile(await self._pictures.take(path)))
            return {"added": created}
        except ImageError as error:
            return {"reason": f"{error.reason}."}
        except OcelotError as error:
            return {"reason": str(error)}
        except Exception:
            _log.exception("an upload could not be added")
            return {"reason": _FAILED}

    async def _answer(self, session: Session, form: Form, label: str = "") -> Views:
        turn = session.begin()
        yield View(status=status("Searching…", busy=True))
        query = await self._query(form)
        answer = await self._service.search(
            query,
            limit=form.limit,
            filter=expression(form.chosen),
            reranked=form.reranker is not None,
        )
        if session.turn != turn:
            return
        reranker = form.reranker if answer.result.hits else None
        found = words.count(len(answer.result.hits))
        judging = reranker is not None
        state = status(f"{found}, the most similar first.")
        if reranker is not None:
            state = status(words.judging(reranker), busy=True)
        name = words.short(label or words.asked(query))
        step = Step(form, name, state, card("answer", answer, judging), judging)
        session.keep(step)
        shown = View(more="", steps=session.shown(), status=state, results=step.results)
        if reranker is None:
            yield shown
            return
        verdict = asyncio.ensure_future(self._service.rerank(answer, reranker))
        try:
            yield shown  # while the reranker is running
            answer = await verdict
        finally:
            verdict.cancel()
        assert answer.result.ranking is not None
        state = status(f"{found}, {words.ranked(answer.result.ranking)}.")
        ranked = Step(form, name, state, card("answer", answer, False))
        if session.change(step, ranked):
            yield View(status=state, results=ranked.results)

    async def _similar(self, session: Session, form: Form, id: str) -> Views:
        turn = session.begin()
        item = await self._service.get(id)
        hits = await self._service.similar(id, limit=form.limit, filter=expression(form.chosen))
        asked = replace(form, picture=await self._pictures.preview(id), text="")
        if session.turn != turn:
            return
        state = status(f"{words.count(len(hits))} like this one.")
        name = words.short(f"Like “{item.title}”")
        session.keep(Step(asked, name, state, card("similar", hits, item.title)))
        yield self._shown(session)

    async def _use(self, session: Session, form: Form, id: str) -> Views:
        picture = await self._pictures.preview(id)
        yield View(picture=picture, text="", status=status("Now say what should differ."))

    async def _say(self, session: Session, form: Form, sentence: str) -> Views:
        yield View(text=sentence[:MAX_TEXT])

    async def _leopard(self, session: Session, form: Form, _: str) -> Views:
        asked = replace(form, picture=await self._pictures.leopard(), text=_THEME)
        yield View(picture=asked.picture, text=asked.text)
        async for view in self._answer(session, asked):
            yield view

    async def _back(self, session: Session, form: Form, number: str) -> Views:
        if not number.isdecimal() or int(number) >= len(session.steps):
            raise InputError("This step is not kept any more; search again.")
        session.begin()
        session.at = int(number)
        yield self._shown(session)

    def _shown(self, session: Session) -> View:
        """The step that is shown."""
        step = session.steps[session.at]
        return View(
            picture=step.form.picture, text=step.form.text, steps=session.shown(),
            status=step.status, results=step.results, more="",
        )  # fmt: skip

    async def _restart(self, session: Session, form: Form, _: str) -> Views:
        session.begin()
        session.steps, session.at = [], 0
        yield await self._start()

    async def _added(self, session: Session, form: Form, _: str) -> Views:
        """The collection has grown; an answer that is shown stays."""
        view = replace(await self._start(), picture=KEEP, text=KEEP, notice=KEEP, reset=False)
        if session.steps:
            view = replace(view, steps=KEEP, status=KEEP, more=KEEP, results=KEEP)
        yield view

    async def _fill(self, session: Session, form: Form, _: str) -> Views:
        loop = asyncio.get_running_loop()
        reports: asyncio.Queue[Progress | None] = asyncio.Queue()

        def tell(report: Progress) -> None:
            loop.call_soon_threadsafe(reports.put_nowait, report)

        yield View(status=status(""), results=card("filling", 0, self._demo))
        work = asyncio.ensure_future(asyncio.to_thread(self._service.fill_with_demo, tell))
        work.add_done_callback(lambda _: reports.put_nowait(None))
        while (report := await reports.get()) is not None:
            yield View(results=card("filling", report.done, report.total))
        failure = ""
        try:
            await work
        except OcelotError as error:
            failure = notice(str(error))
        yield replace(await self._start(), notice=failure)

    async def _form(self, session: Session, entered: Sequence[Any]) -> Form:
        if session.offer is None:  # after a restart of the server, or many other pages
            session.offer = Offer.of((await self._service.overview()).facets)
        return Form.of(session.offer, *entered)

    async def _start(self) -> View:
        overview = await self._service.overview()
        count, local = overview.info.count, overview.info.deployment == "lite"
        is_demo = {"kind", "pattern"} <= {facet.key for facet in overview.facets}
        sentences = (_THEME, *_SENTENCES) if is_demo else _SENTENCES
        filled, empty = ("browse", overview.examples), ("empty", self._demo, local)
        return View(
            header=card("header", words.count(count)),
            suggestions=card("suggestions", sentences, is_demo) if count else "",
            picture=None, text="", status=status(""), steps="", more="", reset=True,
            results=card(*(filled if count else empty)),
            offer=Offer.of(overview.facets),
        )  # fmt: skip

    async def _query(self, form: Form) -> Query:
        text = form.text.strip()
        if len(text) > MAX_TEXT:
            raise InputError(f"The sentence is longer than {MAX_TEXT:,} characters; shorten it.")
        picture = None if form.picture is None else await self._pictures.read(form.picture)
        return Query(picture, text or None)
