"""The bodies of other searches: many queries at once, and a vector."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ocelot.web.api.requests.fields import Body, Cursor, Filter, HitLimit, MinScore
from ocelot.web.api.requests.search import SearchRequest

__all__ = ["MAX_QUERIES", "BatchRequest", "VectorRequest"]

MAX_QUERIES = 64
_MAX_DIMENSION = 32_768  # of a vector in Milvus


class BatchRequest(
    Body,
    strict=True,
    json_schema_extra={
        "examples": [{"queries": [{"text": "blue kettle", "limit": 3}, {"text": "red mug"}]}]
    },
):
    """Queries to answer at once, without reranking."""

    queries: Annotated[list[SearchRequest], Field(min_length=1, max_length=MAX_QUERIES)]
    """Each as for a search of its own, without `rerank`."""


class VectorRequest(
    Body, strict=True, json_schema_extra={"examples": [{"vector": [0.12, -0.4], "limit": 9}]}
):
    """A vector of the collection's encoder."""

    vector: Annotated[
        list[Annotated[float, Field(allow_inf_nan=False)]],
        Field(min_length=1, max_length=_MAX_DIMENSION),
    ]
    """It need not have length 1."""
    limit: HitLimit = 9
    cursor: Cursor = None
    filter: Filter = None
    min_score: MinScore = None
