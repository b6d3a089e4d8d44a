"""Request bodies as pydantic models, which also describe them in OpenAPI."""

from ocelot.web.api.requests.embeddings import (
    MAX_EMBEDDED,
    EmbeddingItem,
    EmbeddingRequest,
    RerankRequest,
)
from ocelot.web.api.requests.fields import (
    EXAMPLE_ID,
    TAGS,
    Base64,
    Cursor,
    Filter,
    HitLimit,
    ImageData,
    ImageOfItem,
    ItemId,
    MinScore,
)
from ocelot.web.api.requests.items import ItemChanges, ItemForm, ItemRequest
from ocelot.web.api.requests.more_search import MAX_QUERIES, BatchRequest, VectorRequest
from ocelot.web.api.requests.search import SearchForm, SearchRequest

__all__ = [
    "EXAMPLE_ID", "MAX_EMBEDDED", "MAX_QUERIES", "TAGS", "Base64", "BatchRequest", "Cursor",
    "EmbeddingItem", "EmbeddingRequest", "Filter", "HitLimit", "ImageData", "ImageOfItem",
    "ItemChanges", "ItemForm", "ItemId", "ItemRequest", "MinScore", "RerankRequest", "SearchForm",
    "SearchRequest", "VectorRequest",
]  # fmt: skip
