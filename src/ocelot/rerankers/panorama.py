"""One picture that shows a query and its numbered candidates, for a model that sees.

::

    ┏━━━━━━━━┓ ┌─────┐┌─────┐┌─────┐
    ┃ query  ┃ │0    ││1    ││2    │     blue border: the query
    ┃        ┃ │     ││     ││     │     red number: the index the model answers with
    ┗━━━━━━━━┛ └─────┘└─────┘└─────┘
     its text  ┌─────┐┌─────┐
               │3    ││4    │
               └─────┘└─────┘

After the panorama of the Milvus tutorial "Multimodal RAG with Milvus": here pictures keep their
shape, the query's label lies inside of the canvas, and numbers are readable on any picture.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from ocelot.errors import InputError
from ocelot.records import Hit, Query
from ocelot.rerankers.references import Box, paste, query_picture
from ocelot.rerankers.tiles import TILE, fitted, in_threads, load_tile, small_copies

if TYPE_CHECKING:
    from ocelot.thumbnails import Thumbnails

__all__ = [
    "MAX_CANDIDATES",
    "Box",
    "Layout",
    "compose_panorama",
    "panorama_layout",
    "panorama_of_hits",
    "query_picture",
]

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont

MAX_CANDIDATES = 25
MAX_SIDE = 2048  # larger pictures are scaled down by the services that read them

_GAP = 10
_BORDER = 6
_LABEL = 38  # height of the strip that says "query"
_BLUE = (20, 70, 220)
_RED = (215, 0, 20)
_GREY = (225, 225, 225)
_LINE = (185, 185, 185)
_INK = (25, 25, 25)
_TEXT_LINES = 6
_TEXT_SIZE = 22
_PLAIN = str.maketrans("\u2013\u2014\u2018\u2019\u201c\u201d", "--''\"\"")  # dashes and quotes


@dataclass(frozen=True)
class Layout:
    """Where things lie in a panorama, in pixels, boxes as (left, top, right, bottom).

    Attributes:
        size: Width and height of the whole.
        query: The query's tile, its blue border included.
        picture: The inside of the query's tile, under its label.
        text: The room for the query's text under its tile.
        cells: One box for each candidate, row by row.
    """

    size: tuple[int, int]
    query: Box
    picture: Box
    text: Box
    cells: tuple[Box, ...]


def panorama_layout(count: int, text_lines: int = 0) -> Layout:
    """Places for a query and `count` candidates in a grid close to a square.

    Columns by rows: 1 → 1 x 1, 2 → 2 x 1, 4 → 2 x 2, 5 → 3 x 2, 9 → 3 x 3, 12 → 4 x 3, 25 → 5 x 5.

    Args:
        count: How many candidates, 1 to 25.
        text_lines: Lines of text under the query; the height may depend on them, no more.

    Raises:
        InputError: `count` is not from 1 to 25.
    """
    if not 1 <= count <= MAX_CANDIDATES:
        raise InputError(
            f"A panorama holds 1 to {MAX_CANDIDATES} candidates, was: {count}; "
            "rank more of them in windows."
        )
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    cell = TILE if count <= 9 else 256
    side = cell if rows < 3 else cell * 4 // 3  # where there is height, show the query larger
    left = top = _GAP
    query = (left, top, left + side + 2 * _BORDER, top + _LABEL + side + 2 * _BORDER)
    picture = (left + _BORDER, top + _BORDER + _LABEL, query[2] - _BORDER, query[3] - _BORDER)
    below = query[3] + _GAP
    text = (left, below, query[2], below + text_lines * _line_height(_font(_TEXT_SIZE)))
    grid = query[2] + 2 * _GAP
    cells = tuple(
        (x, y, x + cell, y + cell)
        for x, y in (
            (grid + i % columns * (cell + _GAP), top + i // columns * (cell + _GAP))
            for i in range(count)
        )
    )
    width = grid + columns * (cell + _GAP)
    height = max(text[3] + _GAP, top + rows * (cell + _GAP))
    return Layout((width, height), query, picture, text, cells)


def compose_panorama(
    query_image: Image.Image | None,
    candidates: Sequence[Image.Image | None],
    *,
    text: str | None = None,
    first_index: int = 0,
    max_side: int = MAX_SIDE,
) -> Image.Image:
    """Draw the query and its candidates into one picture.

    Args:
        query_image: The query's picture, as `query_picture` gives it; without one its tile holds
            the text.
        candidates: 1 to 25 pictures in order; None draws a grey tile, "no picture".
        text: What the query says, drawn under its picture, up to 6 lines; a sentence with
            letters that the built-in font lacks is not drawn.
        first_index: The number of the first candidate; the others count up from it.
        max_side: Neither side of the result is longer than this, in pixels.

    Returns:
        RGB image.

    Raises:
        InputError: There are no candidates, or more than 25.
    """
    words, lines = _drawable(text), list[str]()
    layout = panorama_layout(len(candidates))
    if query_image is not None and words:
        lines = _wrap(words, _font(_TEXT_SIZE), layout.text[2] - layout.text[0])
        layout = panorama_layout(len(candidates), min(len(lines), _TEXT_LINES))
    canvas = Image.new("RGB", layout.size, "white")
    draw = ImageDraw.Draw(canvas)

    draw.rectangle(_inside(layout.query), fill=_BLUE)
    draw.rectangle(_inside(layout.picture), fill="white")
    label = (layout.picture[0], layout.query[1], layout.picture[2], layout.picture[1])
    _centred(draw, label, "query", _font(26), "white")
    if query_image is not None:
        paste(canvas, query_image, layout.picture)
        _write(draw, layout.text, lines, _font(_TEXT_SIZE))
    elif words:
        room = _shrink(layout.picture, 12)
        _write(draw, room, _wrap(words, _font(26), room[2] - room[0]), _font(26))
    else:
        empty = "see instruction" if text and text.strip() else "no picture"
        _centred(draw, layout.picture, empty, _font(_TEXT_SIZE), _INK)

    for index, (box, picture) in enumerate(zip(layout.cells, candidates, strict=True), first_index):
        if picture is None:
            draw.rectangle(_inside(box), fill=_GREY)
            _centred(draw, box, "no picture", _font(26), _INK)
        else:
            paste(canvas, picture, box)
        draw.rectangle(_inside(box), outline=_LINE)
        plate, shape = _number(index, (box[2] - box[0]) // 6)
        canvas.paste(plate, (box[0] + 3, box[1] + 3), shape)
    canvas.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return canvas


def panorama_of_hits(
    query: Query, hits: Sequence[Hit], thumbnails: Thumbnails | None = None
) -> Image.Image:
    """The panorama of a query and 1 to 25 hits, with the pictures from their files.

    Args:
        thumbnails: Small copies, which take the files' place where there are any.

    Raises:
        InputError: There are no hits, or more than 25.
        ImageError: A picture of the query cannot be read.
    """
    copies = small_copies(hits, thumbnails)
    left, top, right, bottom = panorama_layout(len(hits)).picture

    def load(hit: Hit | None) -> Image.Image | None:
        if hit is not None:
            return load_tile(copies, hit)
        asked = query_picture(query)
        return None if asked is None else fitted(asked, (right - left, bottom - top))

    image, *tiles = in_threads(load, [None, *hits])
    return compose_panorama(image, tiles, text=query.text)


@lru_cache(maxsize=64)
def _number(index: int, size: int) -> tuple[Image.Image, Image.Image]:
    """A number of this font size on its plate, and the plate's shape as a mask."""
    # Red on a white plate: the plate is seen on dark and red pictures, its red rim on white ones.
    font = _font(size)
    left, top, right, bottom = font.getbbox(str(index))
    height = round(bottom - top) + 18
    width = max(round(right - left) + 22, height)
    plate = (2, 2, 2 + width, 2 + height)
    picture = Image.new("RGB", (width + 5, height + 5), "white")
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle(plate, radius=9, fill="white", outline=_RED, width=3)
    _centred(draw, plate, str(index), font, _RED, weight=1)
    shape = Image.new("L", picture.size)
    ImageDraw.Draw(shape).rounded_rectangle(_shrink(plate, -2), radius=11, fill=255)
    return picture, shape


