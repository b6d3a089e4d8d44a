"""Other ways to search over HTTP: many queries at once, and by a vector."""

from __future__ import annotations

from fastapi import APIRouter

from ocelot.errors import OcelotError
from ocelot.web.api.bodies import JSONRoute
from ocelot.web.api.dependencies import CurrentService
from ocelot.web.api.openapi import problems
from ocelot.web.api.prepare import Search, next_after, offset_of, prepared
from ocelot.web.api.problems import Problem, problem_of
from ocelot.web.api.requests import BatchRequest, VectorRequest
from ocelot.web.api.responses import BatchAnswer, BatchEntry, HitPage, SearchAnswer

__all__ = ["router"]

router = APIRouter(tags=["search"], route_class=JSONRoute)


@router.post(
    "/v1/search/batch",
    operation_id="searchBatch",
    summary="Search with many queries at once",
    response_description="An entry for each query, in order.",
    responses=problems(400, 403, 408, 413, 415, 422, 429),
)
async def search_batch(request: BatchRequest, service: CurrentService) -> BatchAnswer:
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
    found: list[Search | Exception] = []
    for query in request.queries:
        try:
            found.append(await prepared(query, service))
        except (OcelotError, Problem) as error:
            found.append(error)
    searches = [one for one in found if isinstance(one, Search)]
    options = [{"query": one.query, **one.options} for one in searches]
    answers = iter(await service.search_many(options))
    entries = []
    for one in found:
        answer = next(answers) if isinstance(one, Search) else one
        if isinstance(answer, Exception):
            entries.append(BatchEntry.model_validate({"problem": problem_of(answer).body()}))
        elif isinstance(one, Search):
            entries.append(BatchEntry(answer=SearchAnswer.of(answer, one.next(answer))))
    return BatchAnswer(answers=entries)


@router.post(
    "/v1/search/vector",
    operation_id="searchVector",
    summary="Search with a vector",
    response_description="The items, the most similar first.",
    responses=problems(400, 403, 408, 413, 415, 422, 429),
)
async def search_vector(request: VectorRequest, service: CurrentService) -> HitPage:
    """The items closest to a vector of the collection's encoder, such as `/v1/embeddings` gives."""
    asked = [request.vector, request.filter, request.min_score]
    offset, limit = offset_of(request.cursor, request.limit, asked)
    hits = await service.nearest(
        request.vector,
        limit=limit,
        offset=offset,
        filter=request.filter,
        min_score=request.min_score,
    )
    return HitPage.model_validate(
        {"hits": hits, "next": next_after(offset, limit, len(hits), asked)}
    )
