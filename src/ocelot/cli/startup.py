"""Starting quickly: imports without Python's cycle collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["quick_start"]


@contextmanager
def quick_start() -> Iterator[None]:
    """Imports and loads with the collector of cycles at rest.

    What they make stays until the end, and the collector would walk through all of it time and
    again: a third of the time that a search takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
