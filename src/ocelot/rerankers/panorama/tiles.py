"""The pictures of hits, as large as a panorama shows them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
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

TILE = 300  # longer side of the largest cell for a candidate, pixels
_THREADS = min(8, os.cpu_count() or 1)
# Resizing takes most of a panorama's time: BOX needs less than half of BICUBIC's.
_SMALLER, _LARGER = Image.Resampling.BOX, Image.Resampling.BILINEAR


def load_tiles(hits: Sequence[Hit], images: ImageStore) -> list[Image.Image | None]:
    """The picture of each hit, `TILE` pixels at its longer side; None if it cannot be read."""
    return in_threads(partial(load_tile, images), hits)()


def in_threads(function: Callable[[_S], _T], values: Sequence[_S]) -> Callable[[], list[_T]]:
    """Start to apply `function` to each value in threads.

    Returns:
        A function that helps with the remaining values in the calling thread, and returns the
        results in order or raises an exception of `function`.
    """
    # The calling thread works too: waking it for each result would cost more than a thread saves.
    waiting = deque(enumerate(values))
    results: dict[int, _T] = {}

    def work() -> None:
        while True:
            try:
                place, value = waiting.popleft()
            except IndexError:
                return
            results[place] = function(value)

    helpers = [_threads().submit(work) for _ in range(min(_THREADS, len(values)) - 1)]

    def finish() -> list[_T]:
        try:
            work()
        finally:
            waiting.clear()
        for helper in helpers:
            if not helper.cancel():  # it has started
                helper.result()
        return [results[place] for place in range(len(values))]

    return finish


@cache  # starting threads for each panorama would take time
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, "ocelot-tiles")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a fork has none of the threads


def load_tile(images: ImageStore, hit: Hit) -> Image.Image | None:
    """A hit's picture, `TILE` pixels at its longer side; None if it cannot be read."""
    try:
        return fitted(images.picture(hit, TILE, _SMALLER), (TILE, TILE))
    except (ImageError, ItemNotFound):
        return None


def fitted(picture: Image.Image, room: tuple[int, int]) -> Image.Image:
    """An RGB picture made as large as fits, its shape kept.

    `ImageOps.contain` does the same but fails on very long pictures.
    """
    scale = min(room[0] / picture.width, room[1] / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture if size == picture.size else picture.resize(size, _LARGER)
