"""The pictures in a panorama: those of hits, and that of the query."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, ImageDraw

from ocelot.errors import ImageError, ItemNotFound
from ocelot.images.store import ImageStore
from ocelot.types import Hit, Query

__all__ = ["TILE", "Box", "columns_and_rows", "load_tiles", "paste", "query_picture"]

Box = tuple[int, int, int, int]  # left, top, right, bottom

TILE = 300  # longer side of the largest cell for a candidate, pixels
_LINE = (185, 185, 185)
_SIDE = 800  # of a sheet, in pixels: twice the largest tile
_GAP = 20
# Resizing takes most of a panorama's time: BOX needs less than half of BICUBIC's.
_SMALLER, _LARGER = Image.Resampling.BOX, Image.Resampling.BILINEAR


def load_tiles(hits: Sequence[Hit], images: ImageStore) -> list[Image.Image | None]:
    """The picture of each hit, `TILE` pixels at its longer side; None if it cannot be read."""

    def load(hit: Hit) -> Image.Image | None:
        try:
            return fitted(images.picture(hit, TILE, _SMALLER), (TILE, TILE))
        except (ImageError, ItemNotFound):
            return None

    with ThreadPoolExecutor(min(8, os.cpu_count() or 1), "ocelot-tiles") as threads:
        return list(threads.map(load, hits))


def fitted(picture: Image.Image, room: tuple[int, int]) -> Image.Image:
    """An RGB picture made as large as fits, its shape kept.

    `ImageOps.contain` does the same but fails on very long pictures.
    """
    scale = min(room[0] / picture.width, room[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture if size == picture.size else picture.resize(size, _LARGER)


def columns_and_rows(count: int) -> tuple[int, int]:
    """Columns and rows of a nearly square grid."""
    columns = math.ceil(math.sqrt(count))
    return columns, math.ceil(count / columns)


def query_picture(query: Query) -> Image.Image | None:
    """The query's picture; a contact sheet of several; None if it has none.

    Raises:
        ImageError: A picture cannot be read.
    """
    if len(query.images) < 2:
        return query.images[0].rgb(_SIDE) if query.images else None
    pictures = []
    for image in query.images:  # one at a time, as each may be large
        picture = image.rgb(_SIDE).copy()
        picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
        pictures.append(picture)
    return contact_sheet(pictures)


def contact_sheet(pictures: Sequence[Image.Image], side: int = _SIDE) -> Image.Image:
    """RGB pictures in a nearly square grid, in reading order, on a white square of this side.

    Each keeps its shape and has a thin line around it, as many have white edges; a last row that
    is not full is centred.
    """
    columns, rows = columns_and_rows(len(pictures))
    width = (side - (columns - 1) * _GAP) // columns
    height = (side - (rows - 1) * _GAP) // rows
    sheet = Image.new("RGB", (side, side), "white")
    draw = ImageDraw.Draw(sheet)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        missing = columns - min(columns, len(pictures) - row * columns)
        left = column * (width + _GAP) + missing * (width + _GAP) // 2
        top = row * (height + _GAP)
        box = paste(sheet, picture, (left, top, left + width, top + height))
        draw.rectangle((box[0] - 2, box[1] - 2, box[2] + 1, box[3] + 1), outline=_LINE, width=2)
    return sheet


def paste(canvas: Image.Image, picture: Image.Image, box: Box) -> Box:
    """Paste an RGB picture into a box, as large as fits, centred; return where it is."""
    width, height = box[2] - box[0], box[3] - box[1]
    inner = fitted(picture, (width, height))
    left = box[0] + (width - inner.width) // 2
    top = box[1] + (height - inner.height) // 2
    canvas.paste(inner, (left, top))
    return left, top, left + inner.width, top + inner.height
