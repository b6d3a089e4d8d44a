"""The collection: the only package that knows Milvus."""

from ocelot.collection.collection import Collection
from ocelot.collection.rows import CollectionInfo, EncoderIdentity, Row, clean_metadata, row_bytes

__all__ = ["Collection", "CollectionInfo", "EncoderIdentity", "Row", "clean_metadata", "row_bytes"]
