"""Rows as Parquet: the columns of exports, and of the parts that a cluster encodes.

They are those that Milvus's bulk import reads for a collection of Ocelot, by the conventions of
`pymilvus.bulk_writer`::

    id                    string
    paths                 string: a JSON object, path -> modification time in nanoseconds
    size, width, height   int64
    vector                list of float32
    $meta                 string: a JSON object of the metadata and of `sha256`; Milvus's name for
                          the fields that are not in the schema of a collection

The encoder is in the metadata of the Parquet schema, under the keys of a collection's properties.
Bulk import refuses any other column, so there is none for each field of the metadata.
"""

from __future__ import annotations

import pyarrow as pa

__all__ = ["NUMBERS", "ROWS"]

NUMBERS = ("size", "width", "height")
ROWS = pa.schema(
    [
        ("id", pa.string()),
        ("paths", pa.string()),
        *((name, pa.int64()) for name in NUMBERS),
        ("vector", pa.list_(pa.float32())),
        ("$meta", pa.string()),
    ]
)
