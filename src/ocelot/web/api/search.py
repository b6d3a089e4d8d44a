"""Searching over HTTP: by a query, by many at once, and by a vector."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Form, Header, Request
from starlette.responses import Response, StreamingResponse

from ocelot.errors import OcelotError
from ocelot.service import Answer, Service
from ocelot.types import Query
from ocelot.web.api.bodies import FORM, BodyRoute
from ocelot.web.api.cursors import cursor_problem, digest_of, next_after, offset_of
from ocelot.web.api.dependencies import CurrentService, load_images
from ocelot.web.api.fields import source_of
from ocelot.web.api.openapi import EVENTS, or_form, problems
from ocelot.web.api.problems import Problem, problem_of
from ocelot.web.api.queries import BatchRequest, SearchForm, SearchRequest, VectorRequest
from ocelot.web.api.responses import BatchAnswer, HitPage, SearchAnswer

__all__ = ["events", "router"]

router = APIRouter(tags=["search"], route_class=BodyRoute)
_STREAM = "text/event-stream"
_KEEP_ALIVE = 15.0  # seconds; proxies close a connection that is silent for longer
_HITS, _RANKING, _DONE = 1, 2, 3  # numbers of the events

LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="Id of the last event that came before the connection broke: of the same "
        "question, only later events are sent.",
    ),
]


@router.post("/v1/search", operation_id="searchForm", responses=problems(422))
async def search_form(
    request: Request,
    form: Annotated[SearchForm, Form(media_type=FORM)],
    service: CurrentService,
    last_event_id: LastEventId = None,
) -> Response:
    """As `search`, with a form."""
    return await search(request, await form.to_request(), service, last_event_id)


@router.post(
    "/v1/search",
    operation_id="search",
    summary="Search with pictures, a text, or both",
    response_model=SearchAnswer,
    responses={200: EVENTS, **problems(400, 403, 404, 408, 413, 415, 422, 429)},
    openapi_extra=or_form("SearchForm"),
)
async def search(
    request: Request,
    query: SearchRequest,
    service: CurrentService,
    last_event_id: LastEventId = None,
) -> Response:
    """The items closest to a query, in the order of a reranker, with its reason.

    With `Accept: text/event-stream` the hits come at once as the event `hits`, in retrieval
    order. If something reranks, the whole answer follows as the event `ranking`. The last event is
    `done`. A failure in between is the event `error`, with problem details. Each event has an id:
    if the connection breaks, repeat the request with `Last-Event-ID`. It may go to a server that
    was started since; a verdict that was complete before comes from the cache of rankings.

    For more hits, repeat the request with `cursor`; their ranks go on, and they are not reranked.
    """
    reranker = None if query.cursor is not None else _reranker(query.rerank, service)
    asked = await _prepared(query, service)
    answer = await service.search(asked.query, **asked.options, reranked=reranker is not None)
    told = partial(SearchAnswer.of, next=asked.next(answer))
    rerank = None
    if reranker is not None and answer.result.hits:
        rerank = partial(service.rerank, answer, reranker)
    if _STREAM in request.headers.get("accept", ""):
        name = digest_of([asked.belongs_to, asked.options, reranker])
        stream = events(answer, rerank, told=told, name=name, last=last_event_id)
        headers = {"X-Accel-Buffering": "no"}  # a proxy must send each event at once
        return StreamingResponse(stream, media_type=_STREAM, headers=headers)
    if rerank is not None:
        answer = await rerank()
    return Response(told(answer).model_dump_json(), media_type="application/json")


async def events(
    found: Answer,
    rerank: Callable[[], Awaitable[Answer]] | None,
    *,
    told: Callable[[Answer], SearchAnswer],
    name: str,
    last: str | None = None,
) -> AsyncIterator[bytes]:
    """An answer as server-sent events: `hits`, `ranking` (`error` if it fails), and `done`.

    The events of a question are always the same ones in the same order, so an id is the question's
    name and a number. A client that has lost its connection repeats the question with the last id;
    any server, also one that was started since, then sends the events after it.

    Args:
        rerank: Asks for the ranking; None for none.
        told: Makes the data of an event.
        name: Identifies the question.
        last: Id of the last event that the client has.
    """
    ids = {number: f"{name}-{number}" for number in (_HITS, _RANKING, _DONE)}
    seen = next((number for number, id in ids.items() if id == last), 0)
    ranking = None
    if rerank is not None and seen < _RANKING:
        ranking = asyncio.ensure_future(rerank())  # runs while the hits are sent
    try:
        if seen < _HITS:
            yield _event("hits", told(found).model_dump_json(), ids[_HITS])
        if ranking is not None:
            while not (await asyncio.wait({ranking}, timeout=_KEEP_ALIVE))[0]:
                yield b": keep-alive\n\n"
            try:
                ranked = told(ranking.result()).model_dump_json()
            except Exception as error:  # without an id: it is worth another try
                yield _event("error", json.dumps(problem_of(error).body()))
            else:
                yield _event("ranking", ranked, ids[_RANKING])
        yield _event("done", "{}", ids[_DONE])
    finally:
        if ranking is not None:
            ranking.cancel()


def _event(name: str, data: str, id: str = "") -> bytes:
    # JSON text has no line breaks, so one data line holds it.
    head = f"id: {id}\n" if id else ""
    return f"{head}event: {name}\ndata: {data}\n\n".encode()


@router.post(
    "/v1/search/batch",
    operation_id="searchBatch",
    summary="Search with many queries at once",
    response_description="An entry for each query, in order.",
    response_model=BatchAnswer,
    responses=problems(400, 403, 408, 413, 415, 422, 429),
)
async def search_batch(request: BatchRequest, service: CurrentService) -> dict[str, Any]:
    """All queries are encoded together. They are not reranked.

    A query that cannot be answered has a problem in its entry and leaves the others alone.
    """
    for number, query in enumerate(request.queries):
        if query.rerank:
            raise Problem(
                422,
                f"The field queries.{number}.rerank cannot be used: a batch is not reranked; leave "
                "it out, or search with this query alone.",
                type="urn:ocelot:problem:input",
                field=f"queries.{number}.rerank",
            )
    found: list[_Search | Exception] = []
    for query in request.queries:
        try:
            found.append(await _prepared(query, service))
        except (OcelotError, Problem) as error:
            found.append(error)
    searches = [one for one in found if isinstance(one, _Search)]
    answers = iter(await service.search_many([{"query": s.query, **s.options} for s in searches]))
    entries: list[dict[str, Any]] = []
    for one in found:
        answer = next(answers) if isinstance(one, _Search) else one
        if isinstance(answer, Exception):
            entries.append({"problem": problem_of(answer).body()})
        elif isinstance(one, _Search):
            entries.append({"answer": SearchAnswer.of(answer, one.next(answer))})
    return {"answers": entries}


@router.post(
    "/v1/search/vector",
    operation_id="searchVector",
    summary="Search with a vector",
    response_description="The items, the most similar first.",
    response_model=HitPage,
    responses=problems(400, 403, 408, 413, 415, 422, 429),
)
async def search_vector(request: VectorRequest, service: CurrentService) -> dict[str, Any]:
    """The items closest to a vector of the collection's encoder, such as `/v1/embeddings` gives."""
    narrowed = {"filter": request.filter, "min_score": request.min_score}
    asked = [request.vector, narrowed]
    offset, limit = offset_of(request.cursor, request.limit, asked)
    hits = await service.nearest(request.vector, limit=limit, offset=offset, **narrowed)
    return {"hits": hits, "next": next_after(offset, limit, len(hits), asked)}


