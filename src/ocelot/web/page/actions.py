"""What each button of the page does, without a word of Gradio: events in, views out.

A view says what is to change on the page. Handlers are async generators, so that results are
there before a reranker has looked at them; every error becomes a sentence on the page.
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
from ocelot.service import Overview, Service
from ocelot.types import Query
from ocelot.web.page import cards
from ocelot.web.page.cards import Cards
from ocelot.web.page.filters import Offer, expression
from ocelot.web.page.form import Form, Upload, path_of
from ocelot.web.page.query_images import QueryPictures
from ocelot.web.page.state import KEEP, Session, Step, View

__all__ = ["Actions", "Handler"]

_THEME = "phone case with this image theme"
_SAYINGS = ("the same in blue", "the same without a pattern", "one that goes with this")
_log = logging.getLogger(__name__)


Views = AsyncIterator[View]
Handler = Callable[..., Views]


def _readable(handler: Handler) -> Handler:
    """Any error of a handler as a sentence on the page."""

    @wraps(handler)
    async def guarded(*args: Any) -> Views:
        try:
            async for view in handler(*args):
                yield view
        except OcelotError as error:
            yield View(status=cards.status(""), notice=cards.notice(str(error)))
        except Exception:
            _log.exception("a handler of the page failed")
            text = "Something went wrong on the server, which has noted it; please try again."
            yield View(status=cards.status(""), notice=cards.notice(text))

    return guarded


class Actions:
    """Handlers over one service."""

    def __init__(self, service: Service, look: Cards, pictures: QueryPictures) -> None:
        self._service = service
        self._cards = look
        self._pictures = pictures
        self._demo = demo_shop_size()

    @_readable
    async def open(self, session: Session) -> Views:
        """A page is opened."""
        yield await self._start()

    @_readable
    async def pick(self, session: Session, picture: Upload) -> Views:
        """A picture was chosen: say at once when it is none."""
        path = path_of(picture)
        try:
            if path is not None:
                await self._pictures.read(path)
            yield View()
        except ImageError as error:
            yield View(picture=None, notice=cards.notice(str(error)))

    @_readable
    async def search(self, session: Session, *entered: Any) -> Views:
        """Search with what was entered: the arguments of `Form.of` after the first."""
        form = await self._form(session, entered)
        if form.picture is None and not form.text.strip():
            raise InputError("Give a picture, a sentence, or both; then search.")
        if session.awaits(form):  # pressed twice
            return
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
            "anew": self._anew,
            "demo": self._fill,
            "leopard": self._leopard,
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
            {"added": bool} (False: it was there already), or {"reason": why it cannot be used}.
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
            return {"reason": "Something went wrong on the server, which has noted it."}

    async def _answer(self, session: Session, form: Form, label: str = "") -> Views:
        turn = session.begin()
        yield View(status=cards.status("Searching…", busy=True))
        query = await self._query(form)
        answer = await self._service.search(
            query, limit=form.limit, filter=self._filter(form), reranked=form.reranker is not None
        )
        if session.turn != turn:
            return
        reranker = form.reranker if answer.result.hits else None
        found = words.count(len(answer.result.hits))
        status = cards.status(f"{found}, the most similar first.")
        if reranker is not None:
            status = cards.status(words.judging(reranker), busy=True)
        results = self._cards.answer(answer, judging=reranker is not None)
        name = words.short(label or words.asked(query))
        step = Step(form, name, status, results, judging=reranker is not None)
        session.keep(step)
        shown = View(more="", steps=session.shown(), status=status, results=results)
        if reranker is None:
            yield shown
            return
        verdict = asyncio.ensure_future(self._service.rerank(answer, reranker))
        try:
            yield shown  # the reranker is at work meanwhile
            answer = await verdict
        finally:
            verdict.cancel()
        assert answer.result.ranking is not None
        status = cards.status(f"{found}, ranked by {answer.result.ranking.reranker}.")
        ranked = replace(step, status=status, results=self._cards.answer(answer), judging=False)
        if session.change(step, ranked):
            yield View(status=status, results=ranked.results)

    async def _similar(self, session: Session, form: Form, id: str) -> Views:
        turn = session.begin()
        item = await self._service.get(id)
        hits = await self._service.similar(id, limit=form.limit, filter=self._filter(form))
        asked = replace(form, picture=await self._pictures.preview(id), text="")
        if session.turn != turn:
            return
        status = cards.status(f"{words.count(len(hits))} like this one.")
        results = self._cards.similar(hits, item.title)
        session.keep(Step(asked, words.short(f"Like “{item.title}”"), status, results))
        yield View(
            picture=asked.picture, text="", more="", steps=session.shown(), status=status,
            results=results,
        )  # fmt: skip

    async def _use(self, session: Session, form: Form, id: str) -> Views:
        picture = await self._pictures.preview(id)
        yield View(picture=picture, text="", status=cards.status("Now say what should differ."))

    async def _say(self, session: Session, form: Form, sentence: str) -> Views:
        yield View(text=sentence[: self._service.limits.text_length])

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
        step = session.steps[session.at]
        yield View(
            picture=step.form.picture, text=step.form.text, steps=session.shown(),
            status=step.status, results=step.results, more="",
        )  # fmt: skip

    async def _anew(self, session: Session, form: Form, _: str) -> Views:
        session.begin()
        session.steps, session.at = [], 0
        yield await self._start()

    async def _added(self, session: Session, form: Form, _: str) -> Views:
        """The collection has grown: what is shown of an answer stays."""
        view = replace(await self._start(), picture=KEEP, text=KEEP, notice=KEEP, reset=False)
        if session.steps:
            view = replace(view, steps=KEEP, status=KEEP, more=KEEP, results=KEEP)
        yield view

    async def _fill(self, session: Session, form: Form, _: str) -> Views:
        loop = asyncio.get_running_loop()
        reports: asyncio.Queue[Progress | None] = asyncio.Queue()

        def tell(report: Progress) -> None:
            loop.call_soon_threadsafe(reports.put_nowait, report)

        yield View(status=cards.status(""), results=self._cards.filling(0, self._demo))
        work = asyncio.ensure_future(asyncio.to_thread(self._service.fill_with_demo, tell))
        work.add_done_callback(lambda _: reports.put_nowait(None))
        while (report := await reports.get()) is not None:
            yield View(results=self._cards.filling(report.done, report.total))
        notice = ""
        try:
            await work
        except OcelotError as error:
            notice = cards.notice(str(error))
        yield replace(await self._start(), notice=notice)

    async def _form(self, session: Session, entered: Sequence[Any]) -> Form:
        if session.offer is None:  # forgotten: the server was started anew, or has had many pages
            session.offer = Offer.of((await self._service.overview()).facets)
        return Form.of(session.offer, *entered)

    async def _start(self) -> View:
        overview = await self._service.overview()
        if overview.info.count:
            results = self._cards.browse(overview.examples)
        else:
            results = self._cards.empty(self._demo, overview.info.deployment == "lite")
        return replace(
            self._held(overview), picture=None, text="", more="", status=cards.status(""), steps="",
            reset=True, results=results,
        )  # fmt: skip

    def _held(self, overview: Overview) -> View:
        drawn = {"kind", "pattern"} <= {facet.key for facet in overview.facets}
        sayings = (_THEME, *_SAYINGS) if drawn else _SAYINGS
        return View(
            header=cards.header(words.count(overview.info.count)),
            suggestions=cards.suggestions(sayings, drawn) if overview.info.count else "",
            offer=Offer.of(overview.facets),
        )

    async def _query(self, form: Form) -> Query:
        text, most = form.text.strip(), self._service.limits.text_length
        if len(text) > most:
            raise InputError(f"The sentence is longer than {most:,} characters; say it shorter.")
        picture = None if form.picture is None else await self._pictures.read(form.picture)
        return Query(picture, text or None)

    def _filter(self, form: Form) -> str | None:
        text, most = expression(form.chosen), self._service.limits.filter_length
        if text is not None and len(text) > most:
            raise InputError(f"The filter is longer than {most:,} characters; choose less.")
        return text
