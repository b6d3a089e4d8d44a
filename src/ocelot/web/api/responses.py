"""What the API gives, as pydantic models, and how they are made from Ocelot's own values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field
from typing_extensions import Self

from ocelot import types
from ocelot.service import Answer, Facet, Overview, Service
from ocelot.web.api.requests import EXAMPLE_ID, MAX_EMBEDDED, ItemId

__all__ = [
    "Collection",
    "Embedded",
    "Encoder",
    "Health",
    "Hit",
    "Hits",
    "Item",
    "MetadataKey",
    "ProblemDetails",
    "Ranking",
    "RequestLimits",
    "Rerankers",
    "SearchAnswer",
]

_LONG = 200  # characters of a value as JSON


class Item(BaseModel):
    """An indexed picture."""

    id: ItemId
    title: Annotated[
        str,
        Field(description="From the metadata, else the file's name.", examples=["Leopard case"]),
    ]
    width: Annotated[int, Field(description="Pixels.", examples=[320])]
    height: Annotated[int, Field(description="Pixels.", examples=[320])]
    metadata: Annotated[
        dict[str, Any],
        Field(description="The picture's own fields.", examples=[{"price": 12.5}]),
    ]
    image: Annotated[
        str,
        Field(
            description="Where its picture is; `?size=` gives a small one.",
            examples=[f"/v1/items/{EXAMPLE_ID}/image"],
        ),
    ]

    @classmethod
    def of(cls, item: types.Item, **more: Any) -> Self:
        """Without the paths of its files, which are private."""
        return cls(
            id=item.id,
            title=item.title,
            width=item.width,
            height=item.height,
            metadata=dict(item.metadata),
            image=f"/v1/items/{item.id}/image",
            **more,
        )


class Hit(Item):
    """An indexed picture that a search found."""

    rank: Annotated[int, Field(description="Place in this list, from 1.", examples=[1])]
    score: Annotated[float, Field(description="Cosine similarity to the query.", examples=[0.873])]


class RankedHit(Hit):
    """A hit in the final order."""

    retrieval_rank: Annotated[
        int, Field(description="Place that the search gave it, from 1.", examples=[4])
    ]


class Hits(BaseModel):
    """Items, the closest first."""

    hits: list[Hit]

    @classmethod
    def of(cls, hits: Sequence[types.Hit]) -> Self:
        """Those of a search."""
        return cls(hits=[Hit.of(hit, rank=hit.rank, score=hit.score) for hit in hits])


class Usage(BaseModel):
    """What a language model was charged for."""

    calls: int
    prompt_tokens: int
    completion_tokens: int


class Ranking(BaseModel):
    """A reranker's verdict."""

    reranker: Annotated[str, Field(description="Who decided.", examples=["fusion"])]
    status: Annotated[
        Literal["ok", "repaired", "fallback"],
        Field(description="`repaired`: the reply needed mending; `fallback`: it was of no use."),
    ]
    detail: Annotated[str, Field(description="What was repaired, or why it fell back.")]
    match: Annotated[
        bool | None, Field(description="Whether anything fits at all; null when not judged.")
    ]
    reason: Annotated[str, Field(description="Why the first is the first.")]
    cached: bool
    usage: Usage

    @classmethod
    def of(cls, ranking: types.Ranking) -> Self:
        """A reranker's verdict, without its order, which the hits are in."""
        given = asdict(ranking)
        given.pop("order")
        return cls(**given)


class Timings(BaseModel):
    """Seconds by stage; null when there was no such stage."""

    encode: float | None = None
    search: float | None = None
    rerank: float | None = None
    total: float | None = None


class SearchAnswer(BaseModel):
    """The answer to a query."""

    hits: Annotated[list[RankedHit], Field(description="In final order.")]
    best: Annotated[RankedHit | None, Field(description="The first hit; null when nothing fits.")]
    ranking: Annotated[Ranking | None, Field(description="Null when nothing reranked.")]
    timings: Timings
    panorama: Annotated[
        str | None,
        Field(
            description="Where the numbered picture of the hits is, for a while.",
            examples=["/v1/panoramas/hGS4CkTFmH5eDIIdTTQLLw"],
        ),
    ]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """That of the service."""
        result = answer.result
        hits = [
            RankedHit.of(hit, rank=hit.rank, score=hit.score, retrieval_rank=hit.retrieval_rank)
            for hit in result.hits
        ]
        return cls(
            hits=hits,
            best=None if result.best is None else hits[0],
            ranking=None if result.ranking is None else Ranking.of(result.ranking),
            timings=Timings(**result.timings),
            panorama=None if answer.panorama is None else f"/v1/panoramas/{answer.panorama}",
        )


