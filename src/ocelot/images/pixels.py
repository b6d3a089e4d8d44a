"""Decoded pixels: how many at once, at which size, and as RGB.

The pixels of one picture within the limit may take 340 MiB, and each step of a conversion another
copy. So threads share a budget, and large pictures are converted a few rows at a time.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

__all__ = ["MAX_PIXELS", "MemoryBudget", "budget", "decoded_bytes", "flatten", "reduction"]

MAX_PIXELS = 89_000_000
_LARGE = 2**24  # pixels; a larger picture is made smaller where that is enough
_BAND = 2**20  # pixels of a large picture that are converted at once
_COPIED = ("AVIF", "HEIF", "WEBP")  # their decoders hold several copies of the whole picture


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
# Pillow cuts a picture into blocks of 16 MiB. glibc keeps such blocks for the thread that freed
# them, but returns larger ones: the next large picture, in another thread, would add to them.
Image.core.set_block_size(2**26)  # type: ignore[attr-defined]


def reduction(size: tuple[int, int], shortest: int | None) -> int:
    """The whole number that both sides are divided by; 1 for all but large pictures."""
    pixels = size[0] * size[1]
    if shortest is None or pixels <= _LARGE:
        return 1
    return max(min(size) // shortest, math.ceil(math.sqrt(pixels / _LARGE)))


def decoded_bytes(image: Image.Image, size: tuple[int, int], factor: int) -> int:
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


def flatten(image: Image.Image, factor: int) -> Image.Image:
    """A decoded picture as RGB, its sides divided by `factor`.

    A large one is converted a few rows at a time: each step of a conversion is a copy.
    """
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