def _centred(
    draw: ImageDraw.ImageDraw,
    box: Box,
    text: str,
    font: Font,
    fill: str | tuple[int, int, int],
    weight: int = 0,
) -> None:
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font)
    x = (box[0] + box[2] - left - right) / 2
    y = (box[1] + box[3] - top - bottom) / 2
    draw.text((x, y), text, font=font, fill=fill, stroke_width=weight, stroke_fill=fill)


def _write(draw: ImageDraw.ImageDraw, box: Box, lines: list[str], font: Font) -> None:
    height = _line_height(font)
    room = (box[3] - box[1]) // height
    if len(lines) > room:
        lines = [*lines[: room - 1], lines[room - 1][:-1].rstrip() + "…"]
    for number, line in enumerate(lines):
        draw.text((box[0], box[1] + number * height), line, font=font, fill=_INK)


def _wrap(text: str, font: Font, width: int) -> list[str]:
    # Greedy; a word wider than the line is cut. One character always fits.
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if font.getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and font.getlength(lines[-1] + character) > width:
                lines.append("")
            lines[-1] += character
    return lines


def _drawable(text: str | None) -> str:
    # The built-in font is ASCII and little more. Accents may go, but a sentence that would lose
    # letters is not drawn at all: half of it would mislead.
    clean = unicodedata.normalize("NFKD", " ".join((text or "")[:500].split()))
    clean = clean.translate(_PLAIN)
    if any(c.isalnum() and not c.isascii() for c in clean):
        return ""
    return "".join(c for c in clean if c.isascii() and c.isprintable())


def _inside(box: Box) -> Box:
    # Pillow draws the right and bottom edges too; our boxes are half-open.
    return box[0], box[1], box[2] - 1, box[3] - 1


def _shrink(box: Box, by: int) -> Box:
    return box[0] + by, box[1] + by, box[2] - by, box[3] - by


@lru_cache(maxsize=16)
def _line_height(font: Font) -> int:
    _, top, _, bottom = font.getbbox("Ágjp|")
    return math.ceil(1.25 * (bottom - top))


@lru_cache(maxsize=16)
def _font(size: int) -> Font:
    return ImageFont.load_default(size=size)
