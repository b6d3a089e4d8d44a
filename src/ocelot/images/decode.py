"""From the bytes of an image file to an RGB image, within limits.

Every picture is decoded by :func:`to_rgb`, so orientation, transparency and the limits against
decompression bombs are decided in one place. The pixels of one picture within the limit may take
340 MiB, and each step of a conversion another copy. So threads share a budget of memory, and large
pictures are converted a few rows at a time.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

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
MAX_BYTES = 200 * 2**20
MAX_PIXELS = 89_000_000
_MAX_SIDE = 65_500
_LARGE = 2**24  # pixels; a larger picture is made smaller where that is enough
_BAND = 2**20  # pixels of a large picture that are converted at once
# Pillow reads many more formats; some start other programs, and shops do not use them.
_FORMATS = frozenset({"AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP"})
_SCALABLE = ("JPEG", "MPO")
_COPIED = ("AVIF", "HEIF", "WEBP")  # their decoders hold several copies of the whole picture
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
# Pillow cuts a picture into blocks of 16 MiB. glibc keeps such blocks for the thread that freed
# them, but returns larger ones: the next large picture, in another thread, would add to them.
Image.core.set_block_size(2**26)  # type: ignore[attr-defined]


class MemoryBudget:
    """Bounds the bytes that threads decode to at once; a larger picture is decoded alone."""

    def __init__(self, size: int) -> None:
        self._free = self._all = size
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        wanted = min(size, self._all)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


budget = MemoryBudget(4 * MAX_PIXELS)


@dataclass(frozen=True)
class Decoded:
    """A picture that was read from a file."""

    image: Image.Image  # RGB, upright; may be smaller than the picture in the file
    size: tuple[int, int]  # of the picture in the file, upright: width and height in pixels
    shortest: int | None = None  # what it was decoded for; see `decode`
    scalable: bool = False  # whether the decoder of its format can make it smaller

    def serves(self, shortest: int | None) -> bool:
        """Whether decoding the file for `shortest` gives the same, or less of a large picture."""
        if shortest == self.shortest:
            return True
        wanted = _reductions(self.size, shortest, self.scalable)
        if shortest is not None and wanted[1] > 1:
            return min(self.image.size) >= shortest
        return wanted == _reductions(self.size, self.shortest, self.scalable)


def read_file(path: str | Path) -> bytes:
    """The bytes of an image file; `ImageError` if it is missing, unreadable, empty or too large."""
    name = str(path)
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):
            raise ImageError(name, "it is not a regular file")  # opening a pipe would wait
        with open(path, "rb") as file:
            # Ask for the file's size, as a buffer of MAX_BYTES takes longer to make than to fill;
            # some file systems report no size.
            data = file.read(min(MAX_BYTES, status.st_size or MAX_BYTES) + 1)
    except FileNotFoundError:
        raise ImageError(name, "there is no such file") from None
    except IsADirectoryError:
        raise ImageError(name, "it is a folder, not an image file") from None
    except (OSError, ValueError) as error:
        raise ImageError(name, getattr(error, "strerror", None) or str(error)) from error
    if not data:
        raise ImageError(name, "the file is empty")
    if len(data) > MAX_BYTES:
        raise ImageTooLarge(name, f"the file is larger than {MAX_BYTES / 2**20:.0f} MiB")
    return data


def decode(data: bytes, *, shortest: int | None = None, name: str = "the image") -> Decoded:
    """An image file as RGB, upright, first frame, transparency on white; with its true size.

    Args:
        shortest: Pixels that are enough for the shortest side. A JPEG is then decoded at 1/2, 1/4
            or 1/8 of its size if that is enough, which is several times as fast. Any picture
            that is still larger than 2^24 pixels is reduced by a whole number: as far as that
            is enough, and to 2^24 pixels at most. None decodes at full size.
        name: The image's name in messages.

    Raises:
        ImageError: The data cannot be decoded, or the image has more than `MAX_PIXELS`.
    """
    with _opened(data, name) as image:
        return to_rgb(image, name, shortest)


def probe(
    data: bytes, *, name: str = "the image", max_pixels: int = MAX_PIXELS
) -> tuple[str, int, int]:
    """Pillow's name of the format ("JPEG"), width and height as stored; from the header alone."""
    with _opened(data, name, max_pixels) as image:
        _check_size(image, name, max_pixels)
        return image.format or "", image.width, image.height


