"""Health and metrics for operators."""

from __future__ import annotations

from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from ocelot.errors import OcelotError
from ocelot.service import Service
from ocelot.web.api.dependencies import CurrentService
from ocelot.web.api.openapi import problems
from ocelot.web.api.problems import Problem, stopping
from ocelot.web.api.responses import Health

__all__ = ["router"]

router = APIRouter(tags=["operation"])


@router.get(
    "/healthz",
    operation_id="health",
    summary="Check that the process is alive",
    response_description="The process is alive.",
)
async def health() -> Health:
    """Answers as long as the process runs; the database is not asked."""
    return Health(status="ok")


@router.get(
    "/readyz",
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