@dataclass(frozen=True)
class _Search:
    """A search that can be run.

    Attributes:
        options: The other arguments of `Service.search`.
        belongs_to: The question that its cursors are for.
    """

    query: Query
    options: dict[str, Any]
    belongs_to: list[Any]

    def next(self, answer: Answer) -> str | None:
        """The cursor of the next answer; None if there is none."""
        if self.query.diversity:  # which hits come first depends on how many there are
            return None
        offset, limit = self.options["offset"], self.options["limit"]
        return next_after(offset, limit, len(answer.result.hits), self.belongs_to)


async def _prepared(request: SearchRequest, service: Service) -> _Search:
    """Load the pictures of a search and read its cursor."""
    images = await load_images(service, [source_of(image) for image in request.images])
    unwanted = [source_of(image) for image in request.negative_images]
    names = [f"negative picture {n}" for n, _ in enumerate(unwanted, 1)]
    query = request.to_query(images, await load_images(service, unwanted, names))
    if request.cursor is not None and query.diversity:
        raise cursor_problem(
            "The field cursor cannot be used together with diversity, with which the first hits "
            "depend on their number: ask for more at once, with limit."
        )
    options = {
        "filter": request.filter,
        "min_score": request.min_score,
        "keep_reference": request.keep_reference,
    }
    asked = [query.reference_ids(), query.text, query.extras(), *options.values()]
    offset, limit = offset_of(request.cursor, request.limit, asked)
    return _Search(query, {**options, "limit": limit, "offset": offset}, asked)


def _reranker(choice: bool | str | None, service: Service) -> str | None:
    """The name of the reranker to use; None for none."""
    names = service.rerankers
    if choice is None:
        return service.default
    if choice is False:
        return None
    if choice is True and names:
        return names[0]  # the default, where there is one
    if choice in names:
        return str(choice)
    known = f"this server has {', '.join(names)}" if names else "this server has none"
    raise Problem(422, f"There is no such reranker: {known}.", field="rerank")
