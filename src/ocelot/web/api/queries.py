"""The bodies of searches: a query as JSON and as a form, many queries, a vector."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema, field_validator, model_validator
from pydantic_core import PydanticCustomError

from ocelot.images.file import ImageFile
from ocelot.query import MAX_ITEMS, MAX_REFERENCES, Query
from ocelot.web.api import fields
from ocelot.web.api.fields import EXAMPLE_ID, Body, ItemId, Text, Weight

__all__ = ["MAX_QUERIES", "BatchRequest", "SearchForm", "SearchRequest", "VectorRequest"]

MAX_QUERIES = 64
_MAX_DIMENSION = 32_768  # of a vector in Milvus
_QUERY_PARTS = (  # fields that a `Query` has under the same names
    "text", "text_weight", "negative_text", "negative_weight", "like", "unlike", "group_by",
    "hybrid", "fold", "diversity", "min_share",
)  # fmt: skip

Share = Annotated[float, Field(ge=0, le=1)]
ItemIds = Annotated[list[ItemId], Field(max_length=MAX_ITEMS)]
FieldName = Annotated[str | None, Field(max_length=200)]


def _reranker(value: Any) -> Any:
    if value is not None and not isinstance(value, (bool, str)):
        raise PydanticCustomError("choice", "it must be true, false or the name of a reranker")
    return value


class _SearchOptions(Body):
    """The fields that a search has in JSON and in a form."""

    text: Text = None
    """What is wanted, or how it differs from the pictures."""
    limit: fields.HitLimit = 9
    cursor: fields.Cursor = None
    filter: fields.Filter = None
    min_score: fields.MinScore = None
    rerank: Annotated[
        bool | str | None,
        PlainValidator(_reranker),
        WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "string"}, {"type": "null"}]}),
    ] = None
    """Whether to rerank, or the name of a reranker; by default as the server is set up. Only an
    answer without a cursor is reranked, and of that the first 100 hits."""
    keep_reference: Annotated[bool, Field(strict=True)] = False
    """Also return the query's own pictures, their exact copies, and the items it names."""
    text_weight: Weight = 1.0
    """What the text counts beside the pictures."""
    negative_text: Text = None
    """What is not wanted."""
    negative_weight: Weight = 0.5
    """How far the query moves away from what is not wanted."""
    like: ItemIds = Field([])
    """Ids of items that the hits should be closer to."""
    unlike: ItemIds = Field([])
    """Ids of items that the hits should be further from."""
    group_by: FieldName = None
    """A metadata field: only the best hit of each of its values is returned."""
    hybrid: FieldName = None
    """A metadata field: hits that share words of the text there come forward."""
    fold: Share | None = None
    """Leave out near duplicates of better hits, from this cosine similarity."""
    diversity: Share = 0.0
    """How much it counts that hits differ from each other."""
    min_share: Share | None = None
    """Leave out hits whose score is below this share of the best one's."""


class SearchRequest(
    _SearchOptions,
    json_schema_extra={
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

    images: Annotated[list[fields.QueryImage], Field(max_length=MAX_REFERENCES)] = Field([])
    """Reference pictures."""
    negative_images: Annotated[list[fields.Image], Field(max_length=MAX_REFERENCES)] = Field([])
    """Pictures of what is not wanted."""

    _is_not_empty = model_validator(mode="after")(fields.not_empty)

    def to_query(self, images: list[ImageFile], negative_images: list[ImageFile]) -> Query:
        """The query, with its pictures loaded."""
        parts = {name: getattr(self, name) for name in _QUERY_PARTS}
        weights = [image.weight for image in self.images]
        return Query(images, image_weights=weights, negative_images=negative_images, **parts)


def _describe_form(schema: dict[str, Any]) -> None:
    """A form has no null."""
    for field in schema["properties"].values():
        kinds = [kind for kind in field.pop("anyOf", ()) if kind != {"type": "null"}]
        if kinds:
            field.pop("default")
            field |= kinds[0] if len(kinds) == 1 else {"anyOf": kinds}


class SearchForm(_SearchOptions, strict=False, json_schema_extra=_describe_form):
    """A `SearchRequest` as a form."""

    image: Annotated[list[fields.File], Field(max_length=MAX_REFERENCES)] = Field([])
    """Image files."""
    image_id: Annotated[list[ItemId], Field(max_length=MAX_REFERENCES)] = Field([])
    """Ids of items whose pictures to use."""
    image_weight: Weight = 1.0
    """What each of these pictures counts."""
    negative_image: Annotated[list[fields.File], Field(max_length=MAX_REFERENCES)] = Field([])
    """Image files of what is not wanted."""

    @field_validator("rerank", "keep_reference", mode="before")
    @classmethod
    def _read_boolean(cls, value: Any) -> Any:
        return {"true": True, "false": False}.get(str(value).lower(), value)

    _is_not_empty = model_validator(mode="after")(fields.not_empty)

    async def to_request(self) -> SearchRequest:
        """The same query: the files first, then the items."""
        weight = self.image_weight
        files = [await file.read() for file in self.image]
        unwanted = [await file.read() for file in self.negative_image]
        request = SearchRequest.model_construct(
            **{name: getattr(self, name) for name in _SearchOptions.model_fields},
            negative_images=[fields.ImageData.model_construct(base64=data) for data in unwanted],
        )
        request.images = [
            *(fields.QueryImageData.model_construct(base64=d, weight=weight) for d in files),
            *(fields.QueryImageOfItem.model_construct(id=i, weight=weight) for i in self.image_id),
        ]
        return request


class BatchRequest(
    Body,
    json_schema_extra={
        "examples": [{"queries": [{"text": "blue kettle", "limit": 3}, {"text": "red mug"}]}]
    },
):
    """Queries to answer at once, without reranking."""

    queries: Annotated[list[SearchRequest], Field(min_length=1, max_length=MAX_QUERIES)]
    """Each as for a search of its own, without `rerank`."""


class VectorRequest(Body, json_schema_extra={"examples": [{"vector": [0.12, -0.4], "limit": 9}]}):
    """A vector of the collection's encoder."""

    vector: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False)]],
        Field(min_length=1, max_length=_MAX_DIMENSION),
    ]
    """It need not have length 1."""
    limit: fields.HitLimit = 9
    cursor: fields.Cursor = None
    filter: fields.Filter = None
    min_score: fields.MinScore = None
