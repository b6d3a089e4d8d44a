"""Responses as pydantic models, made from Ocelot's own values by attribute."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, computed_field, field_validator
from typing_extensions import Self

from ocelot import types
from ocelot.service import Answer, Overview, Service
from ocelot.web.api.requests import EXAMPLE_ID, MAX_EMBEDDED, ItemId

__all__ = ["Collection", "Embeddings", "Health", "Hits", "Item", "ProblemDetails", "SearchAnswer"]

_VALUE_LENGTH = 200  # characters of a metadata value as JSON; longer ones are left out


class _Value(BaseModel, from_attributes=True):
    pass


class Item(_Value):
    """A stored picture. The paths of its files stay on the server."""

    id: ItemId
    title: Annotated[
        str,
        Field(description="From the metadata, else the file's name.", examples=["Leopard case"]),
    ]
    width: Annotated[int, Field(description="Pixels.", examples=[320])]
    height: Annotated[int, Field(description="Pixels.", examples=[320])]
    metadata: Annotated[
        dict[str, Any], Field(description="The item's own fields.", examples=[{"price": 12.5}])
    ]

    @computed_field(  # type: ignore[prop-decorator]
        description="Path of its picture; `?size=` gives a small one.",
        examples=[f"/v1/items/{EXAMPLE_ID}/image"],
    )
    @property
    def image(self) -> str:
        return f"/v1/items/{self.id}/image"


class Hit(Item):
    """A stored picture that a search found."""

    rank: Annotated[int, Field(description="Place in this list, from 1.", examples=[1])]
    retrieval_rank: Annotated[int, Field(description="Place by similarity, from 1.", examples=[4])]
    score: Annotated[float, Field(description="Cosine similarity to the query.", examples=[0.873])]


class Hits(_Value):
    """Items, the most similar first."""

    hits: list[Hit]

    @classmethod
    def of(cls, hits: Sequence[types.Hit]) -> Self:
        """The hits of a search."""
        return cls.model_validate({"hits": hits})


class Usage(_Value):
    """What a language model was charged for."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


class Ranking(_Value):
    """A reranker's verdict."""

    reranker: Annotated[str, Field(description="Name of the reranker.", examples=["fusion"])]
    status: Annotated[
        Literal["ok", "repaired", "fallback"],
        Field(
            description="`repaired`: the reply had to be repaired; `fallback`: it could not be "
            "used, and the hits are in retrieval order."
        ),
    ]
    detail: Annotated[str, Field(description="What was repaired, or why it fell back.")]
    match: Annotated[
        bool | None,
        Field(description="Whether any hit fits the query; null when the reranker does not say."),
    ]
    reason: Annotated[str, Field(description="Why the first hit is the first.")]
    cached: Annotated[bool, Field(description="Whether the verdict came from the cache.")]
    usage: Usage


class Timings(_Value):
    """Seconds by stage; null for a stage that did not run."""

    encode: float | None = None
    search: float | None = None
    rerank: float | None = None
    total: float | None = None


class SearchAnswer(_Value):
    """The answer to a query."""

    hits: Annotated[list[Hit], Field(description="In final order.")]
    best: Annotated[Hit | None, Field(description="The first hit; null when nothing fits.")]
    ranking: Annotated[Ranking | None, Field(description="Null when nothing was reranked.")]
    timings: Timings
    panorama: Annotated[
        str | None,
        Field(
            description="Path of the numbered picture of the hits; it is kept for a while.",
            examples=["/v1/panoramas/hGS4CkTFmH5eDIIdTTQLLw"],
        ),
    ]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """The answer of a service."""
        result = answer.result
        return cls.model_validate(
            {
                "hits": result.hits,
                "best": result.best,
                "ranking": result.ranking,
                "timings": result.timings,
                "panorama": answer.panorama and f"/v1/panoramas/{answer.panorama}",
            }
        )


class Encoder(_Value):
    """The encoder of the collection's vectors."""

    name: Annotated[str, Field(examples=["ocelot-tiny"])]
    dimension: Annotated[int, Field(description="Length of a vector.", examples=[256])]


class Embeddings(_Value):
    """Unit vectors, one for each item."""

    encoder: str
    dimension: int
    embeddings: list[list[float]]


class MetadataField(_Value):
    """One metadata field, from a sample of the items."""

    key: str
    kind: Literal["text", "number", "boolean", "other"]
    values: Annotated[list[Any], Field(description="Some values, the most frequent first.")]
    distinct: Annotated[int, Field(description="Number of different values in the sample.")]
    low: Annotated[float | None, Field(description="Smallest value, for numbers.")]
    high: Annotated[float | None, Field(description="Largest value, for numbers.")]

    @field_validator("values")
    @classmethod
    def _short(cls, values: list[Any]) -> list[Any]:
        return [value for value in values if len(json.dumps(value)) <= _VALUE_LENGTH]


class Rerankers(_Value):
    """The names that `rerank` takes."""

    names: list[str]
    default: Annotated[str | None, Field(description="Null when nothing reranks by default.")]


class RequestLimits(_Value):
    """Limits of one request."""

    upload_bytes: Annotated[int, Field(description="Bytes of the largest request.")]
    pixels: Annotated[int, Field(description="Pixels of the largest picture.")]
    references: Annotated[int, Field(description="Pictures in one query.")]
    results: Annotated[int, Field(description="Hits of one search.")]
    embeddings: Annotated[int, Field(description="Items to encode in one request.")]
    filter_length: Annotated[int, Field(description="Characters of a filter.")]
    text_length: Annotated[int, Field(description="Characters of a text.")]


class Collection(_Value):
    """The collection, its metadata fields, and the limits of requests."""

    name: Annotated[str, Field(examples=["ocelot"])]
    count: Annotated[int, Field(description="Number of items.", examples=[900])]
    encoder: Encoder
    index: Annotated[str, Field(description="Type of the vector index.", examples=["FLAT"])]
    metric: Annotated[str, Field(examples=["COSINE"])]
    deployment: Annotated[str, Field(description="lite, server or zilliz.", examples=["lite"])]
    version: Annotated[str, Field(description="Version of Milvus.")]
    metadata: list[MetadataField]
    rerankers: Rerankers
    limits: RequestLimits

    @classmethod
    def of(cls, overview: Overview, service: Service) -> Self:
        """The collection of a service. The address of the database stays on the server."""
        limits = {"references": types.MAX_REFERENCES, "embeddings": MAX_EMBEDDED}
        return cls.model_validate(
            {
                **vars(overview.info),
                "metadata": overview.facets,
                "rerankers": {"names": service.rerankers, "default": service.default},
                "limits": vars(service.limits) | limits,
            }
        )


class Health(_Value):
    """The state of the server."""

    status: Annotated[str, Field(examples=["ok"])]


class FieldError(BaseModel):
    """A field that cannot be used."""

    field: Annotated[str, Field(examples=["limit"])]
    message: Annotated[str, Field(examples=["input should be less than or equal to 100"])]


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457)."""

    type: Annotated[
        str, Field(description="The kind of problem.", examples=["urn:ocelot:problem:input"])
    ]
    title: Annotated[str, Field(examples=["The request cannot be used"])]
    status: Annotated[int, Field(description="HTTP status code.", examples=[422])]
    detail: Annotated[
        str,
        Field(
            description="What happened, and what to do.",
            examples=["The field limit cannot be used: input should be at most 100."],
        ),
    ]
    field: Annotated[str | None, Field(description="The first field that cannot be used.")] = None
    errors: Annotated[
        list[FieldError] | None, Field(description="All fields that cannot be used.")
    ] = None
