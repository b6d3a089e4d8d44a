"""Responses as pydantic models, made from Ocelot's own values by attribute."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, computed_field
from typing_extensions import Self

from ocelot import types
from ocelot.service import Answer
from ocelot.web.api.fields import ItemId

__all__ = [
    "BatchAnswer", "BulkLine", "HitPage", "Hits", "Item", "ItemPage", "ProblemDetails",
    "SearchAnswer", "Value",
]  # fmt: skip


class Value(BaseModel, from_attributes=True, use_attribute_docstrings=True):
    """A part of an answer."""


class Item(Value):
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


class Hits(Value):
    """Items, the most similar first."""

    hits: list[Hit]


class HitPage(Hits):
    """Items, the most similar first, and where more begin."""

    next: str | None
    """Cursor of the next hits; null when there are none."""


class ItemPage(Value):
    """Items in the order of their ids, and where more begin."""

    items: list[Item]
    next: str | None
    """Cursor of the next items; null when there are none."""


class Usage(Value):
    """What a language model was charged for."""

    calls: int
    """Requests that were answered."""
    prompt_tokens: int
    completion_tokens: int
    cost: float | None
    """US dollars; null where the server knows no prices."""


class Ranking(Value):
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


class Timings(Value):
    """Seconds by stage; null for a stage that did not run."""

    encode: float | None = None
    search: float | None = None
    rerank: float | None = None
    total: float | None = None


class SearchAnswer(Value):
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
        hits = [RankedHit.model_validate(hit) for hit in result.hits]
        return cls.model_validate(
            {
                "hits": hits,
                "best": hits[0] if result.best else None,
                "ranking": result.ranking,
                "unknown_words": result.unknown_words,
                "timings": result.timings,
                "panorama": answer.panorama and f"/v1/panoramas/{answer.panorama}",
                "next": next,
            }
        )


class FieldError(Value):
    """A field that cannot be used."""

    field: str
    message: str


class ProblemDetails(Value):
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


class BatchEntry(Value):
    """The answer to one query of a batch, or why there is none."""

    answer: SearchAnswer | None = None
    """In retrieval order."""
    problem: ProblemDetails | None = None
    """Why the query cannot be answered."""


class BatchAnswer(Value):
    """Answers to the queries of a batch, in their order."""

    answers: list[BatchEntry]


class BulkLine(Value):
    """The answer to one line of a bulk request; a field that is null is left out."""

    line: int | None = None
    """Its number, from 1; null where the rest of the body did not arrive."""
    status: int
    """201 for a new item, 200 for one that was stored before, else that of the problem."""
    id: ItemId | None = None
    """Id of the item."""
    problem: ProblemDetails | None = None
    """Why the line could not be used."""
