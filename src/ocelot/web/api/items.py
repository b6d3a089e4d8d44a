"""Stored pictures over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Header, Path, Query
from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError, from_json
from starlette.responses import Response

from ocelot import types
from ocelot.service import MAX_RESULTS, Service
from ocelot.web.api import fields
from ocelot.web.api.bodies import FORM, BodyRoute
from ocelot.web.api.cursors import cursor_to, place_of
from ocelot.web.api.dependencies import CurrentService, load_images
from ocelot.web.api.fields import EXAMPLE_IMAGE, ID_PATTERN, Body, ItemId
from ocelot.web.api.openapi import headers, or_form, picture, problems
from ocelot.web.api.responses import Hits, Item, ItemPage

__all__ = ["ItemChanges", "ItemForm", "ItemRequest", "router"]

router = APIRouter(tags=["items"], route_class=BodyRoute)

Json = dict[str, Any]
Id = Annotated[ItemId, Path()]
OwnId = Annotated[
    Annotated[str, Field(pattern=ID_PATTERN, examples=["SKU-1"])] | None,
    Field(
        description="Your own id; by default the SHA-256 of the picture. An item that has it is "
        "replaced."
    ),
]
_YEAR, _DAY = 365 * 86400, 86400
_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"  # a picture runs nothing


class ItemRequest(
    Body,
    json_schema_extra={
        "examples": [
            {
                "image": {"base64": EXAMPLE_IMAGE},
                "metadata": {"title": "Leopard phone case", "price": 12.5},
            }
        ]
    },
):
    """A picture to store."""

    image: fields.ImageData
    id: OwnId = None
    metadata: Json | None = None
    """The item's own fields; without it, an item that is stored keeps its own."""


_JSON_NAMES = {type(None): "null", list: "an array", str: "a string", bool: "true or false"}


def _json_object(value: Any) -> Json:
    try:
        found = from_json(value)
    except (TypeError, ValueError) as error:
        cause = str(error)
    else:
        if isinstance(found, dict):
            return found
        cause = f"it is {_JSON_NAMES.get(type(found), 'a number')}"
    raise PydanticCustomError("object", "it must be a JSON object ({cause})", {"cause": cause})


class ItemForm(Body, strict=False):
    """An `ItemRequest` as a form."""

    image: fields.File
    id: OwnId = None
    metadata: Annotated[
        Json | None, BeforeValidator(_json_object), WithJsonSchema({"type": "object"})
    ] = None
    """The item's own fields as JSON; without it, an item that is stored keeps its own."""


class ItemChanges(
    Body,
    json_schema_extra={
        "examples": [{"metadata": {"title": "Leopard case", "price": 9.5, "sale": None}}]
    },
):
    """Changes to an item's metadata."""

    metadata: Json
    """New values of fields, among them `title`. null removes a field; all others keep theirs."""


@router.post(
    "/v1/items",
    operation_id="addItemForm",
    status_code=201,
    response_model=Item,
    responses=problems(422),
)
async def add_item_form(
    form: Annotated[ItemForm, Form(media_type=FORM)], service: CurrentService, response: Response
) -> types.Item:
    """As `add_item`, with a form."""
    return await _add(await form.image.read(), form, service, response)


@router.post(
    "/v1/items",
    operation_id="addItem",
    summary="Store a picture",
    status_code=201,
    response_model=Item,
    response_description="The item is new and can be found from now on.",
    responses={
        201: headers({"Location": "Path of the item."}),
        200: {"model": Item, "description": "The item was stored before; its metadata is as sent."},
        **problems(400, 403, 408, 413, 415, 422, 429, 507),
    },
    openapi_extra=or_form("ItemForm"),
)
async def add_item(request: ItemRequest, service: CurrentService, response: Response) -> types.Item:
    """The picture can be found as soon as this is answered. The same content twice is one item."""
    return await _add(request.image.base64, request, service, response)


async def _add(
    data: bytes, sent: ItemRequest | ItemForm, service: Service, response: Response
) -> types.Item:
    (image,) = await load_images(service, [data])
    item, created = await service.add(image, sent.metadata, sent.id)
    if created:
        response.headers["Location"] = f"/v1/items/{item.id}"
    else:
        response.status_code = 200
    return item


