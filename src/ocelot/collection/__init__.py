"""The collection: the only package that knows Milvus."""

from ocelot.collection.collection import Collection
from ocelot.collection.facets import Facet, facets_of
from ocelot.collection.filters import MAX_FILTER, condition
from ocelot.collection.rows import CollectionInfo, EncoderIdentity, Row, clean_metadata, row_bytes

__all__ = [
    "MAX_FILTER", "Collection", "CollectionInfo", "EncoderIdentity", "Facet", "Row",
    "clean_metadata", "condition", "facets_of", "row_bytes",
]  # fmt: skip
