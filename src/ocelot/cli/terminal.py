"""Text for a terminal; file names, titles and replies of models are made safe to print."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["pictures", "printable", "sentence", "waiting"]


def printable(text: str) -> str:
    """Return the text on one line, without control and escape characters.

    >>> printable("a\\x1b[31mb\\nc")
    'a�[31mb�c'
    """
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def sentence(text: str) -> str:
    """Return the printable text, ending in one full stop."""
    return printable(text).rstrip(" .") + "."


def pictures(count: int) -> str:
    """Return "1 picture", "2 pictures" and so on."""
    return f"{count} picture{'' if count == 1 else 's'}"


@contextmanager
def waiting(text: str, *, quiet: bool = False) -> Iterator[None]:
    """Show a text and the time since then on a terminal's stderr; it is cleared afterwards."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    ) as line:  # fmt: skip
        line.add_task(printable(text), total=None)
        yield
