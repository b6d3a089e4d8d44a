"""One picture that shows a query and its numbered candidates, for a vision model.

::

    ┏━━━━━━━━┓ ┌─────┐┌─────┐┌─────┐
    ┃ query  ┃ │1    ││2    ││3    │     blue border: the query
    ┃        ┃ │     ││     ││     │     red number: what the model answers with
    ┗━━━━━━━━┛ └─────┘└─────┘└─────┘
     its text  ┌─────┐┌─────┐
               │4    ││5    │
               └─────┘└─────┘

It follows the panorama of the Milvus tutorial "Multimodal RAG with Milvus", but pictures keep
their shape, the query's label is inside the canvas, and numbers are readable on any picture and
count from 1, as people do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from PIL import Image, ImageDraw

from ocelot.errors import InputError
from ocelot.images.store import ImageStore
from ocelot.rerankers.panorama import lettering
from ocelot.rerankers.panorama.tiles import TILE, Box, load_tile, paste, query_picture, threads
from ocelot.types import Hit, Query

__all__ = ["MAX_CANDIDATES", "compose_panorama", "panorama_layout", "panorama_of_hits"]

MAX_CANDIDATES = 25  # as many fit into 2048 pixels; services scale larger pictures down

_GAP = 10
_BORDER = 6
_LABEL = 38  # height of the strip with the word "query"
_BLUE = (20, 70, 220)
_RED = (215, 0, 20)
_GREY = (225, 225, 225)
_LINE = (185, 185, 185)
_TEXT_LINES = 6
_TEXT_SIZE = 22


@dataclass(frozen=True)
class Layout:
    """Where the parts of a panorama are, in pixels; boxes are (left, top, right, bottom).

    Attributes:
        size: Width and height of the panorama.
        query: The query's tile, including its blue border.
        picture: The inside of the query's tile, under its label.
        text: The space for the query's text under its tile.
        cells: One box for each candidate, row by row.
    """

    size: tuple[int, int]
    query: Box
    picture: Box
    text: Box
    cells: tuple[Box, ...]


def panorama_layout(count: int, text_lines: int = 0) -> Layout:
    """The layout of a query and `count` candidates in a nearly square grid.

    Columns by rows: 1 → 1 x 1, 2 → 2 x 1, 4 → 2 x 2, 5 → 3 x 2, 9 → 3 x 3, 12 → 4 x 3, 25 → 5 x 5.

    Args:
        count: Number of candidates, 1 to 25.
        text_lines: Lines of text under the query; only the height depends on them.

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
    side = cell if rows < 3 else cell * 4 // 3  # a larger query if the grid is high enough
    left = top = _GAP
    query = (left, top, left + side + 2 * _BORDER, top + _LABEL + side + 2 * _BORDER)
    picture = (left + _BORDER, top + _BORDER + _LABEL, query[2] - _BORDER, query[3] - _BORDER)
    below = query[3] + _GAP
    text = (left, below, query[2], below + text_lines * lettering.line_height(_TEXT_SIZE))
    grid = query[2] + 2 * _GAP
    places = (divmod(i, columns) for i in range(count))
    corners = ((grid + x * (cell + _GAP), top + y * (cell + _GAP)) for y, x in places)
    cells = tuple((x, y, x + cell, y + cell) for x, y in corners)
    width = grid + columns * (cell + _GAP)
    height = max(text[3] + _GAP, top + rows * (cell + _GAP))
    return Layout((width, height), query, picture, text, cells)


