"""Indexing: from folders of pictures and their metadata to rows of a collection."""

from ocelot.indexing.add import add_image
from ocelot.indexing.metadata import MetadataTable, find_metadata, read_metadata
from ocelot.indexing.pipeline import Progress, index_images
from ocelot.indexing.scan import File, scan

__all__ = [
    "File",
    "MetadataTable",
    "Progress",
    "add_image",
    "find_metadata",
    "index_images",
    "read_metadata",
    "scan",
]
