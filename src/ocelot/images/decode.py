"""From the bytes of an image file to an RGB image, within limits.

Every picture is decoded by :func:`to_rgb`, so orientation, transparency and the limits against
decompression bombs are decided in one place.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ocelot.errors import ImageError, ImageTooLarge

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "Decoded",
    "decode",
    "encode_jpeg",
    "hash_bytes",
    "probe",
    "read_file",
    "to_rgb",
]

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif"}
)
MAX_PIXELS = 89_000_000
MAX_BYTES = 200 * 2**20
_MAX_SIDE = 65_500
# Pillow reads many more formats; some start other programs, and shops do not use them.
_FORMATS = frozenset({"AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP"})
# Only these plugins are loaded: loading all of them would delay a search.
_PLUGINS = ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP")
_SCALABLE = ("JPEG", "MPO")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")


@dataclass(frozen=True)
class Decoded:
    """A picture that was read from a file.

    Attributes:
        image: RGB, upright; may be smaller than the picture in the file.
        size: Width and height of the picture in the file, in pixels, upright.
    """

    image: Image.Image
    size: tuple[int, int]


class _PixelBudget:
    """Bounds the pixels that threads decode at once; a larger picture is decoded alone."""

    def __init__(self, pixels: int) -> None:
        self._free = self._all = pixels
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, pixels: int) -> Iterator[None]:
        wanted = min(pixels, self._all)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


_budget = _PixelBudget(MAX_PIXELS)


def read_file(path: str | Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of an image file.

    Raises:
        ImageError: The file is missing, unreadable, empty, or larger than `max_bytes`.
    """
    name = str(path)
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise ImageError(name, "it is not a regular file")  # opening a pipe would wait
        with open(path, "rb") as file:
            # Ask for the file's size, as a buffer of max_bytes takes longer to make than to fill;
            # some file systems report no size.
            data = file.read(min(max_bytes, status.st_size or max_bytes) + 1)
    except FileNotFoundError:
        raise ImageError(name, "there is no such file") from None
    except IsADirectoryError:
        raise ImageError(name, "it is a folder, not an image file") from None
    except (OSError, ValueError) as error:
        raise ImageError(name, getattr(error, "strerror", None) or str(error)) from error
    if not data:
        raise ImageError(name, "the file is empty")
    if len(data) > max_bytes:
        raise ImageTooLarge(name, f"the file is larger than {max_bytes / 2**20:.0f} MiB")
    return data


def decode(
    data: bytes,
    *,
    shortest: int | None = None,
    name: str = "the image",
    earlier: Decoded | None = None,
) -> Decoded:
    """An image file as RGB, upright, first frame, transparency on white; with its true size.

    Args:
        data: The bytes of the file.
        shortest: Pixels that are enough for the shortest side. A JPEG is then decoded at 1/2, 1/4
            or 1/8 of its size if that is enough, which is several times as fast. None decodes
            at full size.
        name: The image's name in messages.
        earlier: The result of an earlier call for the same data; returned if this call would
            decode to the same size.

    Raises:
        ImageError: The data cannot be decoded, or the image has more than `MAX_PIXELS`.
    """
    with _opened(data, name) as image:
        return to_rgb(image, name, shortest, earlier)


def _opened(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image with its header read."""
    if not data:
        raise ImageError(name, "it is empty")
    for plugin in _PLUGINS:
        import_module(f"PIL.{plugin}ImagePlugin")
    heif = data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS
    readable = not heif or _register_heif()
    try:
        return Image.open(io.BytesIO(data), formats=sorted(_FORMATS & Image.OPEN.keys()))
    except Image.DecompressionBombError:  # Pillow's own limit, twice its MAX_IMAGE_PIXELS
        raise ImageTooLarge(name, f"it has more pixels than the limit of {max_pixels:,}") from None
    except UnidentifiedImageError:
        reason = "it is not an image in a format that can be read"
        if not readable:
            reason = "HEIC needs one more package (pip install 'ocelot-search[heic]')"
        raise ImageError(name, reason) from None
    except Exception as error:  # Pillow's decoders raise many types on malformed files
        raise _damaged(name, error) from error


def probe(
    data: bytes, *, name: str = "the image", max_pixels: int = MAX_PIXELS
) -> tuple[str, int, int]:
    """Format, width and height of an image file, read from its header.

    Returns:
        Pillow's name of the format ("JPEG"), and the size in pixels as stored, before the
        orientation is applied.

    Raises:
        ImageError: This is not an image, or it has more pixels than the limit.
    """
    with _opened(data, name, max_pixels) as image:
        _check_size(image, name, max_pixels)
        return image.format or "", image.width, image.height


def to_rgb(
    image: Image.Image,
    name: str,
    shortest: int | None = None,
    earlier: Decoded | None = None,
) -> Decoded:
    """An opened image as RGB; changes `image`. Arguments and errors: see `decode`."""
    _check_size(image, name)
    size = image.size
    try:
        if shortest is not None and image.format in _SCALABLE:
            image.draft(None, (shortest, shortest))
        if earlier is not None and sorted(earlier.image.size) == sorted(image.size):
            return earlier
        with _budget.reserve(image.width * image.height):
            image.load()
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            ImageOps.exif_transpose(image, in_place=True)
            flat = _flatten(image)
    except Exception as error:
        raise _damaged(name, error) from error
    return Decoded(flat, size[::-1] if orientation in range(5, 9) else size)


def _check_size(image: Image.Image, name: str, max_pixels: int = MAX_PIXELS) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageTooLarge(
            name, f"{width} x {height} pixels are more than the limit of {max_pixels:,}"
        )
    if max(width, height) > _MAX_SIDE:
        raise ImageTooLarge(name, f"a side of {max(width, height):,} pixels is too long")
    if width < 1 or height < 1:
        raise ImageError(name, "it has no pixels")


def _damaged(name: str, error: Exception) -> ImageError:
    reason = str(error).strip().rstrip(".") or type(error).__name__
    return ImageError(name, f"it is damaged ({reason})")


def _flatten(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16-bit grey: Pillow's own conversion clips instead of scaling.
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGB", layer.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        return paper
    return image if image.mode == "RGB" else image.convert("RGB")


def _register_heif() -> bool:
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def encode_jpeg(image: Image.Image, *, quality: int = 88) -> bytes:
    """The image as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def hash_bytes(data: bytes) -> str:
    """SHA-256 as 64 hex digits: the id of an image file's content."""
    return hashlib.sha256(data).hexdigest()
