"""What the API takes, as pydantic models: the source of its OpenAPI description."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainValidator,
    Tag,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from ocelot.service import Limits
from ocelot.types import MAX_REFERENCES

__all__ = [
    "EXAMPLE_ID",
    "LIMITS",
    "MAX_EMBEDDED",
    "NOT_BLANK",
    "REQUESTS",
    "TAGS",
    "EmbeddingRequest",
    "Image",
    "ImageData",
    "ImageOfItem",
    "ItemId",
    "ItemRequest",
    "SearchRequest",
]

MAX_EMBEDDED = 32
NOT_BLANK = r"[^\s\x1c-\x1f\x85]"  # a character that is no space, as Python sees it
TAGS = ("<data>", "<item>")  # pydantic names alternatives where it locates an error
LIMITS = Limits()
EXAMPLE_ID = "5f0c2a6e" * 8
_HEAD = re.compile(r"data:[^,]{0,200};base64,")
_BASE64 = (
    r"^(data:[^,]{0,200};base64,)?([A-Za-z0-9+/]{4})*"
    r"([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$"
)

ItemId = Annotated[
    str,
    Field(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the picture's bytes, 64 lower-case hex digits.",
        examples=[EXAMPLE_ID],
    ),
]


def _decode(value: Any) -> bytes:
    if isinstance(value, bytes):  # from a form
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("base64", "it must be text in base64")
    head = _HEAD.match(value)
    try:
        data = base64.b64decode(value[head.end() :] if head else value, validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError(
            "base64", "it is not valid base64 (no line breaks, padded with =)"
        ) from None
    if not data:
        raise PydanticCustomError("base64", "it is empty")
    return data


_Base64 = Annotated[
    bytes,
    PlainValidator(_decode),
    WithJsonSchema(
        {
            "type": "string",
            "contentEncoding": "base64",
            "pattern": _BASE64,
            "minLength": 4,
            "description": "The bytes of an image file in base64, or a data: URL.",
            "examples": ["/9j/4AAQSkZJRgABAQAAAQABAAD…"],
        }
    ),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ImageData(_Request):
    """A picture sent along."""

    base64: _Base64


class ImageOfItem(_Request):
    """The picture of an indexed item."""

    id: ItemId


def _which(value: Any) -> str:
    by_id = isinstance(value, dict) and "id" in value and "base64" not in value
    return TAGS[1] if by_id else TAGS[0]


Image = Annotated[
    Annotated[ImageData, Tag(TAGS[0])] | Annotated[ImageOfItem, Tag(TAGS[1])],
    Discriminator(_which),
]


def _whole(value: Any) -> Any:
    """JSON does not tell 9.0 from 9."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _choice(value: Any) -> Any:
    if value is not None and not isinstance(value, (bool, str)):
        raise PydanticCustomError("choice", "it must be true, false or the name of a reranker")
    return value


class SearchRequest(_Request):
    """A composed query: at least one picture, or a text."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {
                    "required": ["images"],
                    "properties": {"images": {"type": "array", "minItems": 1}},
                },
                {
                    "required": ["text"],
                    "properties": {"text": {"type": "string", "pattern": NOT_BLANK}},
                },
            ],
            "examples": [
                {
                    "images": [{"id": EXAMPLE_ID}],
                    "text": "phone case with this image theme",
                    "limit": 9,
                    "filter": 'price < 30 and category == "Phone cases"',
                },
                {"text": "blue kettle", "rerank": False},
            ],
        }
    )

    images: Annotated[
        list[Image],
        Field(default_factory=list, max_length=MAX_REFERENCES, description="Reference pictures."),
    ]
    text: Annotated[
        str | None,
        Field(
            max_length=LIMITS.text_length,
            description="What is wanted, or how it differs from the pictures.",
        ),
    ] = None
    limit: Annotated[
        int,
        Field(ge=1, le=LIMITS.results, description="At most this many hits."),
        BeforeValidator(_whole),
    ] = 9
    filter: Annotated[
        str | None,
        Field(
            max_length=LIMITS.filter_length,
            description="Milvus expression over the metadata, e.g. `price < 30`.",
        ),
    ] = None
    min_score: Annotated[
        float | None,
        Field(ge=-1, le=1, description="Leave out hits with a lower cosine similarity."),
    ] = None
    rerank: Annotated[
        bool | str | None,
        PlainValidator(_choice),
        WithJsonSchema(
            {
                "anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "null"}],
                "description": "Whether to rerank, or the name of a reranker on offer; by default "
                "as the server is set up.",
            }
        ),
    ] = None
    keep_reference: Annotated[
        bool,
        Field(
            strict=True, description="Also return the query's own pictures and their exact copies."
        ),
    ] = False

    @model_validator(mode="after")
    def _ask_something(self) -> SearchRequest:
        if not self.images and not (self.text or "").strip():
            raise PydanticCustomError("empty", "give a picture, a text, or both")
        return self


class ItemRequest(_Request):
    """A picture to index."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "image": {"base64": "/9j/4AAQSkZJRgABAQAAAQABAAD…"},
                    "metadata": {"title": "Leopard phone case", "price": 12.5},
                }
            ]
        }
    )

    image: ImageData
    metadata: Annotated[
        dict[str, Any] | None,
        Field(description="The picture's own fields; left out, an indexed item keeps its own."),
    ] = None


class EmbeddingItem(_Request):
    """A picture, a text, or both, to encode as one."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["image"], "properties": {"image": {"type": "object"}}},
                {
                    "required": ["text"],
                    "properties": {"text": {"type": "string", "pattern": NOT_BLANK}},
                },
            ]
        }
    )

    image: Image | None = None
    text: Annotated[str | None, Field(max_length=LIMITS.text_length)] = None

    @model_validator(mode="after")
    def _encode_something(self) -> EmbeddingItem:
        if self.image is None and not (self.text or "").strip():
            raise PydanticCustomError("empty", "give a picture, a text, or both")
        return self


class EmbeddingRequest(_Request):
    """Items to encode."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"items": [{"image": {"id": EXAMPLE_ID}, "text": "in blue"}, {"text": "a kettle"}]}
            ]
        }
    )

    items: Annotated[list[EmbeddingItem], Field(min_length=1, max_length=MAX_EMBEDDED)]


REQUESTS: tuple[type[BaseModel], ...] = (SearchRequest, ItemRequest, EmbeddingRequest)
