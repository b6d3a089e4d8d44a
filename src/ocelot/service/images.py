"""The pictures of stored items, as files or as small JPEG copies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ocelot.errors import ImageError
from ocelot.images.decode import encode_jpeg
from ocelot.images.store import ImageStore
from ocelot.types import Item

__all__ = ["Picture", "original", "small"]

_MEDIA = {
    "JPEG": "image/jpeg", "MPO": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp",
    "GIF": "image/gif", "BMP": "image/bmp", "TIFF": "image/tiff", "AVIF": "image/avif",
    "HEIF": "image/heic",
}  # fmt: skip


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
