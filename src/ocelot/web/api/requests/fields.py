"""Request bodies as pydantic models, which also describe them in OpenAPI."""

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
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, from_json
from typing_extensions import Self

from ocelot.collection import MAX_FILTER
from ocelot.images.file import ImageFile
from ocelot.query import MAX_ITEMS, MAX_REFERENCES, WEIGHTS, Query
from ocelot.service import MAX_RESULTS, MAX_TEXT

__all__ = [
    "EXAMPLE_ID",
    "MAX_EMBEDDED",
    "TAGS",
    "EmbeddingRequest",
    "Filter",
    "HitLimit",
    "ImageData",
    "ImageOfItem",
    "ItemForm",
    "ItemId",
    "ItemRequest",
    "MinScore",
    "SearchForm",
    "SearchRequest",
]

Json = dict[str, Any]
Model = TypeVar("Model", bound=Any)

MAX_EMBEDDED = 32
MAX_FIELD = 200  # characters of a metadata field's name
TAGS = ("<data>", "<item>")  # pydantic adds the names of alternatives to the place of an error
EXAMPLE_ID = "5f0c2a6e" * 8
_NOT_BLANK = r"[^\s\x1c-\x1f\x85]"  # one character that is not white space in Python
_DATA_URL = re.compile(r"data:[^,]{0,200};base64,")
_BASE64 = (
    r"^(data:[^,]{0,200};base64,)?([A-Za-z0-9+/]{4})*"
    r"([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$"
)
_EXAMPLE_IMAGE = "/9j/4AAQSkZJRgABAQAAAQABAAD…"

ItemId = Annotated[
    str,
    Field(
        pattern="^[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,127}$",
        description="Id of an item: the one it was added with, by default the SHA-256 of the "
        "picture's bytes in 64 hex digits.",
        examples=[EXAMPLE_ID],
    ),
]
Text = Annotated[str | None, Field(max_length=MAX_TEXT)]
Weight = Annotated[float, Field(ge=WEIGHTS[0], le=WEIGHTS[1])]
Share = Annotated[float, Field(ge=0, le=1)]
Liked = Annotated[list[ItemId], Field(max_length=MAX_ITEMS)]


def _whole(value: Any) -> Any:
    """JSON does not distinguish 9.0 from 9."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


HitLimit = Annotated[
    int,
    Field(ge=1, le=MAX_RESULTS, description="The most hits to return."),
    BeforeValidator(_whole),
]
Filter = Annotated[
    str | None,
    Field(
        max_length=MAX_FILTER,
        description="Milvus expression over the metadata, e.g. `price < 30`.",
    ),
]
MinScore = Annotated[
    float | None, Field(ge=-1, le=1, description="Leave out hits with a lower cosine similarity.")
]


def _decode(value: Any) -> bytes:
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
            "examples": [_EXAMPLE_IMAGE],
        }
    ),
]


def _uploaded(value: object) -> object:
    if isinstance(value, str):  # FastAPI would answer with the names of Python's types
        raise PydanticCustomError("file", "it must be a file, not a text")
    return value


_File = Annotated[
    UploadFile,
    BeforeValidator(_uploaded),
    WithJsonSchema({"type": "string", "format": "binary", "description": "An image file."}),
]


class _Request(BaseModel, extra="forbid", use_attribute_docstrings=True):
    pass


def _any_of(**least: Json) -> Any:
    """Alternatives of a JSON schema: one of these fields is there and is not empty."""
    return [{"required": [name], "properties": {name: schema}} for name, schema in least.items()]


_SOME_TEXT = {"type": "string", "pattern": _NOT_BLANK}


class ImageData(_Request, strict=True):
    """A picture in the request."""

    base64: _Base64


class ImageOfItem(_Request, strict=True):
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


def _reranker(value: Any) -> Any:
    if value is not None and not isinstance(value, (bool, str)):
        raise PydanticCustomError("choice", "it must be true, false or the name of a reranker")
    return value


def _not_empty(model: Model, has_image: bool) -> Model:
    if not has_image and not (model.text or "").strip():
        raise PydanticCustomError("empty", "give a picture, a text, or both")
    return model


class _SearchOptions(_Request):
    """The fields that a search has in JSON and in a form."""

    text: Text = None
    """What is wanted, or how it differs from the pictures."""
    limit: HitLimit = 9
    filter: Filter = None
    min_score: MinScore = None
    rerank: Annotated[
        bool | str | None,
        PlainValidator(_reranker),
        WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "null"}]}),
    ] = None
    """Whether to rerank, or the name of a reranker; by default as the server is set up."""
    keep_reference: Annotated[bool, Field(strict=True)] = False
    """Also return the query's own pictures, their exact copies, and the items it names."""
    text_weight: Weight = 1.0
    """What the text counts beside the pictures."""
    negative_text: Text = None
    """What is not wanted."""
    negative_weight: Weight = 0.5
    """How far the query moves away from what is not wanted."""
    like: Liked = []
    """Ids of items that the hits should be closer to."""
    unlike: Liked = []
    """Ids of items that the hits should be further from."""
    group_by: Annotated[str | None, Field(max_length=MAX_FIELD)] = None
    """A metadata field: only the best hit of each of its values is returned."""
    fold: Share | None = None
    """Leave out near duplicates of better hits, from this cosine similarity."""
    diversity: Share = 0.0
    """How much it counts that hits differ from each other."""
    min_share: Share | None = None
    """Leave out hits whose score is below this share of the best one's."""


