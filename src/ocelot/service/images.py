"""The pictures of indexed items as they are sent: checked, upright, in a few sizes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

from ocelot.images.decode import encode_jpeg
from ocelot.images.store import ImageStore
from ocelot.types import Item

__all__ = ["Cache", "Picture", "original", "small"]

_MEDIA = {
    "JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp",
    "GIF": "image/gif", "BMP": "image/bmp", "TIFF": "image/tiff", "AVIF": "image/avif",
    "HEIF": "image/heic",
}  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """Bytes of an image file and their media type."""

    data: bytes
    media_type: str


def original(item: Item, images: ImageStore) -> Picture:
    """An item's file as it was indexed.

    Raises:
        ItemNotFound: No file with this content is left.
    """
    image = images.original(item)
    format, _, _ = image.probe()
    return Picture(image.data, _MEDIA.get(format, "application/octet-stream"))


def small(item: Item, size: int, images: ImageStore) -> Picture:
    """An item's picture as a JPEG whose longer side has at most `size` pixels; never enlarged.

    Raises:
        ItemNotFound: Neither its file nor a small copy that is large enough is left.
        ImageError: The picture cannot be decoded.
    """
    return Picture(encode_jpeg(images.picture(item, size), quality=85), "image/jpeg")


class Cache:
    """The pictures used last, up to a number of bytes."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, int], Picture] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, id: str, size: int) -> Picture | None:
        with self._lock:
            picture = self._kept.get((id, size))
            if picture is not None:
                self._kept.move_to_end((id, size))
            return picture

    def drop(self, id: str) -> None:
        with self._lock:
            for key in [key for key in self._kept if key[0] == id]:
                self._bytes -= len(self._kept.pop(key).data)

    def put(self, id: str, size: int, picture: Picture) -> None:
        with self._lock:
            old = self._kept.pop((id, size), None)
            self._bytes += len(picture.data) - (len(old.data) if old else 0)
            self._kept[id, size] = picture
            while self._bytes > self._max_bytes and self._kept:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped.data)
