"""The one type for a picture: the bytes of an image file and a name for messages."""

from __future__ import annotations

import io
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from ocelot.errors import ImageError, InputError
from ocelot.images.decode import MAX_PIXELS, Decoded, decode, hash_bytes, probe, read_file, to_rgb

__all__ = ["ImageFile", "ImageSource"]

ImageSource: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | Image.Image | np.ndarray[Any, Any]"
    " | ImageFile"
)
_OTHER_URL = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")  # may hold a password, as a path does not
_KEPT_PIXELS = 2**21  # a larger picture is decoded again rather than kept in memory


@dataclass(frozen=True)
class ImageFile:
    """The bytes of an image file."""

    data: bytes = field(repr=False)
    name: str = "the image"  # in messages: a path, a URL without secrets, or this

    @classmethod
    def of(cls, source: ImageSource) -> ImageFile:
        """Make an `ImageFile` from any supported source.

        Args:
            source: A path, an `http(s)` URL, the bytes of an image file, a PIL image, an array
                of shape (height, width, 3) and dtype uint8, or an `ImageFile`.

        Raises:
            ImageError: It cannot be read or fetched; `InputError` for another type.
        """
        if isinstance(source, ImageFile):
            return source
        if isinstance(source, (bytes, bytearray, memoryview)):
            return cls(bytes(source))
        if isinstance(source, str) and source[:8].lower().startswith(("http://", "https://")):
            from ocelot.images.fetch import fetch, public_name

            return cls(fetch(source), public_name(source))
        if isinstance(source, str) and _OTHER_URL.match(source):
            raise ImageError("the image's URL", "only http:// and https:// can be read")
        if isinstance(source, (str, os.PathLike)):
            return cls(read_file(os.fspath(source)), os.fspath(source))
        if isinstance(source, Image.Image):
            return _from_pil(source)
        if isinstance(source, np.ndarray):
            if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8:
                raise InputError(
                    "An image array must have the shape (height, width, 3) and the dtype uint8, "
                    f"was: {source.shape} and {source.dtype}."
                )
            return _from_pil(Image.fromarray(source))
        raise InputError(
            "The image must be a path, a URL, the bytes of an image file, a PIL image or an "
            f"array, was: {type(source).__name__}."
        )

    @cached_property
    def id(self) -> str:
        """SHA-256 of the bytes, 64 hex digits: the id of an item with this picture."""
        return hash_bytes(self.data)

    def decoded(self, shortest: int | None = None, *, keep: bool = False) -> Decoded:
        """The decoded picture with its true size; the last one is kept for the next call.

        Args:
            shortest: See `ocelot.images.decode.decode`, also for errors.
            keep: Keep it even if it is large.
        """
        kept: Decoded | None = vars(self).get("_kept")
        if kept is not None and kept.serves(shortest):
            return kept
        found = decode(self.data, shortest=shortest, name=self.name)
        if keep or found.image.width * found.image.height <= _KEPT_PIXELS:
            vars(self)["_kept"] = found
        return found

    def rgb(self, shortest: int | None = None) -> Image.Image:
        """The picture as RGB, see `decoded`. Do not change it: it is shared."""
        return self.decoded(shortest).image

    def probe(self, max_pixels: int = MAX_PIXELS) -> tuple[str, int, int]:
        """Format, width and height without decoding; see `ocelot.images.decode.probe`."""
        return probe(self.data, name=self.name, max_pixels=max_pixels)

    def without_pixels(self) -> ImageFile:
        """The same file without the decoded picture."""
        return replace(self)


def _from_pil(image: Image.Image) -> ImageFile:
    """A PIL image as a file: the one it was opened from if it still shows the same, else a PNG."""
    path = getattr(image, "filename", None)
    try:
        copy = image.copy()
    except Exception as error:  # an opened image is decoded here; Pillow raises many types
        raise ImageError("the image", f"it is damaged ({error})") from error
    rgb = to_rgb(copy, "the image").image
    if path:
        with suppress(ImageError):  # the image may outlive its file
            own = ImageFile.of(Path(os.fsdecode(path)))
            its = own.rgb()
            if its.size == rgb.size and its.tobytes() == rgb.tobytes():
                return own
    buffer = io.BytesIO()
    plain = Image.new("RGB", rgb.size)
    plain.paste(rgb)  # leaves out the original's colour profile and comments
    plain.save(buffer, "PNG", compress_level=1)
    return ImageFile(buffer.getvalue())