class SearchRequest(
    _SearchOptions,
    strict=True,
    json_schema_extra={
        "anyOf": _any_of(images={"type": "array", "minItems": 1}, text=_SOME_TEXT),
        "examples": [
            {
                "images": [{"id": EXAMPLE_ID}],
                "text": "phone case with this image theme",
                "limit": 9,
                "filter": 'price < 30 and category == "Phone cases"',
            },
            {"text": "blue kettle", "rerank": False},
            {"text": "shirt", "negative_text": "red", "group_by": "brand", "diversity": 0.3},
        ],
    },
):
    """A query: at least one picture, or a text."""

    images: Annotated[list[QueryImage], Field(max_length=MAX_REFERENCES)] = []
    """Reference pictures."""
    negative_images: Annotated[list[Image], Field(max_length=MAX_REFERENCES)] = []
    """Pictures of what is not wanted."""

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        return _not_empty(self, bool(self.images))

    def to_query(self, images: list[ImageFile], negative_images: list[ImageFile]) -> Query:
        """The query, with its pictures loaded."""
        names = {"text", "text_weight", "negative_text", "negative_weight", "like", "unlike"}
        names |= {"group_by", "fold", "diversity", "min_share"}
        weights = [image.weight for image in self.images]
        parts = {name: getattr(self, name) for name in names}
        return Query(images, image_weights=weights, negative_images=negative_images, **parts)


def _describe_form(schema: Json) -> None:
    """A form has no null."""
    for field in schema["properties"].values():
        kinds = [kind for kind in field.pop("anyOf", ()) if kind != {"type": "null"}]
        if kinds:
            field.pop("default")
            field |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    schema["anyOf"] = _any_of(image={"minItems": 1}, image_id={"minItems": 1}, text=_SOME_TEXT)


class SearchForm(_SearchOptions, json_schema_extra=_describe_form):
    """A `SearchRequest` as a form."""

    image: Annotated[list[_File], Field(max_length=MAX_REFERENCES)] = []
    """Image files."""
    image_id: Annotated[list[ItemId], Field(max_length=MAX_REFERENCES)] = []
    """Ids of items whose pictures to use."""
    image_weight: Weight = 1.0
    """What each of these pictures counts."""
    negative_image: Annotated[list[_File], Field(max_length=MAX_REFERENCES)] = []
    """Image files of what is not wanted."""

    @field_validator("rerank", "keep_reference", mode="before")
    @classmethod
    def _read_boolean(cls, value: Any) -> Any:
        return {"true": True, "false": False}.get(str(value).lower(), value)

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        return _not_empty(self, bool(self.image or self.image_id))

    async def to_request(self) -> SearchRequest:
        """The same query: the files first, then the items."""
        weight, unwanted = self.image_weight, self.negative_image
        images: list[QueryImageData | QueryImageOfItem] = [
            QueryImageData.model_construct(base64=await file.read(), weight=weight)
            for file in self.image
        ]
        images += [QueryImageOfItem.model_construct(id=id, weight=weight) for id in self.image_id]
        options = self.model_dump(exclude={"image", "image_id", "image_weight", "negative_image"})
        return SearchRequest.model_construct(
            images=images,
            negative_images=[
                ImageData.model_construct(base64=await file.read()) for file in unwanted
            ],
            **options,
        )


class ItemRequest(
    _Request,
    strict=True,
    json_schema_extra={
        "examples": [
            {
                "image": {"base64": _EXAMPLE_IMAGE},
                "metadata": {"title": "Leopard phone case", "price": 12.5},
            }
        ]
    },
):
    """A picture to store."""

    image: ImageData
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


class ItemForm(_Request):
    """An `ItemRequest` as a form."""

    image: _File
    metadata: Annotated[
        Json | None, BeforeValidator(_json_object), WithJsonSchema({"type": "object"})
    ] = None
    """The item's own fields as JSON; without it, an item that is stored keeps its own."""


class EmbeddingItem(
    _Request,
    strict=True,
    json_schema_extra={"anyOf": _any_of(image={"type": "object"}, text=_SOME_TEXT)},
):
    """A picture, a text, or both, to encode into one vector."""

    image: Image | None = None
    text: Text = None

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        return _not_empty(self, self.image is not None)


class EmbeddingRequest(
    _Request,
    strict=True,
    json_schema_extra={
        "examples": [
            {"items": [{"image": {"id": EXAMPLE_ID}, "text": "in blue"}, {"text": "a kettle"}]}
        ]
    },
):
    """Items to encode."""

    items: Annotated[list[EmbeddingItem], Field(min_length=1, max_length=MAX_EMBEDDED)]
