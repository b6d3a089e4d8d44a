"""From a file to what the encoder wants: read, hash, decode, prepare; runs in threads."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NamedTuple

from ocelot.encoders.base import Encoder
from ocelot.errors import ImageError, InputError, OcelotError
from ocelot.images.decode import read_file
from ocelot.images.file import ImageFile
from ocelot.images.thumbnails import Thumbnails
from ocelot.indexing.scan import File
from ocelot.types import Input

__all__ = ["Read", "Reader"]


class Read(NamedTuple):
    """A file that was read: ready to encode, known already, or not usable.

    Attributes:
        id: SHA-256 of the bytes; "" where they could not be read.
        size: Bytes.
        shape: Width and height of the picture, pixels.
        prepared: What the encoder's `prepare` gave; None for content that is known.
        thumbnail: A small copy as a JPEG file; None where none is wanted.
        error: Why the file is not usable; "" if it is.
    """

    file: File
    id: str = ""
    size: int = 0
    shape: tuple[int, int] = (0, 0)
    prepared: Any = None
    thumbnail: bytes | None = None
    error: str = ""


class Reader:
    """Reads one file after another. Thread-safe: touches nothing but the files.

    Args:
        encoder: Whose `prepare` is called.
        known: Ids, as bytes, of contents that need no decoding.
        thumbnails: Whether small copies are made of large pictures.
    """

    def __init__(self, encoder: Encoder, known: Container[bytes], thumbnails: bool) -> None:
        self._encoder = encoder
        self._known = known
        self._thumbnails = thumbnails

    def __call__(self, file: File) -> Read:
        """Never raises on account of the file; an `OcelotError` is about something else."""
        try:
            image = ImageFile(read_file(file.path), file.path)
        except ImageError as error:
            return Read(file, error=error.reason)
        read = Read(file, image.id, len(image.data))
        if bytes.fromhex(read.id) in self._known:
            return read
        try:
            return self._prepared(read, image)
        except ImageError as error:
            return read._replace(error=error.reason)
        except InputError as error:
            return read._replace(error=str(error).rstrip("."))
        except OcelotError:
            raise  # not about this file
        except Exception as error:
            return read._replace(error=f"it cannot be prepared ({type(error).__name__}: {error})")

    def _prepared(self, read: Read, image: ImageFile) -> Read:
        decoded = image.decoded(self._encoder.decode_side, keep=True)
        thumbnail = None
        if self._thumbnails and Thumbnails.wanted(*decoded.size):
            thumbnail = Thumbnails.make(image.decoded(Thumbnails.SIDE, keep=True).image)
        return read._replace(
            shape=decoded.size,
            prepared=self._encoder.prepare(Input(image)),
            thumbnail=thumbnail,
        )
