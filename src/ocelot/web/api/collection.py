"""The collection, and the panoramas of answers, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from ocelot.web.api.dependencies import CurrentService
from ocelot.web.api.openapi import picture, problems
from ocelot.web.api.responses import Collection

__all__ = ["router"]

router = APIRouter(tags=["collection"])


@router.get(
    "/v1/collection",
    operation_id="getCollection",
    summary="Describe the collection",
    response_description="The collection.",
    responses=problems(429),
)
async def get_collection(service: CurrentService) -> Collection:
    """What the collection holds, the metadata fields to filter by, and the limits of requests."""
    return Collection.of(await service.overview(), service)


@router.get(
    "/v1/panoramas/{key}",
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
    return Response(
        await service.panorama(key),
        media_type="image/jpeg",
        headers={"Cache-Control": "private, max-age=3600"},
    )
