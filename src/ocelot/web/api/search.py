"""Searching and encoding over HTTP."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response, StreamingResponse

from ocelot.service import Limits, Service
from ocelot.types import Input, Query
from ocelot.web.api.bodies import names_of, pictures_of, read_body, search_form
from ocelot.web.api.dependencies import Running
from ocelot.web.api.openapi import EVENTS, body, problems
from ocelot.web.api.problems import Refusal
from ocelot.web.api.requests import EmbeddingRequest, SearchRequest
from ocelot.web.api.responses import Embedded, SearchAnswer
from ocelot.web.api.stream import events

__all__ = ["router"]

router = APIRouter(tags=["search"])
_STREAM = "text/event-stream"


async def _search_body(request: Request) -> SearchRequest:
    return await read_body(request, SearchRequest, search_form)


@router.post(
    "/v1/search",
    operation_id="search",
    summary="Search with pictures, a text, or both",
    response_model=SearchAnswer,
    responses={200: EVENTS, **problems(400, 403, 404, 408, 413, 415, 422, 429)},
    openapi_extra=body("SearchRequest", form="SearchForm"),
)
async def search(
    request: Request, asked: Annotated[SearchRequest, Depends(_search_body)], service: Running
) -> Response:
    """The items closest to a query, and a reranker's verdict on them.

    With `Accept: text/event-stream` the hits come at once as the event `hits`, in the order of
    the search; then, where something reranks, the whole answer as the event `ranking`; then
    `done`. What fails meanwhile is the event `error`, with problem details.
    """
    _keep_to(service.limits, asked)
    reranker = _reranker(asked.rerank, service)
    names = names_of(len(asked.images))
    images = await pictures_of(service, asked.images, names)
    answer = await service.search(
        Query(images, asked.text),
        limit=asked.limit,
        filter=asked.filter,
        min_score=asked.min_score,
        keep_reference=asked.keep_reference,
        reranked=reranker is not None,
    )
    judge = partial(service.rerank, answer, reranker)
    judged = reranker is not None and bool(answer.result.hits)
    if _STREAM in request.headers.get("accept", ""):
        headers = {"X-Accel-Buffering": "no"}  # a proxy must not wait for more
        told = events(answer, judge if judged else None)
        return StreamingResponse(told, media_type=_STREAM, headers=headers)
    if judged:
        answer = await judge()
    return Response(SearchAnswer.of(answer).model_dump_json(), media_type="application/json")


def _keep_to(limits: Limits, asked: SearchRequest) -> None:
    """Refuse what is within the description of the API but beyond this service's limits."""
    for field, size, most in (
        ("limit", asked.limit, limits.results),
        ("text", len(asked.text or ""), limits.text_length),
        ("filter", len(asked.filter or ""), limits.filter_length),
    ):
        if size > most:
            raise Refusal(
                422, f"The field {field} cannot be used: {size} is over {most}.", field=field
            )


def _reranker(wanted: bool | str | None, service: Service) -> str | None:
    """The name of the reranker to ask; None for none."""
    names = service.rerankers
    if wanted is None:
        return service.default
    if wanted is False:
        return None
    if wanted is True and names:
        return names[0]  # the default, where there is one
    if wanted in names:
        return str(wanted)
    offer = f"on offer are {', '.join(names)}" if names else "this server has none"
    raise Refusal(422, f"There is no such reranker: {offer}.", field="rerank")


async def _embedding_body(request: Request) -> EmbeddingRequest:
    return await read_body(request, EmbeddingRequest)


@router.post(
    "/v1/embeddings",
    operation_id="embed",
    summary="Encode pictures and texts",
    response_description="One vector for each item, in order.",
    responses=problems(400, 403, 404, 408, 413, 415, 422, 429),
    openapi_extra=body("EmbeddingRequest"),
)
async def embed(
    asked: Annotated[EmbeddingRequest, Depends(_embedding_body)], service: Running
) -> Embedded:
    """Unit vectors in the space that the collection is searched in."""
    places = [place for place, item in enumerate(asked.items) if item.image is not None]
    names = [f"the picture of item {place + 1}" for place in places]
    images = [item.image for item in asked.items if item.image is not None]
    found = await pictures_of(service, images, names)
    sent = dict(zip(places, found, strict=True))
    items = [Input(sent.get(place), item.text) for place, item in enumerate(asked.items)]
    rows = await service.embed(items)
    return Embedded(encoder=service.encoder.name, dimension=rows.shape[1], embeddings=rows.tolist())
