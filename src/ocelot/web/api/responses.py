"""Responses as pydantic models, made from Ocelot's own values by attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, computed_field
from typing_extensions import Self

from ocelot import types
from ocelot.collection import MAX_FILTER
from ocelot.service import MAX_RESULTS, MAX_TEXT, Answer, Overview, Service
from ocelot.web.api.requests import MAX_EMBEDDED, MAX_QUERIES, ItemId

__all__ = [
    "BatchAnswer", "BatchEntry", "BulkLine", "Collection", "Health", "HitPage",
    "Hits", "Item", "ItemPage", "ProblemDetails", "SearchAnswer",
]  # fmt: skip


class _Value(BaseModel, from_attributes=True, use_attribute_docstrings=True):
    pass


class Item(_Value):
    """A stored picture. The paths of its files stay on the server."""

    id: ItemId
    title: str
    """From the metadata, else the file's name."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    metadata: dict[str, Any]
    """The item's own fields."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def image(self) -> str:
        """Path of its picture; `?size=` gives a small one."""
        return f"/v1/items/{self.id}/image"


class Hit(Item):
    """A stored picture that a search found."""

    rank: int
    """Place in this list, from 1."""
    score: float
    """Cosine similarity to the query."""


class RankedHit(Hit):
    """A hit in final order."""

    retrieval_rank: int
    """Place in the order of the search, from 1."""
    folded: int
    """Number of hits that were left out for this one: near duplicates, or others of its group."""


class Hits(_Value):
    """Items, the most similar first."""

    hits: list[Hit]

    @classmethod
    def of(cls, hits: Sequence[types.Hit]) -> Self:
        """The hits of a search."""
        return cls.model_validate({"hits": hits})


class HitPage(Hits):
    """Items, the most similar first, and where more begin."""

    next: str | None
    """Cursor of the next hits; null when there are none."""


class ItemPage(_Value):
    """Items in the order of their ids, and where more begin."""

    items: list[Item]
    next: str | None
    """Cursor of the next items; null when there are none."""


class Usage(_Value):
    """What a language model was charged for."""

    calls: int
    """Requests that were answered."""
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars; null where the server knows no prices."""


class Ranking(_Value):
    """A reranker's verdict."""

    ranked_by: str
    """Who made the order: the reranker; `retrieval` after a fallback."""
    reranker: str
    """Name of the reranker that was asked."""
    status: types.RankStatus
    """`repaired`: the reply had to be repaired; `replaced`: the language model could not be asked,
    and another reranker was; `fallback`: there was no usable answer, and the hits are in retrieval
    order."""
    detail: str
    """What was repaired, or why it was replaced or fell back."""
    match: bool | None
    """Whether any hit fits the query; null when the reranker does not say."""
    reason: str
    """Why the first hit is the first."""
    cached: bool
    """Whether the verdict came from the cache."""
    usage: Usage


class Timings(_Value):
    """Seconds by stage; null for a stage that did not run."""

    encode: float | None = None
    search: float | None = None
    rerank: float | None = None
    total: float | None = None


class SearchAnswer(_Value):
    """The answer to a query."""

    hits: list[RankedHit]
    """In final order."""
    best: RankedHit | None
    """The first hit; null when nothing fits."""
    ranking: Ranking | None
    """Null when nothing was reranked."""
    unknown_words: list[str]
    """Words of the text that the encoder never saw in training."""
    timings: Timings
    panorama: str | None
    """Path of a picture of the hits, numbered by `retrieval_rank`; it is kept for a while."""
    next: str | None
    """Cursor of the next hits; null when there are none, and with `diversity`."""

    @classmethod
    def of(cls, answer: Answer, next: str | None = None) -> Self:
        """The answer of a service, and the cursor of the next."""
        result = answer.result
        return cls.model_validate(
            {
                "hits": result.hits,
                "best": result.best,
                "ranking": result.ranking,
                "unknown_words": result.unknown_words,
                "timings": result.timings,
                "panorama": answer.panorama and f"/v1/panoramas/{answer.panorama}",
                "next": next,
            }
        )


class Encoder(_Value):
    """The encoder of the collection's vectors."""

    name: str
    dimension: int
    """Length of a vector."""


class MetadataField(_Value):
    """One metadata field, from a sample of the items."""

    key: str
    kind: Literal["text", "number", "boolean", "other"]
    values: list[Any]
    """Some values, the most frequent first; none that is longer than 200 characters as JSON."""
    distinct: int
    """Number of different values in the sample."""
    count: int
    """Number of items of the sample that have it."""
    low: float | None
    """Smallest value, for numbers."""
    high: float | None
    """Largest value, for numbers."""


class Rerankers(_Value):
    """The names that `rerank` takes."""

    names: list[str]
    default: str | None
    """Null when nothing reranks by default."""


class RequestLimits(_Value):
    """Limits of one request."""

    upload_bytes: int
    """Bytes of the largest request."""
    pixels: int
    """Pixels of the largest picture."""
    references: int
    """Pictures in one query."""
    results: int
    """Hits of one search."""
    queries: int
    """Queries of a batch."""
    embeddings: int
    """Items to encode in one request."""
    filter_length: int
    """Characters of a filter."""
    text_length: int
    """Characters of a text."""


class Collection(_Value):
    """The collection, its metadata fields, and the limits of requests."""

    name: str
    count: int
    """Number of items."""
    encoder: Encoder
    index: str
    """Type of the vector index."""
    metric: str
    deployment: str
    """lite, server or zilliz."""
    version: str
    """Version of Milvus."""
    metadata: list[MetadataField]
    sampled: int
    """Number of items that the metadata fields are read from; `count` when from all."""
    rerankers: Rerankers
    limits: RequestLimits

    @classmethod
    def of(cls, overview: Overview, service: Service) -> Self:
        """The collection of a service. The address of the database stays on the server."""
        limits = {
            "references": types.MAX_REFERENCES,
            "results": MAX_RESULTS,
            "queries": MAX_QUERIES,
            "embeddings": MAX_EMBEDDED,
            "filter_length": MAX_FILTER,
            "text_length": MAX_TEXT,
        }
        return cls.model_validate(
            {
                **vars(overview.info),
                "metadata": overview.facets,
                "sampled": overview.sampled,
                "rerankers": {"names": service.rerankers, "default": service.default},
                "limits": vars(service.limits) | limits,
            }
        )


class Health(_Value):
    """The state of the server."""

    status: str


class FieldError(_Value):
    """A field that cannot be used."""

    field: str
    message: str


class ProblemDetails(_Value):
    """What went wrong (RFC 9457)."""

    type: str
    """The kind of problem, such as `urn:ocelot:problem:input`."""
    title: str
    status: int
    """HTTP status code."""
    detail: str
    """What happened, and what to do."""
    field: str | None = None
    """The first field that cannot be used."""
    errors: list[FieldError] | None = None
    """All fields that cannot be used."""


class BatchEntry(_Value):
    """The answer to one query of a batch, or why there is none."""

    answer: SearchAnswer | None = None
    """In retrieval order."""
    problem: ProblemDetails | None = None
    """Why the query cannot be answered."""


class BatchAnswer(_Value):
    """Answers to the queries of a batch, in their order."""

    answers: list[BatchEntry]


class BulkLine(_Value):
    """The answer to one line of a bulk request; a field that is null is left out."""

    line: int | None = None
    """Its number, from 1; null where the rest of the body did not arrive."""
    status: int
    """201 for a new item, 200 for one that was stored before, else that of the problem."""
    id: ItemId | None = None
    """Id of the item."""
    problem: ProblemDetails | None = None
    """Why the line could not be used."""
