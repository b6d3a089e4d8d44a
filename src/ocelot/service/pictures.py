"""The pictures of stored items, and panoramas of recent answers."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from cachetools import LRUCache

from ocelot.errors import ImageError, ItemNotFound
from ocelot.images.decode import encode_jpeg
from ocelot.images.store import ImageStore
from ocelot.rerankers.panorama.compose import MAX_CANDIDATES, panorama_of_hits
from ocelot.types import Hit, Item, Query

__all__ = ["Panoramas", "Picture", "original", "small"]

_MEDIA = {
    "JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp",
    "GIF": "image/gif", "BMP": "image/bmp", "TIFF": "image/tiff", "AVIF": "image/avif",
    "HEIF": "image/heic",
}  # fmt: skip
_PANORAMA_BYTES = 32 * 2**20  # of recent queries and hits in memory
_HIT_BYTES = 1000  # memory that a hit takes, about

Inputs = tuple[Query, tuple[Hit, ...]]


@dataclass(frozen=True)
class Picture:
    """The bytes of an image file.

    Attributes:
        sha256: Content hash of the item's own file, also where this is a small copy of it.
    """

    data: bytes
    media_type: str
    sha256: str


def original(item: Item, images: ImageStore) -> Picture:
    """An item's file as it was indexed.

    Raises:
        ItemNotFound: No file with this content is left.
    """
    image = images.original(item)
    with _without_path(item):
        format, _, _ = image.probe()
    return Picture(image.data, _MEDIA.get(format, "application/octet-stream"), item.sha256)


def small(item: Item, size: int, images: ImageStore) -> Picture:
    """An item's picture as a JPEG whose longer side has at most `size` pixels; never enlarged.

    Raises:
        ItemNotFound: Neither its file nor a small copy that is large enough is left.
        ImageError: The picture cannot be decoded.
    """
    with _without_path(item):
        data = encode_jpeg(images.picture(item, size), quality=85)
    return Picture(data, "image/jpeg", item.sha256)


@contextmanager
def _without_path(item: Item) -> Iterator[None]:
    """Name the item in place of its file in errors: clients are told no paths."""
    try:
        yield
    except ImageError as error:
        raise type(error)(f"the picture of the item {item.id}", error.reason) from error


class Panoramas:
    """Keeps the queries and hits of recent answers; a panorama is drawn when it is asked for.

    It is a pure function of them, so it is the picture that a reranker was shown.
    """

    def __init__(self, images: ImageStore) -> None:
        self._images = images
        self._kept: LRUCache[str, Inputs] = LRUCache(_PANORAMA_BYTES, getsizeof=_size)
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


def _size(inputs: Inputs) -> int:
    query, hits = inputs
    pictures = sum(len(image.data) for image in query.images)
    return min(_PANORAMA_BYTES, pictures + _HIT_BYTES * len(hits))  # one answer always fits
