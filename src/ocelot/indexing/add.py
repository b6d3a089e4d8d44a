"""Add one picture to a collection, as an upload does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ocelot.collection import Collection, Row
from ocelot.encoder import Encoder
from ocelot.errors import ImageError
from ocelot.images import MAX_PIXELS, hash_bytes, load_image
from ocelot.records import Item

__all__ = ["add_image"]


def add_image(
    path: str | Path,
    data: bytes,
    collection: Collection,
    encoder: Encoder,
    *,
    metadata: Mapping[str, Any] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> bool:
    """Bring a collection up to date with one file. Kept once this returns.

    Content that is known is not encoded again; its row learns of the path and the metadata.

    Args:
        path: Where the file is.
        data: Its bytes.
        metadata: The picture's own fields; None keeps those that it has.
        max_pixels: Larger pictures are refused.

    Returns:
        Whether the content is new.

    Raises:
        ImageError: This is no image that can be used.
        MetadataError: The metadata cannot be stored.
        EncoderError, CollectionError: Encoding or storing failed.
    """
    id, place = hash_bytes(data), os.path.abspath(path)
    paths = {place: os.stat(place).st_mtime_ns}
    known = collection.get([id])
    if known:
        row = known[0]
        fields = row.metadata if metadata is None else metadata
        new = replace(row, paths={**row.paths, **paths}, metadata=fields)
        if new != row:
            collection.upsert([new])
        return False
    try:
        image = load_image(data, max_pixels=max_pixels)
    except ImageError as error:
        raise ImageError(str(path), error.reason) from None
    row = Row(id, paths, len(data), *image.size, metadata or {})  # refused before it costs
    collection.upsert([replace(row, vector=encoder.encode([Item(image=image)])[0])])
    return True
