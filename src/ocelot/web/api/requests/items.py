"""The body of an item to store, as JSON and as a form."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError, from_json

from ocelot.web.api.requests.fields import EXAMPLE_IMAGE, ID_PATTERN, Body, File, ImageData, Json

__all__ = ["ItemChanges", "ItemForm", "ItemRequest"]

OwnId = Annotated[
    Annotated[str, Field(pattern=ID_PATTERN, examples=["SKU-1"])] | None,
    Field(
        description="Your own id; by default the SHA-256 of the picture. An item that has it is "
        "replaced."
    ),
]


class ItemRequest(
    Body,
    strict=True,
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

    image: ImageData
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


class ItemForm(Body):
    """An `ItemRequest` as a form."""

    image: File
    id: OwnId = None
    metadata: Annotated[
        Json | None, BeforeValidator(_json_object), WithJsonSchema({"type": "object"})
    ] = None
    """The item's own fields as JSON; without it, an item that is stored keeps its own."""


class ItemChanges(
    Body,
    strict=True,
    json_schema_extra={
        "examples": [{"metadata": {"title": "Leopard case", "price": 9.5, "sale": None}}]
    },
):
    """Changes to an item's metadata."""

    metadata: Json
    """New values of fields, among them `title`. null removes a field; all others keep theirs."""
