"""From an image file to what the encoder takes: decode and prepare; runs in threads."""

from __future__ import annotations

from typing import Any, NamedTuple

from ocelot.encoders.base import Encoder
from ocelot.errors import ImageError, OcelotError
from ocelot.images.file import ImageFile
from ocelot.images.thumbnails import Thumbnails
from ocelot.types import Input

__all__ = ["Loaded", "Loader"]


class Loaded(NamedTuple):
    """A picture that is ready to encode.

    Attributes:
        size: Width and height in pixels.
        prepared: What the encoder's `prepare` returned.
        thumbnail: A small copy as a JPEG file; None if none is needed.
    """

    size: tuple[int, int]
    prepared: Any
    thumbnail: bytes | None


class Loader:
    """Prepares pictures for an encoder. Thread-safe.

    Args:
        thumbnails: Whether to make small copies of large pictures.
    """

    def __init__(self, encoder: Encoder, thumbnails: bool) -> None:
        self._encoder = encoder
        self._thumbnails = thumbnails

    def __call__(self, image: ImageFile) -> Loaded:
        """Decode and prepare a picture.

        Raises:
            InputError: The picture cannot be used; mostly an `ImageError`.
        """
        try:
            decoded = image.decoded(self._encoder.decode_side, keep=True)
            thumbnail = None
            if self._thumbnails and Thumbnails.wanted(*decoded.size):
                thumbnail = Thumbnails.make(image.decoded(Thumbnails.SIDE, keep=True).image)
            return Loaded(decoded.size, self._encoder.prepare(Input(image)), thumbnail)
        except OcelotError:
            raise
        except Exception as error:  # an encoder may raise anything
            reason = f"it cannot be prepared ({type(error).__name__}: {error})"
            raise ImageError(image.name, reason) from error
