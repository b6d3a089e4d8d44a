"""Text for a terminal; file names, titles and replies of models are made safe to print."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["print_rows", "printable", "resumable", "sentence", "waiting", "warn_if_large"]

LITE_ROWS = 100_000  # more pictures are better kept on a server: measured in docs/scale.md


def printable(text: str) -> str:
    """Return the text on one line, without control and escape characters.

    >>> printable("a\\x1b[31mb\\nc")
    'a�[31mb�c'
    """
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def sentence(text: str) -> str:
    """Return the printable text, ending in one full stop."""
    return printable(text).rstrip(" .") + "."


def print_rows(table: Table) -> None:
    """Print a table; a file or a pipe has no width, so that each row is one line there."""
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=10_000)).print(table)


def warn_if_large(db: str, rows: int) -> None:
    """Say that a local database holds more pictures than it should."""
    if "://" not in db and rows > LITE_ROWS:
        logging.getLogger("ocelot").warning(
            "%s holds %s pictures, and a local database is slow and takes much memory beyond %s: "
            "copy it to a Milvus server with `ocelot copy %s http://HOST:19530`.",
            db, f"{rows:,}", f"{LITE_ROWS:,}", db,
        )  # fmt: skip


@contextmanager
def resumable() -> Iterator[None]:
    """Say after Ctrl-C that the command can be run again."""
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("What is finished is kept: run the command again to continue.", err=True)
        raise


@contextmanager
def waiting(text: str, *, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Show a text and the time since then on a terminal's stderr; it is cleared afterwards.

    Yields what changes the text.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda text: None
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    with Progress(
        SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    ) as line:  # fmt: skip
        task = line.add_task(printable(text), total=None)
        yield lambda text: line.update(task, description=printable(text))
