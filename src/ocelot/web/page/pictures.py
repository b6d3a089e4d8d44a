"""Pictures that people search with: kept under their content hash, so that a link finds them."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from PIL import Image

from ocelot.errors import ImageError, ItemNotFound, StorageError
from ocelot.files import write_atomic
from ocelot.images.decode import encode_jpeg
from ocelot.images.file import ImageFile
from ocelot.service import Limits

__all__ = ["HASH", "NAME", "QueryPictures", "cropped"]

HASH = re.compile(r"[0-9a-f]{64}")  # of a picture's content
NAME = "this picture"  # of an uploaded picture, in messages
_MOST, _MOST_BYTES = 1_000, 512 * 2**20  # pictures that are kept


class QueryPictures:
    """A folder of query pictures, which are no items; all methods block.

    The pictures that were not used for longest are dropped, above a number and a size.

    Args:
        limits: Of uploads.
        most, most_bytes: What is kept.
    """

    def __init__(
        self, folder: Path, limits: Limits, most: int = _MOST, most_bytes: int = _MOST_BYTES
    ) -> None:
        self._folder = folder
        self._limits = limits
        self._most, self._most_bytes = most, most_bytes

    def keep(self, data: bytes) -> str:
        """Keep a picture and return its content hash.

        Raises:
            ImageError: This is not a picture, or it is over a limit.
            StorageError: It cannot be written.
        """
        image = ImageFile(data, NAME)
        path = self._folder / image.id
        image.probe(self._limits.pixels)
        is_new = not os.path.exists(path)
        if is_new:
            image.rgb(64)  # decoded once: a picture that is cut off is refused now
        try:
            if is_new:
                self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                write_atomic(path, data)
                self._drop_oldest()
            os.utime(path)
        except OSError as error:
            raise StorageError(
                f"The query picture cannot be kept in {self._folder} ({error.strerror}); free "
                "some space, or make the folder writable."
            ) from error
        return image.id

    def read(self, hash: str) -> ImageFile:
        """A picture that was kept.

        Args:
            hash: 64 hex digits.

        Raises:
            ItemNotFound: It was dropped.
        """
        path = self._folder / hash
        with suppress(OSError):
            data = path.read_bytes()
            os.utime(path)
            return ImageFile(data, NAME)
        raise ItemNotFound("The picture of this link is not kept any more; give it again.")

    def small(self, hash: str, size: int) -> bytes:
        """A picture as a JPEG whose longer side has at most `size` pixels.

        Raises:
            ItemNotFound: It was dropped.
        """
        image = self.read(hash).rgb(size).copy()
        image.thumbnail((size, size), Image.Resampling.BICUBIC)
        return encode_jpeg(image)

    def _drop_oldest(self) -> None:
        kept = []
        for file in os.scandir(self._folder):
            with suppress(OSError):
                stat = file.stat()
                kept.append((stat.st_mtime_ns, stat.st_size, file.path))
        size = 0
        for place, (_, bytes, path) in enumerate(sorted(kept, reverse=True)):
            size += bytes
            if place and (place >= self._most or size > self._most_bytes):
                with suppress(OSError):
                    os.unlink(path)


def cropped(image: ImageFile, left: float, top: float, width: float, height: float) -> bytes:
    """A part of a picture as a JPEG file, upright; the box is in percent of its sides.

    Raises:
        ImageError: The picture cannot be decoded, or nothing of it is left.
    """
    whole = image.rgb()
    x, y = whole.width / 100, whole.height / 100
    right, bottom = min(100.0, left + width), min(100.0, top + height)
    box = round(left * x), round(top * y), round(right * x), round(bottom * y)
    if box[2] - box[0] < 8 or box[3] - box[1] < 8:
        raise ImageError(image.name, "the part that was chosen is too small; choose a larger one")
    return encode_jpeg(whole.crop(box), quality=95)
