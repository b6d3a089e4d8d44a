"""From the bytes of an image file to an RGB image, within limits.

Every picture is decoded by :func:`to_rgb`, so orientation, transparency and the limits against
decompression bombs are decided in one place.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from ocelot.errors import ImageError, ImageTooLarge
from ocelot.images.pixels import MAX_PIXELS, budget, decoded_bytes, flatten, reduction

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
MAX_BYTES = 200 * 2**20
_MAX_SIDE = 65_500
# Pillow reads many more formats; some start other programs, and shops do not use them.
_FORMATS = frozenset({"AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP"})
# Only these plugins are loaded: loading all of them would delay a search.
_PLUGINS = ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP")
_SCALABLE = ("JPEG", "MPO")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
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
            or 1/8 of its size if that is enough, which is several times as fast. Any picture
            that is still larger than 2^24 pixels is reduced by a whole number: as far as that
            is enough, and to 2^24 pixels at most. None decodes at full size.
        name: The image's name in messages.
        earlier: The result of an earlier call for the same data; returned if this call would
            decode to the same size, or reduce a large picture that is small enough there.

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
        factor = reduction(image.size, shortest)
        if earlier is not None and _serves(earlier, image.size, shortest, factor):
            return earlier
        with budget.reserve(decoded_bytes(image, size, factor)):
            image.load()
            orientation = _orientation(image)
            flat = flatten(image, factor)
            if flat is not image:
                image.close()  # drop its pixels before others are decoded
    except Exception as error:
        raise _damaged(name, error) from error
    if orientation in _TURNS:
        flat = flat.transpose(_TURNS[orientation])
    return Decoded(flat, size[::-1] if orientation in range(5, 9) else size)


def _serves(earlier: Decoded, size: tuple[int, int], shortest: int | None, factor: int) -> bool:
    """Whether an earlier result is what decoding to `size` and reducing by `factor` would give."""
    if factor > 1 and shortest is not None:
        return min(earlier.image.size) >= shortest
    return sorted(earlier.image.size) == sorted(size)


def _orientation(image: Image.Image) -> int:
    """The orientation as in EXIF, 1 to 8; 1 if there is none, or it cannot be read."""
    with suppress(Exception):  # Pillow raises many types; the pixels are good all the same
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


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
