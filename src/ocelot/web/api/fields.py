"""What several request bodies have in common: ids, texts, pictures, limits."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any, TypeVar

from fastapi import UploadFile
from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from ocelot.collection import MAX_FILTER
from ocelot.query import WEIGHTS
from ocelot.service import MAX_RESULTS, MAX_TEXT
from ocelot.web.api.problems import TAGS

Model = TypeVar("Model", bound=Any)

EXAMPLE_ID = "5f0c2a6e" * 8
EXAMPLE_IMAGE = "/9j/4AAQSkZJRgABAQAAAQABAAD…"
ID_PATTERN = "^[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,127}$"
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,")
_BASE64 = (
    r"^(data:[^,]{0,200};base64,)?([A-Za-z0-9+/]{4})*"
    r"([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$"
)

ItemId = Annotated[
    str,
    Field(
        pattern=ID_PATTERN,
        description="Id of an item: the one it was added with, by default the SHA-256 of the "
        "picture's bytes in 64 hex digits.",
        examples=[EXAMPLE_ID],
    ),
]
Text = Annotated[str | None, Field(max_length=MAX_TEXT)]
Weight = Annotated[float, Field(ge=WEIGHTS[0], le=WEIGHTS[1])]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = BeforeValidator(_whole)  # JSON does not distinguish 9.0 from 9
HitLimit = Annotated[
    int, Field(ge=1, le=MAX_RESULTS, description="The most hits to return."), Whole
]
Filter = Annotated[
    str | None,
    Field(
        max_length=MAX_FILTER,
        description="Milvus expression over the metadata, e.g. `price < 30`.",
    ),
]
Cursor = Annotated[
    str | None,
    Field(max_length=400, description="`next` of the last answer to the same question."),
]
MinScore = Annotated[
    float | None, Field(ge=-1, le=1, description="Leave out hits with a lower cosine similarity.")
]


def decode(value: Any) -> bytes:
    """The bytes of a text in base64, or of a data: URL.

    Raises:
        PydanticCustomError: It is none.
    """
    if not isinstance(value, str):
        raise PydanticCustomError("base64", "it must be text in base64")
    head = _DATA_URL.match(value)
    try:
        data = base64.b64decode(value[head.end() :] if head else value, validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError(
            "base64", "it is not valid base64 (no line breaks, padded with =)"
        ) from None
    if not data:
        raise PydanticCustomError("base64", "it is empty")
    return data


# pydantic's own Base64Bytes takes no data: URLs and skips characters that are not base64.
Base64 = Annotated[
    bytes,
    PlainValidator(decode),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "pattern": _BASE64,
            "minLength": 4,
            "description": "The bytes of an image file in base64, or a data: URL.",
            "examples": [EXAMPLE_IMAGE],
        }
    ),
]


def _uploaded(value: object) -> object:
    if isinstance(value, str):  # FastAPI would answer with the names of Python's types
        raise PydanticCustomError("file", "it must be a file, not a text")
    return value


File = Annotated[
    UploadFile,
    BeforeValidator(_uploaded),
    WithJsonSchema({"type": "string", "format": "binary", "description": "An image file."}),
]


class Body(BaseModel, extra="forbid", strict=True, use_attribute_docstrings=True):
    """A JSON object, described by its fields alone, so that any generator of clients reads it.

    Rules about several fields are checked, and said in the description: generators drop a schema
    with alternatives of `required` beside its properties.
    """


class ImageData(Body):
    """A picture in the request."""

    base64: Base64


class ImageOfItem(Body):
    """The picture of a stored item."""

    id: ItemId


class QueryImageData(ImageData):
    """A picture in the request, with what it counts."""

    weight: Weight = 1.0
    """What it counts beside the other pictures and the text."""


class QueryImageOfItem(ImageOfItem):
    """The picture of a stored item, with what it counts."""

    weight: Weight = 1.0
    """What it counts beside the other pictures and the text."""


def _alternative(value: Any) -> str:
    by_id = isinstance(value, dict) and "id" in value and "base64" not in value
    return TAGS[1] if by_id else TAGS[0]


Image = Annotated[
    Annotated[ImageData, Tag(TAGS[0])] | Annotated[ImageOfItem, Tag(TAGS[1])],
    Discriminator(_alternative),
]
QueryImage = Annotated[
    Annotated[QueryImageData, Tag(TAGS[0])] | Annotated[QueryImageOfItem, Tag(TAGS[1])],
    Discriminator(_alternative),
]


def source_of(image: ImageData | ImageOfItem | bytes) -> bytes | str:
    """A picture as `load_images` takes it."""
    if isinstance(image, ImageOfItem):
        return image.id
    return image if isinstance(image, bytes) else image.base64


def not_empty(model: Model) -> Model:
    """Return the model if it has a picture or a text."""
    pictures = (getattr(model, name, None) for name in ("image", "images", "image_id"))
    if not any(pictures) and not (model.text or "").strip():
        raise PydanticCustomError("empty", "give a picture, a text, or both")
    return model
