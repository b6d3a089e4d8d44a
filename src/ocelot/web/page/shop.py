"""What the page asks of the service: an answer to a question, and the pictures of the question."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ocelot.errors import InputError
from ocelot.images.file import ImageFile
from ocelot.service import Answer, Overview, Service
from ocelot.types import Item, Query, Result
from ocelot.web.page.pictures import QueryPictures, cropped
from ocelot.web.page.question import FIRST, MOST, NO_RERANKER, Question
from ocelot.web.page.verdicts import Verdicts, key_of

__all__ = ["Found", "Shop"]

_FAST = frozenset({"fusion"})  # rerankers that are not worth a stream of their own


@dataclass(frozen=True)
class Found:
    """An answer, perhaps without its verdict.

    Attributes:
        first: The answer to the first hits, which a reranker orders.
        answer: The same with all hits that were asked for.
        pending: Name of the reranker whose verdict is to come.
        has_more: Whether more could be found.
    """

    first: Answer
    answer: Answer
    pending: str | None
    has_more: bool


class Shop:
    """Answers questions; used in one event loop."""

    def __init__(self, service: Service, pictures: QueryPictures) -> None:
        self.service = service
        self.pictures = pictures
        self.verdicts = Verdicts()

    def reranker(self, question: Question) -> str | None:
        """The name of the reranker to use; None for none.

        Raises:
            InputError: The question names another one.
        """
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
        filter, name = question.expression(overview.facets), self.reranker(question)
        if question.is_only_like:
            hits = await self.service.similar(question.like[0], limit=question.limit, filter=filter)
            answer = Answer(Result(Query(items=question.like), hits), None)
        else:
            images = [await self.service.work(self.pictures.read, one) for one in question.images]
            answer = await self.service.search(
                question.query(images),
                limit=max(question.limit, FIRST),
                filter=filter,
                reranked=name is not None,
            )
        hits = answer.result.hits
        has_more = len(hits) >= question.limit and question.limit < MOST
        first = replace(answer, result=replace(answer.result, hits=hits[:FIRST]))
        pending = name if hits else None
        if name is not None and pending:
            known = self.verdicts.known(key_of(question, first))
            if known is None and (name in _FAST or wait):
                known = await self.judge(question, first, name)
            if known is not None:
                first, pending = known, None
        result = replace(first.result, hits=(*first.result.hits, *hits[FIRST:]))
        return Found(first, replace(first, result=result), pending, has_more)

    async def judge(self, question: Question, first: Answer, name: str) -> Answer:
        """The verdict on the first hits; it is reached once for all who wait for it."""

        async def start() -> Answer:
            return await self.service.rerank(first, name)

        return await self.verdicts.reached(key_of(question, first), start)

    async def items(self, ids: tuple[str, ...]) -> list[Item]:
        """Stored items; `ItemNotFound` if one is not stored."""
        return [await self.service.get(id) for id in ids]

    async def crop(self, kind: str, id: str, box: tuple[float, float, float, float]) -> str:
        """Keep a part of a picture as a query picture; returns its content hash.

        Args:
            kind: "image" for a query picture, "like" for that of a stored item.
            id: Its content hash, or the item's id.
            box: Left, top, width and height in percent of the picture's sides.

        Raises:
            ItemNotFound, ImageError, StorageError: There is no such picture, or the part cannot
                be used.
        """
        if kind == "like":
            image = ImageFile((await self.service.picture(id)).data, "this picture")
        else:
            image = await self.service.work(self.pictures.read, id)
        data = await self.service.work(cropped, image, *box)
        return await self.service.work(self.pictures.keep, data)
