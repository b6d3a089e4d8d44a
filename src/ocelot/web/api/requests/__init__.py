"""Request bodies as pydantic models, which also describe them in OpenAPI."""

from ocelot.web.api.requests.embeddings import MAX_EMBEDDED, EmbeddingRequest
from ocelot.web.api.requests.fields import (
    EXAMPLE_ID,
    TAGS,
    Filter,
    HitLimit,
    ImageData,
    ImageOfItem,
    ItemId,
    MinScore,
)
from ocelot.web.api.requests.items import ItemForm, ItemRequest
from ocelot.web.api.requests.search import SearchForm, SearchRequest

__all__ = [
    "EXAMPLE_ID", "MAX_EMBEDDED", "TAGS", "EmbeddingRequest", "Filter", "HitLimit", "ImageData",
    "ImageOfItem", "ItemForm", "ItemId", "ItemRequest", "MinScore", "SearchForm", "SearchRequest",
]  # fmt: skip
