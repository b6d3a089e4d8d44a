"""Panoramas of recent answers, drawn when a client asks for one."""

from __future__ import annotations

import secrets
import threading
from dataclasses import replace

from cachetools import LRUCache

from ocelot.errors import ItemNotFound
from ocelot.images.decode import encode_jpeg
from ocelot.images.store import ImageStore
from ocelot.rerankers.panorama.compose import MAX_CANDIDATES, panorama_of_hits
from ocelot.types import Hit, Query

__all__ = ["Panoramas"]

_HIT_BYTES = 1000  # memory that a hit takes, about

Inputs = tuple[Query, tuple[Hit, ...]]


class Panoramas:
    """Keeps the query and hits of recent answers, up to a number of bytes.

    The panorama is a pure function of them, so it is the picture that a reranker was shown.

    Args:
        images: Where the hits' pictures are read from.
        max_bytes: Bytes to keep, about.
    """

    def __init__(self, images: ImageStore, max_bytes: int = 32 * 2**20) -> None:
        def size(inputs: Inputs) -> int:
            query, hits = inputs
            pictures = sum(len(image.data) for image in query.images)
            return min(max_bytes, pictures + _HIT_BYTES * len(hits))  # one answer always fits

        self._images = images
        self._kept: LRUCache[str, Inputs] = LRUCache(max_bytes, getsizeof=size)
        self._lock = threading.Lock()

    def keep(self, query: Query, hits: tuple[Hit, ...]) -> str | None:
        """Keep an answer; returns the key for `draw`, or None without hits."""
        if not hits:
            return None
        shown = tuple(replace(hit, vector=None, metadata={}) for hit in hits[:MAX_CANDIDATES])
        images = [image.without_pixels() for image in query.images]
        key = secrets.token_urlsafe(16)
        with self._lock:
            self._kept[key] = Query(images, query.text), shown
        return key

    def draw(self, key: str) -> bytes:
        """The panorama as a JPEG file.

        Raises:
            ItemNotFound: There is no answer with this key, or it was dropped.
        """
        with self._lock:
            inputs = self._kept.get(key)
        if inputs is None:
            raise ItemNotFound("There is no panorama with this key any more; search again.")
        return encode_jpeg(panorama_of_hits(*inputs, self._images))
