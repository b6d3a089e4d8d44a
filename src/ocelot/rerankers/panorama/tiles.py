"""The pictures of hits, as large as a panorama shows them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import TypeVar

from PIL import Image

from ocelot.errors import ImageError, ItemNotFound
from ocelot.images.store import ImageStore
from ocelot.types import Hit

__all__ = ["TILE", "fitted", "in_threads", "load_tile", "load_tiles"]

_S = TypeVar("_S")
_T = TypeVar("_T")

TILE = 300  # longer side of the largest cell that a candidate is shown in, pixels
_THREADS = min(8, os.cpu_count() or 1)


def load_tiles(hits: Sequence[Hit], images: ImageStore) -> list[Image.Image | None]:
    """The picture of each hit, `TILE` pixels at its longer side; None where it cannot be read.

    Read by several threads, as decoding is most of the work.
    """
    return in_threads(partial(load_tile, images, images.small_copies(hits, TILE)), hits)()


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


def load_tile(images: ImageStore, small: Mapping[str, bytes], hit: Hit) -> Image.Image | None:
    """A hit's picture, or None where it cannot be read."""
    try:
        return fitted(images.picture(hit, TILE, small), (TILE, TILE))
    except (ImageError, ItemNotFound):
        return None


def fitted(picture: Image.Image, room: tuple[int, int]) -> Image.Image:
    """An RGB picture made as large as the room allows, its shape kept."""
    scale = min(room[0] / picture.width, room[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if size == picture.size:
        return picture
    return picture.resize(size, Image.Resampling.BILINEAR)
