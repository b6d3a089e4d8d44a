"""Indexed pictures over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import Response

from ocelot.web.api.bodies import item_form, names_of, pictures_of, read_body
from ocelot.web.api.dependencies import Running
from ocelot.web.api.openapi import body, headers, picture, problems
from ocelot.web.api.requests import LIMITS, ItemId, ItemRequest
from ocelot.web.api.responses import Hits, Item

__all__ = ["router"]

router = APIRouter(tags=["items"])

Id = Annotated[ItemId, Path()]
_YEAR, _DAY = 365 * 86400, 86400
_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"  # a picture does nothing


async def _item_body(request: Request) -> ItemRequest:
    return await read_body(request, ItemRequest, item_form)


@router.post(
    "/v1/items",
    operation_id="addItem",
    summary="Index a picture",
    status_code=201,
    response_description="It is new, and can be found from now on.",
    responses={
        201: headers({"Location": "Its path."}),
        200: {"model": Item, "description": "Its content was known; its metadata is as given."},
        **problems(400, 403, 408, 413, 415, 422, 429, 507),
    },
    openapi_extra=body("ItemRequest", form="ItemForm"),
)
async def add_item(
    asked: Annotated[ItemRequest, Depends(_item_body)], service: Running, response: Response
) -> Item:
    """Keep a picture and make it searchable. The same content twice is one item."""
    (image,) = await pictures_of(service, [asked.image], names_of(1))
    stored, created = await service.add(image, asked.metadata)
    item = Item.of(stored)
    if created:
        response.headers["Location"] = f"/v1/items/{item.id}"
    else:
        response.status_code = 200
    return item


@router.get(
    "/v1/items/{id}",
    operation_id="getItem",
    summary="Look at an item",
    response_description="The item.",
    responses=problems(404, 422, 429),
)
async def get_item(id: Id, service: Running) -> Item:
    """An indexed picture and its metadata."""
    return Item.of(await service.get(id))


@router.delete(
    "/v1/items/{id}",
    operation_id="deleteItem",
    summary="Remove an item",
    status_code=204,
    response_description="It is gone.",
    responses=problems(403, 404, 422, 429),
)
async def delete_item(id: Id, service: Running) -> None:
    """Remove an item, and its file where it was uploaded; other files are never touched."""
    await service.delete(id)


@router.get(
    "/v1/items/{id}/similar",
    operation_id="similarItems",
    summary="Find items like this one",
    response_description="The items, the closest first.",
    responses=problems(400, 404, 422, 429),
)
async def similar_items(
    id: Id,
    service: Running,
    limit: Annotated[
        int, Query(ge=1, le=LIMITS.results, description="At most this many hits.")
    ] = 9,
    filter: Annotated[
        str | None,
        Query(max_length=LIMITS.filter_length, description="Milvus expression over the metadata."),
    ] = None,
    min_score: Annotated[
        float | None,
        Query(ge=-1, le=1, description="Leave out hits with a lower cosine similarity."),
    ] = None,
) -> Hits:
    """The items closest to an indexed one, which is not among them."""
    return Hits.of(await service.similar(id, limit=limit, filter=filter, min_score=min_score))


@router.get(
    "/v1/items/{id}/image",
    operation_id="itemImage",
    summary="Get the picture of an item",
    response_class=Response,
    responses={
        200: {**picture("The picture."), **headers({"ETag": "Its version, for If-None-Match."})},
        304: {"description": "It is as it was."},
        **problems(404, 415, 422, 429),
    },
)
async def item_image(
    id: Id,
    service: Running,
    size: Annotated[
        int | None,
        Query(
            ge=16,
            le=2048,
            description="Longer side in pixels; without it, the file itself.",
            examples=[256],
        ),
    ] = None,
    if_none_match: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """The file as it was indexed, or a JPEG of it that is not larger than `size`."""
    tag = f'"{id}"' if size is None else f'"{id}-{size}"'
    # The bytes of an id never change; how a small picture is made may.
    lasting = f"max-age={_YEAR}, immutable" if size is None else f"max-age={_DAY}"
    said = {
        "ETag": tag,
        "Cache-Control": f"private, {lasting}",
        "Content-Security-Policy": _POLICY,
    }
    if _knows(if_none_match, tag):
        await service.get(id)  # what was removed is not confirmed
        return Response(status_code=304, headers=said)
    found = await service.picture(id, size)
    return Response(found.data, media_type=found.media_type, headers=said)


def _knows(if_none_match: str | None, tag: str) -> bool:
    given = [one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")]
    return tag in given or "*" in given
