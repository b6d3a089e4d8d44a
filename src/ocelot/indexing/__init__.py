"""Indexing: from pictures and their metadata to rows of a collection."""

from ocelot.indexing.folders import index_images
from ocelot.indexing.metadata import find_metadata
from ocelot.indexing.metadata_file import MetadataTable, read_metadata
from ocelot.indexing.pipeline import Progress
from ocelot.indexing.records import add_record, add_records
from ocelot.indexing.scan import File, scan

__all__ = [
    "File",
    "MetadataTable",
    "Progress",
    "add_record",
    "add_records",
    "find_metadata",
    "index_images",
    "read_metadata",
    "scan",
]