class Encoder(BaseModel):
    """Whose vectors these are."""

    name: Annotated[str, Field(examples=["ocelot-tiny"])]
    dimension: Annotated[int, Field(examples=[256])]


class Embedded(BaseModel):
    """Unit vectors, one for each item."""

    encoder: str
    dimension: int
    embeddings: list[list[float]]


class MetadataKey(BaseModel):
    """One key of the metadata, as a sample of the items has it."""

    key: str
    kind: Literal["text", "number", "boolean", "other"]
    values: Annotated[list[Any], Field(description="Some of them, the most frequent first.")]
    distinct: Annotated[int, Field(description="How many values there are in the sample.")]
    low: Annotated[float | None, Field(description="Of numbers.")]
    high: Annotated[float | None, Field(description="Of numbers.")]

    @classmethod
    def of(cls, facet: Facet) -> Self:
        """That of a facet; values that are long reading are left out."""
        values = [value for value in facet.values if len(json.dumps(value)) <= _LONG]
        given = {name: getattr(facet, name) for name in ("key", "kind", "distinct", "low", "high")}
        return cls(values=values, **given)


class Rerankers(BaseModel):
    """What `rerank` may name."""

    names: list[str]
    default: Annotated[str | None, Field(description="Null when nothing reranks by default.")]


class RequestLimits(BaseModel):
    """What one request may ask for."""

    upload_bytes: Annotated[int, Field(description="Largest request.")]
    pixels: Annotated[int, Field(description="Largest picture.")]
    references: Annotated[int, Field(description="Pictures in one query.")]
    results: Annotated[int, Field(description="Hits of one search.")]
    embeddings: Annotated[int, Field(description="Items encoded by one request.")]
    filter_length: Annotated[int, Field(description="Characters.")]
    text_length: Annotated[int, Field(description="Characters.")]


class Collection(BaseModel):
    """What the collection is, and what it offers to filter by."""

    name: Annotated[str, Field(examples=["ocelot"])]
    count: Annotated[int, Field(description="Items.", examples=[900])]
    encoder: Encoder
    index: Annotated[str, Field(description="Type of the vector index.", examples=["FLAT"])]
    metric: Annotated[str, Field(examples=["COSINE"])]
    deployment: Annotated[str, Field(description="lite, server or zilliz.", examples=["lite"])]
    version: Annotated[str, Field(description="Of Milvus.")]
    metadata: list[MetadataKey]
    rerankers: Rerankers
    limits: RequestLimits

    @classmethod
    def of(cls, overview: Overview, service: Service) -> Self:
        """What a service says of its collection. Where the database is stays with the server."""
        info, limits = overview.info, service.limits
        return cls(
            name=info.name,
            count=info.count,
            encoder=Encoder(name=info.encoder.name, dimension=info.encoder.dimension),
            index=info.index,
            metric=info.metric,
            deployment=info.deployment,
            version=info.version,
            metadata=[MetadataKey.of(facet) for facet in overview.facets],
            rerankers=Rerankers(names=list(service.rerankers), default=service.default),
            limits=RequestLimits(
                upload_bytes=limits.upload_bytes,
                pixels=limits.pixels,
                references=types.MAX_REFERENCES,
                results=limits.results,
                embeddings=MAX_EMBEDDED,
                filter_length=limits.filter_length,
                text_length=limits.text_length,
            ),
        )


class Health(BaseModel):
    """That all is well."""

    status: Annotated[str, Field(examples=["ok"])]


class FieldError(BaseModel):
    """One field that does not fit."""

    field: Annotated[str, Field(examples=["limit"])]
    message: Annotated[str, Field(examples=["input should be less than or equal to 100"])]


class ProblemDetails(BaseModel):
    """What went wrong, as RFC 9457 has it."""

    type: Annotated[
        str, Field(description="Names the kind of problem.", examples=["urn:ocelot:problem:input"])
    ]
    title: Annotated[str, Field(examples=["The request cannot be used"])]
    status: Annotated[int, Field(description="As in the status line.", examples=[422])]
    detail: Annotated[
        str,
        Field(
            description="What happened, and what to do.",
            examples=["The field limit cannot be used: input should be at most 100."],
        ),
    ]
    field: Annotated[str | None, Field(description="The field to blame.")] = None
    errors: Annotated[list[FieldError] | None, Field(description="All fields to blame.")] = None