def compose_panorama(
    query_image: Image.Image | None,
    candidates: Iterable[Image.Image | None],
    count: int,
    text: str | None = None,
) -> Image.Image:
    """Draw the query and its candidates into one picture.

    Args:
        query_image: The query's RGB picture, as returned by `query_picture`; without one its
            tile holds the text.
        candidates: RGB pictures in order; None draws a grey tile with "no picture". They may
            still be on their way: what needs no pictures is drawn first.
        count: Number of candidates, 1 to 25.
        text: The query's text, drawn under its picture, up to 6 lines; not drawn if it has
            letters that the built-in font lacks.

    Returns:
        RGB image, at most 2048 pixels a side.

    Raises:
        InputError: There are no candidates, or more than 25.
    """
    words, lines = lettering.drawable(text), list[str]()
    layout = panorama_layout(count)
    if query_image is not None and words:
        lines = lettering.wrap(words, _TEXT_SIZE, layout.text[2] - layout.text[0])
        layout = panorama_layout(count, min(len(lines), _TEXT_LINES))
    canvas = Image.new("RGB", layout.size, "white")
    draw = ImageDraw.Draw(canvas)

    side = layout.picture[2] - layout.picture[0]
    canvas.paste(_query_frame(side), layout.query[:2])
    if query_image is not None:
        paste(canvas, query_image, layout.picture)
        lettering.write(draw, layout.text, lines, _TEXT_SIZE)
    elif words:
        room = _shrink(layout.picture, 12)
        lettering.write(draw, room, lettering.wrap(words, 26, room[2] - room[0]), 26)
    else:
        empty = "see instruction" if text and text.strip() else "no picture"
        lettering.centred(draw, layout.picture, empty, _TEXT_SIZE)

    for number, (box, picture) in enumerate(zip(layout.cells, candidates, strict=True), 1):
        if picture is None:
            draw.rectangle(_inside(box), fill=_GREY)
            lettering.centred(draw, box, "no picture", 26)
        else:
            paste(canvas, picture, box)
        draw.rectangle(_inside(box), outline=_LINE)
        plate, shape = _number(number, (box[2] - box[0]) // 6)
        canvas.paste(plate, (box[0] + 3, box[1] + 3), shape)
    return canvas


def panorama_of_hits(query: Query, hits: Sequence[Hit], images: ImageStore) -> Image.Image:
    """The panorama of a query and 1 to 25 hits.

    Args:
        images: Where the hits' pictures are read from.

    Raises:
        InputError: There are no hits, or more than 25.
        ImageError: A picture of the query cannot be read.
    """
    with threads() as pool:
        tiles = pool.map(partial(load_tile, images=images), hits)
        return compose_panorama(query_picture(query), tiles, len(hits), query.text)


@lru_cache(maxsize=4)
def _query_frame(side: int) -> Image.Image:
    """The blue border and label of a query's tile; `side` is that of its inside."""
    width, height = side + 2 * _BORDER, side + 2 * _BORDER + _LABEL
    frame = Image.new("RGB", (width, height), _BLUE)
    draw = ImageDraw.Draw(frame)
    top = _BORDER + _LABEL
    draw.rectangle((_BORDER, top, _BORDER + side - 1, top + side - 1), fill="white")
    lettering.centred(draw, (_BORDER, 0, _BORDER + side, top), "query", 26, "white")
    return frame


@lru_cache(maxsize=64)
def _number(number: int, size: int) -> tuple[Image.Image, Image.Image]:
    """A number on its plate, in this font size, and the plate's shape as a mask."""
    # Red on white: the plate is visible on dark and red pictures, its red rim on white ones.
    left, top, right, bottom = lettering.font_of(size).getbbox(str(number))
    height = round(bottom - top) + 18
    width = max(round(right - left) + 22, height)
    plate = (2, 2, 2 + width, 2 + height)
    picture = Image.new("RGB", (width + 5, height + 5), "white")
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle(plate, radius=9, fill="white", outline=_RED, width=3)
    lettering.centred(draw, plate, str(number), size, _RED, weight=1)
    shape = Image.new("L", picture.size)
    ImageDraw.Draw(shape).rounded_rectangle(_shrink(plate, -2), radius=11, fill=255)
    return picture, shape


def _inside(box: Box) -> Box:
    # Pillow draws the right and bottom edges too; our boxes are half-open.
    return box[0], box[1], box[2] - 1, box[3] - 1


def _shrink(box: Box, by: int) -> Box:
    return box[0] + by, box[1] + by, box[2] - by, box[3] - by
