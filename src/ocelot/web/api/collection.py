"""The collection and the panoramas of answers over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from ocelot.web.api.dependencies import Running
from ocelot.web.api.openapi import picture, problems
from ocelot.web.api.responses import Collection

__all__ = ["router"]

router = APIRouter(tags=["collection"])


@router.get(
    "/v1/collection",
    operation_id="getCollection",
    summary="See what there is to search",
    response_description="The collection.",
    responses=problems(429),
)
async def get_collection(service: Running) -> Collection:
    """What the collection holds, what its metadata offers to filter by, and the limits."""
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
            description="From the field `panorama` of an answer.",
            examples=["hGS4CkTFmH5eDIIdTTQLLw"],
        ),
    ],
    service: Running,
) -> Response:
    """The query and the numbered hits in one picture, as a language model is shown them."""
    return Response(
        await service.panorama(key),
        media_type="image/jpeg",
        headers={"Cache-Control": "private, max-age=3600"},
    )