@router.get(
    "/v1/items",
    operation_id="listItems",
    summary="List items",
    response_model=ItemPage,
    response_description="Items in the order of their ids.",
    responses=problems(422, 429),
)
async def list_items(
    service: CurrentService,
    limit: Annotated[
        int, Query(ge=1, le=MAX_RESULTS, description="The most items to return.")
    ] = 100,
    cursor: Annotated[fields.Cursor, Query()] = None,
    filter: Annotated[fields.Filter, Query()] = None,
) -> Json:
    """All items, or those that a filter selects, page by page."""
    after = place_of(cursor, filter)
    items, more = await service.page(after=after, limit=limit, filter=filter)
    return {"items": items, "next": cursor_to(items[-1].id, filter) if more else None}


@router.get(
    "/v1/items/{id}",
    operation_id="getItem",
    summary="Get an item",
    response_model=Item,
    response_description="The item.",
    responses=problems(404, 422, 429),
)
async def get_item(id: Id, service: CurrentService) -> types.Item:
    """A stored picture and its metadata."""
    return await service.get(id)


@router.patch(
    "/v1/items/{id}",
    operation_id="updateItem",
    summary="Change the metadata of an item",
    response_model=Item,
    response_description="The item as it is now.",
    responses=problems(403, 404, 408, 413, 415, 422, 429),
)
async def update_item(id: Id, changes: ItemChanges, service: CurrentService) -> types.Item:
    """As JSON Merge Patch (RFC 7396): only the fields that are sent change. Nothing is encoded."""
    return await service.update(id, changes.metadata)


@router.delete(
    "/v1/items/{id}",
    operation_id="deleteItem",
    summary="Remove an item",
    status_code=204,
    response_description="The item is removed.",
    responses=problems(403, 404, 422, 429),
)
async def delete_item(id: Id, service: CurrentService) -> None:
    """Remove an item, and its file if it was uploaded; other files are never touched."""
    await service.delete(id)


@router.get(
    "/v1/items/{id}/similar",
    operation_id="similarItems",
    summary="Find similar items",
    response_model=Hits,
    response_description="The items, the most similar first.",
    responses=problems(400, 404, 422, 429),
)
async def similar_items(
    id: Id,
    service: CurrentService,
    limit: Annotated[fields.HitLimit, Query()] = 9,
    filter: Annotated[fields.Filter, Query()] = None,
    min_score: Annotated[fields.MinScore, Query()] = None,
) -> Json:
    """The items closest to a stored one, which is not among them."""
    return {"hits": await service.similar(id, limit=limit, filter=filter, min_score=min_score)}


@router.get(
    "/v1/items/{id}/image",
    operation_id="itemImage",
    summary="Get the picture of an item",
    response_class=Response,
    responses={
        200: {**picture("The picture."), **headers({"ETag": "Its version, for If-None-Match."})},
        304: {"description": "The picture has not changed."},
        **problems(404, 415, 422, 429),
    },
)
async def item_image(
    id: Id,
    service: CurrentService,
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
    """The stored file, or a JPEG of it that is not larger than `size`."""
    if if_none_match is not None:
        described = _headers(id, (await service.get(id)).sha256, size)
        given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
        if described["ETag"] in given or "*" in given:
            return Response(status_code=304, headers=described)
    found = await service.picture(id, size)
    described = _headers(id, found.sha256, size)
    return Response(found.data, media_type=found.media_type, headers=described)


def _headers(id: str, sha256: str, size: int | None) -> dict[str, str]:
    """What browsers may keep: a content hash always names the same bytes, another id may not."""
    if id != sha256:
        caching = "no-cache"  # ask again each time, with the ETag
    elif size is None:
        caching = f"max-age={_YEAR}, immutable"
    else:
        caching = f"max-age={_DAY}"  # the way to make small pictures may change
    return {
        "ETag": f'"{sha256}"' if size is None else f'"{sha256}-{size}"',
        "Cache-Control": f"private, {caching}",
        "Content-Security-Policy": _POLICY,
    }
