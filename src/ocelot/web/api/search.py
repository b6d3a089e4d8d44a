"""Searching over HTTP."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Header, Request
from starlette.responses import Response, StreamingResponse

from ocelot.service import Service
from ocelot.web.api.bodies import FORM, FormRoute, JSONRoute
from ocelot.web.api.cursors import digest_of
from ocelot.web.api.dependencies import CurrentService
from ocelot.web.api.openapi import EVENTS, or_form, problems
from ocelot.web.api.prepare import prepared
from ocelot.web.api.problems import Problem
from ocelot.web.api.requests import SearchForm, SearchRequest
from ocelot.web.api.responses import SearchAnswer
from ocelot.web.api.stream import events

__all__ = ["forms", "router"]

forms = APIRouter(tags=["search"], route_class=FormRoute)
router = APIRouter(tags=["search"], route_class=JSONRoute)
_STREAM = "text/event-stream"


LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="Id of the last event that came before the connection broke: of the same "
        "question, only later events are sent.",
    ),
]


@forms.post("/v1/search", operation_id="searchForm", responses=problems(422))
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
    asked = await prepared(query, service)
    answer = await service.search(asked.query, **asked.options, reranked=reranker is not None)
    told = partial(SearchAnswer.of, next=asked.next(answer))
    rerank = partial(service.rerank, answer, reranker)
    will_rerank = reranker is not None and bool(answer.result.hits)
    if _STREAM in request.headers.get("accept", ""):
        headers = {"X-Accel-Buffering": "no"}  # a proxy must send each event at once
        stream = events(
            answer,
            rerank if will_rerank else None,
            told=told,
            name=f"{asked.digest[:8]}{digest_of(reranker)[:8]}",
            last=last_event_id or "",
        )
        return StreamingResponse(stream, media_type=_STREAM, headers=headers)
    if will_rerank:
        answer = await rerank()
    return Response(told(answer).model_dump_json(), media_type="application/json")


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
