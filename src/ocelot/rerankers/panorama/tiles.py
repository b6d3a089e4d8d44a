"""The pictures of hits, as large as a panorama shows them."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image

from ocelot.errors import ImageError
from ocelot.images.decode import load_image
from ocelot.types import Hit

if TYPE_CHECKING:
    from ocelot.images.thumbnails import Thumbnails

__all__ = ["TILE", "fitted", "in_threads", "load_tile", "load_tiles", "small_copies"]

_S = TypeVar("_S")
_T = TypeVar("_T")

TILE = 300  # longer side of the largest cell that a candidate is shown in, pixels
_THREADS = min(8, os.cpu_count() or 1)


def load_tiles(
    hits: Sequence[Hit], thumbnails: Thumbnails | None = None
) -> list[Image.Image | None]:
    """The picture of each hit, `TILE` pixels at its longer side.

    Read by several threads, as decoding is most of the work; see `load_tile`.
    """
    return in_threads(partial(load_tile, small_copies(hits, thumbnails)), hits)()


def small_copies(hits: Sequence[Hit], thumbnails: Thumbnails | None) -> dict[str, bytes]:
    """Those that there are of these hits, as JPEG files by id."""
    return {} if thumbnails is None else thumbnails.get(hit.id for hit in hits)


def in_threads(function: Callable[[_S], _T], values: Sequence[_S]) -> Callable[[], list[_T]]:
    """Begin to apply `function` to each value.

    Returns:
        Lends the calling thread to what is left, then gives the results in order or raises an
        error that `function` raised.
    """
    # The calling thread works too: waking it for each result would cost more than a thread saves.
    waiting = deque(enumerate(values))
    made: dict[int, _T] = {}

    def work() -> None:
        while True:
            try:
                place, value = waiting.popleft()
            except IndexError:
                return
            made[place] = function(value)

    helpers = [_threads().submit(work) for _ in range(min(_THREADS, len(values)) - 1)]

    def finish() -> list[_T]:
        try:
            work()
        finally:
            waiting.clear()
        for helper in helpers:
            if not helper.cancel():  # has it begun?
                helper.result()
        return [made[place] for place in range(len(values))]

    return finish


@cache  # kept, as starting them costs time in each panorama
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "ocelot-tiles")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a fork has none of the threads


def load_tile(copies: Mapping[str, bytes], hit: Hit) -> Image.Image | None:
    """A hit's picture from its small copy, else from the first file that can be read, else None."""
    for source in (copies.get(hit.id), *hit.paths):
        if source is None:
            continue
        try:
            return fitted(load_image(source, shortest=TILE), (TILE, TILE))
        except ImageError:
            continue
    return None


def fitted(picture: Image.Image, room: tuple[int, int]) -> Image.Image:
    """An RGB picture made as large as the room allows, its shape kept."""
    scale = min(room[0] / picture.width, room[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if size == picture.size:
        return picture
    torch = sys.modules.get("torch")
    if torch is None:  # not worth its import
        return picture.resize(size, Image.Resampling.BILINEAR)
    # The same to within a shade, in a fifth of the time: torch uses what vectors the CPU has.
    pixels = torch.from_numpy(np.array(picture))[None].permute(0, 3, 1, 2)  # channels stay last
    small = torch.nn.functional.interpolate(
        pixels, size=size[::-1], mode="bilinear", antialias=True
    )
    return Image.fromarray(small[0].permute(1, 2, 0).numpy())