def _opened(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The image with its header read."""
    if not data:
        raise ImageError(name, "it is empty")
    reason = "it is not an image in a format that can be read"
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        try:
            import pillow_heif

            pillow_heif.register_heif_opener()
        except ImportError:
            reason = "HEIC needs one more package (pip install 'ocelot-search[heic]')"
    try:
        _load_plugins()
        return Image.open(io.BytesIO(data), formats=sorted(_FORMATS & Image.OPEN.keys()))
    except Image.DecompressionBombError:  # Pillow's own limit, twice its MAX_IMAGE_PIXELS
        raise ImageTooLarge(name, f"it has more pixels than the limit of {max_pixels:,}") from None
    except UnidentifiedImageError:
        raise ImageError(name, reason) from None
    except Exception as error:  # Pillow's decoders raise many types on malformed files
        raise _damaged(name, error) from error


@cache
def _load_plugins() -> None:
    """Load what reads the formats; all of Pillow's plugins would delay a search."""
    for plugin in ("Avif", "Bmp", "Gif", "Jpeg", "Mpo", "Png", "Tiff", "WebP"):
        import_module(f"PIL.{plugin}ImagePlugin")


def to_rgb(image: Image.Image, name: str, shortest: int | None = None) -> Decoded:
    """An opened image as RGB; changes `image`. Arguments and errors: see `decode`."""
    _check_size(image, name)
    size, scalable = image.size, image.format in _SCALABLE
    _, factor = _reductions(size, shortest, scalable)
    try:
        if scalable and shortest is not None:
            image.draft(None, (shortest, shortest))
        with budget.reserve(_decoded_bytes(image, size, factor)):
            image.load()
            orientation = 1
            with suppress(Exception):  # EXIF that cannot be read, with errors of many types
                orientation = int(image.getexif().get(ExifTags.Base.Orientation, 1))
            flat = _flatten(image, factor)
            if flat is not image:
                image.close()  # drop its pixels before others are decoded
    except Exception as error:
        raise _damaged(name, error) from error
    if orientation in _TURNS:
        flat = flat.transpose(_TURNS[orientation])
    upright = size[::-1] if orientation in range(5, 9) else size
    return Decoded(flat, upright, shortest, scalable)


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


def _reductions(size: tuple[int, int], shortest: int | None, scalable: bool) -> tuple[int, int]:
    """By what the sides are divided: by the decoder of a JPEG, and then if it is still large."""
    if shortest is None:
        return 1, 1
    room = min(size) // shortest
    scale = next((scale for scale in (8, 4, 2) if scale <= room), 1) if scalable else 1
    width, height = (math.ceil(side / scale) for side in size)
    if width * height <= _LARGE:
        return scale, 1
    least = math.ceil(math.sqrt(width * height / _LARGE))
    return scale, max(min(width, height) // shortest, least)


def _decoded_bytes(image: Image.Image, size: tuple[int, int], factor: int) -> int:
    """About how many bytes decoding takes; `size` is that of the picture in the file."""
    pixels = image.width * image.height
    taken = pixels * {"1": 1, "L": 1, "P": 1}.get(image.mode, 4)
    if image.format in _COPIED:
        taken *= 4
    if image.info.get("progressive"):  # libjpeg keeps two bytes for each value of the whole JPEG
        taken += 2 * len(image.getbands()) * size[0] * size[1]
    if factor > 1 or not _is_plain(image):
        taken += 4 * pixels // factor**2
    return taken


def _flatten(image: Image.Image, factor: int) -> Image.Image:
    """A decoded picture as RGB, its sides divided by `factor`; a large one in bands of rows."""
    width, height = image.size
    if factor == 1 and (width * height <= _LARGE or _is_plain(image)):
        return _as_rgb(image)
    flat = Image.new("RGB", (math.ceil(width / factor), math.ceil(height / factor)))
    rows = factor * math.ceil(_BAND / (factor * width))
    for top in range(0, height, rows):
        band = _as_rgb(image.crop((0, top, width, min(top + rows, height))))
        flat.paste(band.reduce(factor), (0, top // factor))
    return flat


def _is_plain(image: Image.Image) -> bool:
    """Whether the picture is RGB already."""
    return image.mode == "RGB" and "transparency" not in image.info


def _as_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # 16-bit grey: Pillow's own conversion clips instead of scaling.
        return image.convert("I").point(lambda value: value / 256).convert("L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGB", layer.size, "white")
        paper.paste(layer, mask=layer.getchannel("A"))
        return paper
    return image if _is_plain(image) else image.convert("RGB")


def encode_jpeg(image: Image.Image, *, quality: int = 88) -> bytes:
    """The image as the bytes of a JPEG file."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def hash_bytes(data: bytes) -> str:
    """SHA-256 as 64 hex digits: the id of an image file's content."""
    return hashlib.sha256(data).hexdigest()
