"""What commands share: text that is safe to print, progress, files that they write."""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ocelot.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.table import Table

    from ocelot.indexing import Progress as Done
    from ocelot.types import Failure, Remark

__all__ = [
    "check_writable", "print_list", "print_rows", "printable", "progress_bar", "resumable",
    "sentence", "waiting", "warn_if_large", "writing",
]  # fmt: skip

_SHOWN = 20  # entries of a list

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


def print_list(title: str, entries: Sequence[Failure | Remark], shown: int = _SHOWN) -> None:
    """Print the first entries below a title, if there are any."""
    if entries:
        typer.echo(f"{title}:", err=True)
    for entry in entries[:shown]:
        typer.echo(printable(f"  {entry.path}: {entry.reason}"), err=True)
    if len(entries) > shown:
        typer.echo(f"  … and {len(entries) - shown} more (--json lists all)", err=True)


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


@contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Iterator[Callable[[Done], None]]:
    """Yield what shows a run's progress on a terminal: count, rate, time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        "{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[rate]}",
        TimeRemainingColumn(), console=Console(stderr=True), transient=True,
        disable=quiet or not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task(title, total=None, rate="")

        def show(done: Done) -> None:
            speed = bar.tasks[task].speed
            rate = f"{speed:.0f} pictures/s" if speed else ""
            bar.update(task, completed=done.done, total=done.total, rate=rate)

        yield show


def check_writable(file: Path) -> None:
    """Raise an error if the file cannot be written, before a search is made for it."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            open(file, "ab").close()
        else:
            tempfile.TemporaryFile(dir=file.parent).close()


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Say in a sentence that a file cannot be written."""
    try:
        yield
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"Cannot write {file}: {cause}.") from None
