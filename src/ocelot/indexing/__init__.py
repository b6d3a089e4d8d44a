"""Indexing: from folders of pictures and their metadata to rows of a collection."""

from ocelot.indexing.metadata import MetadataTable, find_metadata, read_metadata
from ocelot.indexing.pipeline import Progress, index_images
from ocelot.indexing.records import Record, add_record, add_records, records_of
from ocelot.indexing.scan import File, scan

__all__ = [
    "File",
    "MetadataTable",
    "Progress",
    "Record",
    "add_record",
    "add_records",
    "find_metadata",
    "index_images",
    "read_metadata",
    "records_of",
    "scan",
]
