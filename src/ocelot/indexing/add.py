"""Add one picture to a collection, as an upload does."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ocelot.collection import Collection, Row
from ocelot.encoders.base import Encoder
from ocelot.errors import ImageError
from ocelot.images.decode import MAX_PIXELS, decode, hash_bytes
from ocelot.images.thumbnails import Thumbnails
from ocelot.types import Input

__all__ = ["add_image"]


def add_image(
    path: str | Path,
    data: bytes,
    collection: Collection,
    encoder: Encoder,
    *,
    metadata: Mapping[str, Any] | None = None,
    max_pixels: int = MAX_PIXELS,
    thumbnails: Thumbnails | None = None,
) -> tuple[Row, bool]:
    """Bring a collection up to date with one file. Kept once this returns.

    Content that is known is not encoded again; its row learns of the path and the metadata.

    Args:
        path: Where the file is.
        data: Its bytes.
        metadata: The picture's own fields; None keeps those that it has.
        max_pixels: Larger pictures are refused.
        thumbnails: Keeps a small copy of a large picture.

    Returns:
        The row as it is stored now, and whether its content is new.

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
        return new, False
    shortest = encoder.decode_side
    if thumbnails is not None and not thumbnails.keeps:
        thumbnails = None
    if thumbnails is not None and shortest is not None:
        shortest = max(shortest, thumbnails.SIDE)
    try:
        decoded = decode(data, shortest=shortest, max_pixels=max_pixels)
    except ImageError as error:
        raise ImageError(str(path), error.reason) from None
    row = Row(id, paths, len(data), *decoded.size, metadata or {})  # refused before it costs
    prepared = encoder.prepare(Input(image=decoded.image))
    row = replace(row, vector=encoder.embed_checked([prepared])[0])
    collection.upsert([row], fresh=True)
    if thumbnails is not None and thumbnails.wanted(*decoded.size):
        thumbnails.put({id: thumbnails.make(decoded.image)})
    return row, True
