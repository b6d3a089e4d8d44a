"""What commands share: text that is safe to print, tables, progress, files that they write."""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import typer

from ocelot.errors import ConfigurationError
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.indexing import Progress as Done
    from ocelot.types import Failure, Remark

__all__ = [
    "check_writable", "print_failures", "print_json", "print_list", "print_table", "printable",
    "progress_bar", "resumable", "say", "waiting", "warn_if_large", "writing",
]  # fmt: skip

LITE_ROWS = 100_000  # more pictures are better kept on a server: measured in docs/scale.md


def printable(text: str) -> str:
    """Return the text on one line, without control and escape characters.

    >>> printable("a\\x1b[31mb\\nc")
    'a�[31mb�c'
    """
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def say(text: str, *, err: bool = False) -> None:
    """Print one line of text that may hold anything."""
    typer.echo(printable(text), err=err)


def print_json(value: Any, *, indent: int | None = None) -> None:
    """Print plain values, dataclasses and paths as JSON."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=indent, default=_plain))


def _plain(value: Any) -> Any:
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else str(value)


def print_table(
    titles: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()
) -> None:
    """Print a table below a bold line of titles; the columns in `right` are aligned there."""
    lines = [[printable(cell) for cell in line] for line in (titles, *rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        cells = []
        for title, cell, width in zip(titles, line, widths, strict=True):
            blanks = " " * (width - _width(cell))
            cells.append(blanks + cell if title in right else cell + blanks)
        typer.secho("  ".join(cells).rstrip(), bold=number == 0 or None)


def _width(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese and Japanese letters take two."""
    return len(text) + sum(east_asian_width(letter) in "WF" for letter in text)


def warn_if_large(db: str, rows: int) -> None:
    """Say that a local database holds more pictures than it should."""
    if "://" not in db and rows > LITE_ROWS:
        logging.getLogger("ocelot").warning(
            "%s holds %s pictures, and a local database is slow and takes much memory beyond %s: "
            "copy it to a Milvus server with `ocelot copy %s http://HOST:19530`.",
            db, f"{rows:,}", f"{LITE_ROWS:,}", db,
        )  # fmt: skip


def print_list(title: str, entries: Sequence[Failure | Remark], shown: int = 20) -> None:
    """Print the first entries below a title, if there are any."""
    if entries:
        typer.echo(f"{title}:", err=True)
    for entry in entries[:shown]:
        say(f"  {entry.path}: {entry.reason}", err=True)
    if len(entries) > shown:
        typer.echo(f"  … and {len(entries) - shown} more (--json lists all)", err=True)


def print_failures(failures: Sequence[Failure], word: str) -> None:
    """Print the first files, rows or pictures that could not be used, if there are any."""
    print_list(f"{count(len(failures), word)} could not be used", failures)


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

    columns = SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as line:
        task = line.add_task(printable(text), total=None)
        yield lambda text: line.update(task, description=printable(text))


@contextmanager
def progress_bar(title: str, *, quiet: bool = False) -> Iterator[Callable[[Done], None]]:
    """Yield what shows a run's progress on a terminal: count, rate, time left."""
    if quiet or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(
        "{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[rate]}",
        TimeRemainingColumn(), console=Console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(title, total=None, rate="")

        def show(done: Done) -> None:
            speed = bar.tasks[task].speed
            rate = f"{speed:.0f} pictures/s" if speed else ""
            bar.update(task, completed=done.done, total=done.total, rate=rate)

        yield show


def check_writable(file: Path) -> None:
    """Raise an error if the file cannot be written, before the work is done for it."""
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            open(file, "ab").close()
        else:
            tempfile.TemporaryFile(dir=file.parent).close()


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Say in a sentence that a file or a folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"Cannot write {file}: {error.strerror or error}.") from None
