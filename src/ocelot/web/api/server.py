"""The collection, the panoramas of answers, health and metrics over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from ocelot.collection import MAX_FILTER
from ocelot.errors import OcelotError
from ocelot.query import MAX_REFERENCES
from ocelot.service import MAX_RESULTS, MAX_TEXT, Service
from ocelot.web.api.dependencies import CurrentService
from ocelot.web.api.encoding import MAX_EMBEDDED
from ocelot.web.api.openapi import picture, problems
from ocelot.web.api.problems import Problem, stopping
from ocelot.web.api.queries import MAX_QUERIES
from ocelot.web.api.responses import Value

__all__ = ["router"]

router = APIRouter()

_LIMITS = {
    "references": MAX_REFERENCES,
    "results": MAX_RESULTS,
    "queries": MAX_QUERIES,
    "embeddings": MAX_EMBEDDED,
    "filter_length": MAX_FILTER,
    "text_length": MAX_TEXT,
}


class Encoder(Value):
    """The encoder of the collection's vectors."""

    name: str
    dimension: int
    """Length of a vector."""


class MetadataField(Value):
    """One metadata field, from a sample of the items."""

    key: str
    kind: Literal["text", "number", "boolean", "other"]
    values: list[Any]
    """Some values, the most frequent first; none that is longer than 200 characters as JSON."""
    distinct: int
    """Number of different values in the sample."""
    count: int
    """Number of items of the sample that have it."""
    low: float | None
    """Smallest value, for numbers."""
    high: float | None
    """Largest value, for numbers."""


class Rerankers(Value):
    """The names that `rerank` takes."""

    names: list[str]
    default: str | None
    """Null when nothing reranks by default."""


class RequestLimits(Value):
    """Limits of one request."""

    upload_bytes: int
    """Bytes of the largest request."""
    pixels: int
    """Pixels of the largest picture."""
    references: int
    """Pictures in one query."""
    results: int
    """Hits of one search."""
    queries: int
    """Queries of a batch."""
    embeddings: int
    """Items to encode in one request."""
    filter_length: int
    """Characters of a filter."""
    text_length: int
    """Characters of a text."""


class Collection(Value):
    """The collection, its metadata fields, and the limits of requests."""

    name: str
    count: int
    """Number of items."""
    encoder: Encoder
    index: str
    """Type of the vector index."""
    metric: str
    deployment: str
    """lite, server or zilliz."""
    version: str
    """Version of Milvus."""
    metadata: list[MetadataField]
    sampled: int
    """Number of items that the metadata fields are read from; `count` when from all."""
    rerankers: Rerankers
    limits: RequestLimits


class Health(Value):
    """The state of the server."""

    status: str


@router.get(
    "/v1/collection",
    tags=["collection"],
    operation_id="getCollection",
    summary="Describe the collection",
    response_model=Collection,
    response_description="The collection.",
    responses=problems(429),
)
async def get_collection(service: CurrentService) -> dict[str, Any]:
    """What the collection holds, the metadata fields to filter by, and the limits of requests."""
    overview = await service.overview()
    return {
        **vars(overview.info),  # of which the model leaves out the address of the database
        "metadata": overview.facets,
        "sampled": overview.sampled,
        "rerankers": {"names": service.rerankers, "default": service.default},
        "limits": vars(service.limits) | _LIMITS,
    }


@router.get(
    "/v1/panoramas/{key}",
    tags=["collection"],
    operation_id="panorama",
    summary="Get the panorama of a recent answer",
    response_class=Response,
    responses={200: picture("The picture.", "image/jpeg"), **problems(404, 422, 429)},
)
async def panorama(
    key: Annotated[
        str,
        Path(
            max_length=64,
            description="The end of `panorama` in an answer.",
            examples=["hGS4CkTFmH5eDIIdTTQLLw"],
        ),
    ],
    service: CurrentService,
) -> Response:
    """The query and the numbered hits in one picture, as a language model sees them."""
    headers = {"Cache-Control": "private, max-age=3600"}
    return Response(await service.panorama(key), media_type="image/jpeg", headers=headers)


@router.get(
    "/healthz",
    tags=["operation"],
    operation_id="health",
    summary="Check that the process is alive",
    response_description="The process is alive.",
)
async def health() -> Health:
    """Answers as long as the process runs; the database is not asked."""
    return Health(status="ok")


@router.get(
    "/readyz",
    tags=["operation"],
    operation_id="readiness",
    summary="Check that the server can answer requests",
    response_description="The server can answer requests.",
    responses=problems(503),
)
async def readiness(request: Request, service: CurrentService) -> Health:
    """Whether the encoder is loaded and the database answers; 503 while the server stops."""
    if request.app.state.shutdown.begun:
        raise stopping()
    try:
        await service.ready()
    except OcelotError as error:
        raise Problem(503, "The database does not answer now.") from error
    return Health(status="ready")


@router.get(
    "/metrics",
    tags=["operation"],
    operation_id="metrics",
    summary="Read the metrics",
    response_class=Response,
    responses={
        200: {
            "description": "Metrics in the Prometheus text format.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **problems(),
    },
)
async def metrics(request: Request) -> Response:
    """Counters and histograms of this process, and the size of the collection."""
    service: Service = request.app.state.service
    text = service.metrics.text() if service.closed else await service.measure()
    return Response(text, headers={"Content-Type": CONTENT_TYPE_LATEST})
