"""One picture that shows a query and its numbered candidates, for a vision model.

::

    ┏━━━━━━━━┓ ┌─────┐┌─────┐┌─────┐
    ┃ query  ┃ │1    ││2    ││3    │     blue border: the query
    ┃        ┃ │     ││     ││     │     red number: what the model answers with
    ┗━━━━━━━━┛ └─────┘└─────┘└─────┘
     its text  ┌─────┐┌─────┐
               │4    ││5    │
               └─────┘└─────┘

It follows the panorama of the Milvus tutorial "Multimodal RAG with Milvus". New here: pictures keep
their shape, and numbers are readable on any picture and count from 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from ocelot.errors import InputError
from ocelot.images.store import ImageStore
from ocelot.rerankers.panorama import lettering
from ocelot.rerankers.panorama.tiles import (
    TILE,
    Box,
    columns_and_rows,
    load_tiles,
    paste,
    query_picture,
)
from ocelot.types import Hit, Query

__all__ = [
    "MAX_CANDIDATES",
    "compose_panorama",
    "compose_sheet",
    "panorama_layout",
    "panorama_of_hits",
]

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
    """Where the parts of a panorama are, in pixels; boxes are (left, top, right, bottom)."""

    size: tuple[int, int]  # width and height
    query: Box  # the query's tile, including its blue border
    picture: Box  # the inside of that tile, under its label
    text: Box  # the space for the query's text under its tile
    cells: tuple[Box, ...]  # one for each candidate, row by row


def panorama_layout(count: int, text_lines: int = 0) -> Layout:
    """The layout of a query, lines of text under it, and candidates in a nearly square grid.

    Columns by rows: 1 → 1 x 1, 2 → 2 x 1, 4 → 2 x 2, 5 → 3 x 2, 9 → 3 x 3, 12 → 4 x 3, 25 → 5 x 5.

    Raises:
        InputError: `count` is not from 1 to 25.
    """
    if not 1 <= count <= MAX_CANDIDATES:
        raise InputError(
            f"A panorama holds 1 to {MAX_CANDIDATES} candidates, was: {count}; "
            "rank more of them in windows."
        )
    columns, rows = columns_and_rows(count)
    cell = TILE if count <= 9 else 256
    side = cell if rows < 3 else cell * 4 // 3  # a larger query if the grid is high enough
    left = top = _GAP
    query = (left, top, left + side + 2 * _BORDER, top + _LABEL + side + 2 * _BORDER)
    picture = (left + _BORDER, top + _BORDER + _LABEL, query[2] - _BORDER, query[3] - _BORDER)
    below = query[3] + _GAP
    text = (left, below, query[2], below + text_lines * lettering.line_height(_TEXT_SIZE))
    start = query[2] + 2 * _GAP
    places = (divmod(i, columns) for i in range(count))
    corners = ((start + x * (cell + _GAP), top + y * (cell + _GAP)) for y, x in places)
    cells = tuple((x, y, x + cell, y + cell) for x, y in corners)
    width = start + columns * (cell + _GAP)
    height = max(text[3] + _GAP, top + rows * (cell + _GAP))
    return Layout((width, height), query, picture, text, cells)


def compose_panorama(
    query_image: Image.Image | None,
    candidates: Sequence[Image.Image | None],
    text: str | None = None,
) -> Image.Image:
    """Draw the query and its candidates into one RGB picture, at most 2048 pixels a side.

    Args:
        query_image: As returned by `query_picture`; without one its tile holds the text.
        candidates: 1 to 25 RGB pictures in order; None draws a grey tile with "no picture".
        text: Drawn under the query's picture, up to 6 lines; not drawn if it has letters that the
            built-in font lacks.

    Raises:
        InputError: There are no candidates, or more than 25.
    """
    words, lines = lettering.drawable(text), list[str]()
    layout = panorama_layout(len(candidates))
    if query_image is not None and words:
        lines = lettering.wrap(words, _TEXT_SIZE, layout.text[2] - layout.text[0])
        layout = panorama_layout(len(candidates), min(len(lines), _TEXT_LINES))
    canvas = Image.new("RGB", layout.size, "white")
    draw = ImageDraw.Draw(canvas)

    left, top, right, _ = layout.query
    draw.rectangle(_inside(layout.query), fill=_BLUE)
    draw.rectangle(_inside(layout.picture), fill="white")
    label = (left + _BORDER, top, right - _BORDER, layout.picture[1])
    lettering.centred(draw, label, "query", 26, "white")
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
        _draw_cell(canvas, draw, str(number), box, picture)
    return canvas


def compose_sheet(pictures: Sequence[Image.Image], labels: Sequence[str]) -> Image.Image:
    """Draw 1 to 25 RGB pictures with labels into one picture, without a query.

    They stand in reading order in a nearly square grid, whose columns are even in number if that of
    the pictures is, so that pairs stay side by side.
    """
    count = len(pictures)
    columns, _ = columns_and_rows(count)
    columns += columns % 2 if count % 2 == 0 else 0
    places = [divmod(number, columns) for number in range(count)]
    step, rows = TILE + _GAP, places[-1][0] + 1
    canvas = Image.new("RGB", (_GAP + columns * step, _GAP + rows * step), "white")
    draw = ImageDraw.Draw(canvas)
    for (y, x), label, picture in zip(places, labels, pictures, strict=True):
        corner = _GAP + x * step, _GAP + y * step
        _draw_cell(canvas, draw, label, (*corner, corner[0] + TILE, corner[1] + TILE), picture)
    return canvas


def panorama_of_hits(query: Query, hits: Sequence[Hit], images: ImageStore) -> Image.Image:
    """The panorama of a query and 1 to 25 hits, whose pictures are read from `images`.

    Raises:
        InputError: There are no hits, or more than 25.
        ImageError: A picture of the query cannot be read.
    """
    return compose_panorama(query_picture(query), load_tiles(hits, images), query.text)


def _draw_cell(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    label: str,
    box: Box,
    picture: Image.Image | None,
) -> None:
    if picture is None:
        draw.rectangle(_inside(box), fill=_GREY)
        lettering.centred(draw, box, "no picture", 26)
    else:
        paste(canvas, picture, box)
    draw.rectangle(_inside(box), outline=_LINE)
    _write_number(draw, label, box)


def _write_number(draw: ImageDraw.ImageDraw, label: str, cell: Box) -> None:
    # Red on white: the plate is visible on dark and red pictures, its red rim on white ones.
    size = (cell[2] - cell[0]) // 6
    left, top, right, bottom = lettering.font_of(size).getbbox(label)
    height = round(bottom - top) + 18
    width = max(round(right - left) + 22, height)
    plate = (cell[0] + 5, cell[1] + 5, cell[0] + 5 + width, cell[1] + 5 + height)
    draw.rounded_rectangle(_shrink(plate, -2), radius=11, fill="white")
    draw.rounded_rectangle(plate, radius=9, fill="white", outline=_RED, width=3)
    lettering.centred(draw, plate, label, size, _RED, weight=1)


def _inside(box: Box) -> Box:
    # Pillow draws the right and bottom edges too; our boxes are half-open.
    return box[0], box[1], box[2] - 1, box[3] - 1


def _shrink(box: Box, by: int) -> Box:
    return box[0] + by, box[1] + by, box[2] - by, box[3] - by
