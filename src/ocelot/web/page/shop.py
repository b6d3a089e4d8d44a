"""What the page asks of the service: answers, verdicts of rerankers, pictures, the demo shop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cachetools import TTLCache

from ocelot.assets import demo_shop_size
from ocelot.errors import InputError
from ocelot.images.file import ImageFile
from ocelot.indexing import Progress
from ocelot.service import Answer, Overview, Service
from ocelot.types import Query, Result
from ocelot.web.api.problems import Problem, problem_of
from ocelot.web.page.pictures import NAME, QueryPictures, cropped
from ocelot.web.page.question import FIRST, MOST, NO_RERANKER, Question

__all__ = ["Demo", "Found", "Shop", "Verdicts"]

_FAST = frozenset({"fusion"})  # rerankers that are not worth a stream of their own
_KEPT, _SECONDS = 256, 600.0  # verdicts, and for how long
_GRACE = 5.0  # seconds in which a browser may come back


@dataclass(frozen=True)
class Found:
    """An answer, perhaps without its verdict.

    Attributes:
        pending: Name of the reranker whose verdict is to come.
        has_more: Whether more could be found.
    """

    answer: Answer
    pending: str | None
    has_more: bool


class Shop:
    """Answers questions; used in one event loop."""

    def __init__(self, service: Service, pictures: QueryPictures) -> None:
        self.service = service
        self.pictures = pictures
        self.verdicts = Verdicts()

    def _reranker(self, question: Question) -> str | None:
        name = question.rank or self.service.default or NO_RERANKER
        if name == NO_RERANKER or question.is_only_like:
            return None
        if name not in self.service.rerankers:
            raise InputError(f"The link names a reranker that this server has not: {name[:40]!r}.")
        return name

    async def find(self, question: Question, overview: Overview, *, wait: bool = False) -> Found:
        """Answer a question.

        Args:
            overview: Of the collection.
            wait: Whether to wait for a slow reranker, too.

        Raises:
            OcelotError: As of `Service.search`, and for a picture that is not kept any more.
        """
        filter, name = question.expression(overview.facets), self._reranker(question)
        if question.is_only_like:
            hits = await self.service.similar(question.like[0], limit=question.limit, filter=filter)
            answer = Answer(Result(Query(items=question.like), hits), None)
        else:
            answer = await self.service.search(
                question.query([await self._picture("image", one) for one in question.images]),
                limit=max(question.limit, FIRST),
                filter=filter,
                reranked=name is not None,
            )
        hits = answer.result.hits
        has_more = question.limit <= len(hits) and question.limit < MOST
        if name is None or not hits:
            return Found(answer, None, has_more)
        verdict = self.verdicts.known(_key(question, answer))
        if verdict is None and (name in _FAST or wait):
            verdict = await self.judge(question, answer, name)
        if verdict is None:
            return Found(answer, name, has_more)
        result = replace(verdict.result, hits=(*verdict.result.hits, *hits[FIRST:]))
        return Found(replace(verdict, result=result), None, has_more)

    async def judge(self, question: Question, answer: Answer, name: str) -> Answer:
        """The verdict on the first hits; it is reached once for all who wait for it."""
        first = replace(answer, result=replace(answer.result, hits=answer.result.hits[:FIRST]))
        start = partial(self.service.rerank, first, name)
        return await self.verdicts.reached(_key(question, answer), start)

    async def crop(self, kind: str, id: str, box: Sequence[float]) -> str:
        """Keep a part of a picture as a query picture; returns its content hash.

        Args:
            kind: "image" for a query picture, "like" for that of a stored item.
            box: Left, top, width and height in percent of the picture's sides.

        Raises:
            ItemNotFound, ImageError: There is no such picture, or the part cannot be used.
        """
        data = await self.service.work(cropped, await self._picture(kind, id), *box)
        return await self.service.work(self.pictures.keep, data)

    async def _picture(self, kind: str, id: str) -> ImageFile:
        if kind == "like":
            return ImageFile((await self.service.picture(id)).data, NAME)
        return await self.service.work(self.pictures.read, id)


def _key(question: Question, answer: Answer) -> Hashable:
    """What a verdict depends on: the question, and the first pictures that were found for it."""
    first = answer.result.hits[:FIRST]
    return question.but(), tuple((hit.id, repr(hit.metadata)) for hit in first)


class Verdicts:
    """Runs rerankers, each once however often it is asked for; used in one event loop.

    A verdict that nobody waits for is given up after some seconds: a browser whose connection
    broke comes back within them, and one that went on to another question does not.
    """

    def __init__(self, grace: float = _GRACE) -> None:
        self._grace = grace
        self._running: dict[Hashable, asyncio.Task[Answer]] = {}
        self._listeners: dict[Hashable, int] = {}
        self._kept: TTLCache[Hashable, Answer] = TTLCache(_KEPT, _SECONDS)

    def known(self, key: Hashable) -> Answer | None:
        """A verdict that was reached lately."""
        return self._kept.get(key)

    async def reached(self, key: Hashable, start: Callable[[], Awaitable[Answer]]) -> Answer:
        """A verdict, by the task that reaches it already or by a new one."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(self._run(key, start))
            # An error that comes when nobody listens any more counts as seen.
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self._listeners[key] = self._listeners.get(key, 0) + 1
        try:
            return await asyncio.shield(task)
        finally:
            self._listeners[key] -= 1
            asyncio.get_running_loop().call_later(self._grace, self._give_up, key, task)

    async def _run(self, key: Hashable, start: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            answer = await start()
        finally:
            del self._running[key]
        ranking = answer.result.ranking
        # A model that failed or could not be asked is asked again.
        if ranking is not None and ranking.status in ("ok", "repaired"):
            self._kept[key] = answer
        return answer

    def _give_up(self, key: Hashable, task: asyncio.Task[Answer]) -> None:
        if not self._listeners.get(key):
            self._listeners.pop(key, None)
            task.cancel()


class Demo:
    """Fills an empty collection with the demo shop; used in one event loop.

    Attributes:
        size: Pictures of the demo shop.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._work: asyncio.Future[Any] | None = None
        self.size = demo_shop_size()
        self._told = 0, self.size

    @property
    def filling(self) -> tuple[int, int] | None:
        """Pictures that are indexed, and of how many; None when it is not being filled."""
        return None if self._work is None or self._work.done() else self._told

    def begin(self) -> None:
        """Begin to index, unless that has begun."""
        if self.filling is None:
            self._told = 0, self.size
            work = asyncio.to_thread(self._service.fill_with_demo, self._tell)
            self._work = asyncio.ensure_future(work)

    def _tell(self, report: Progress) -> None:
        self._told = report.done, report.total

    def problem(self) -> Problem | None:
        """Why it could not be filled, once; then None."""
        if self._work is None or not self._work.done():
            return None
        work, self._work = self._work, None
        error = None if work.cancelled() else work.exception()
        return problem_of(error) if isinstance(error, Exception) else None
