"""Text in a panorama."""

from __future__ import annotations

import math
import unicodedata
from functools import lru_cache

from PIL import ImageDraw, ImageFont

from ocelot.rerankers.panorama.tiles import Box

__all__ = ["centred", "drawable", "font_of", "line_height", "wrap", "write"]

_INK = (25, 25, 25)
_PLAIN = str.maketrans("\u2013\u2014\u2018\u2019\u201c\u201d", "--''\"\"")  # dashes and quotes


@lru_cache(maxsize=16)
def font_of(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """Pillow's built-in font in this size."""
    return ImageFont.load_default(size=size)


@lru_cache(maxsize=16)
def line_height(size: int) -> int:
    """Pixels from one line to the next."""
    _, top, _, bottom = font_of(size).getbbox("Ágjp|")
    return math.ceil(1.25 * (bottom - top))


def drawable(text: str | None) -> str:
    """The text on one line, reduced to what the font has; empty if that would lose letters."""
    # The built-in font has little more than ASCII. Accents may be dropped, but a sentence that
    # would lose letters is not drawn at all, as half a sentence misleads.
    clean = unicodedata.normalize("NFKD", " ".join((text or "")[:500].split()))
    clean = clean.translate(_PLAIN)
    if any(c.isalnum() and not c.isascii() for c in clean):
        return ""
    return "".join(c for c in clean if c.isascii() and c.isprintable())


def wrap(text: str, size: int, width: int) -> list[str]:
    """The lines of a text, at most `width` pixels wide; a word that is longer is split."""

    def length(line: str) -> float:
        return sum(_advance(size, character) for character in line)

    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if length(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and length(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines


@lru_cache(maxsize=512)  # measuring is slow, and there are few letters
def _advance(size: int, character: str) -> float:
    return font_of(size).getlength(character)


def centred(
    draw: ImageDraw.ImageDraw,
    box: Box,
    text: str,
    size: int,
    fill: str | tuple[int, int, int] = _INK,
    weight: int = 0,
) -> None:
    """Draw a text centred in a box."""
    font = font_of(size)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    x = (box[0] + box[2] - left - right) / 2
    y = (box[1] + box[3] - top - bottom) / 2
    draw.text((x, y), text, font=font, fill=fill, stroke_width=weight, stroke_fill=fill)


def write(draw: ImageDraw.ImageDraw, box: Box, lines: list[str], size: int) -> None:
    """Draw as many lines as fit into a box; an ellipsis marks that there are more."""
    height = line_height(size)
    room = (box[3] - box[1]) // height
    if len(lines) > room:
        lines = [*lines[: room - 1], lines[room - 1][:-1].rstrip() + "…"]
    for number, line in enumerate(lines):
        draw.text((box[0], box[1] + number * height), line, font=font_of(size), fill=_INK)
