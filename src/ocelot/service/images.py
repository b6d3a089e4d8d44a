"""The pictures of indexed items as they are sent: checked, upright, in a few sizes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import Image

from ocelot.errors import ImageError, ItemNotFound
from ocelot.images.decode import encode_jpeg, hash_bytes, load_image, probe, read_file
from ocelot.types import Hit

if TYPE_CHECKING:
    from ocelot.images.thumbnails import Thumbnails

__all__ = ["Cache", "Picture", "original", "thumbnail"]

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


def original(hit: Hit) -> Picture:
    """An item's file as it was indexed: a file whose content is another now does not count.

    Raises:
        ItemNotFound: No file with this content is left.
    """
    reasons = []
    for path in hit.paths:
        try:
            data = read_file(path)
        except ImageError as error:
            reasons.append(error.reason)
            continue
        if hash_bytes(data) == hit.id:
            format, _, _ = probe(data)
            return Picture(data, _MEDIA.get(format, "application/octet-stream"))
        reasons.append("its content is another now")
    raise ItemNotFound(
        f"The picture of the item {hit.id} cannot be read any more ({reasons[0]}); index its "
        "folder again."
    )


def thumbnail(hit: Hit, size: int, thumbnails: Thumbnails | None = None) -> Picture:
    """An item's picture as a JPEG whose longer side has at most `size` pixels; never enlarged.

    Args:
        thumbnails: Small copies, the source where there is one and it is large enough, even if
            the file is gone.

    Raises:
        ItemNotFound: As `original`, where there is no such copy.
        ImageError: The picture cannot be decoded.
    """
    image = _small_copy(hit, size, thumbnails) or load_image(original(hit).data, shortest=size)
    image.thumbnail((size, size))
    return Picture(encode_jpeg(image, quality=85), "image/jpeg")


def _small_copy(hit: Hit, size: int, thumbnails: Thumbnails | None) -> Image.Image | None:
    if thumbnails is None or size > thumbnails.SIDE:
        return None
    try:
        return load_image(thumbnails.get([hit.id])[hit.id])
    except (KeyError, ImageError):
        return None


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
