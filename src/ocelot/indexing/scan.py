"""Find image files: a lazy walk in sorted order."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from ocelot.errors import InputError
from ocelot.images.decode import SUFFIXES
from ocelot.images.places import VIDEO_SUFFIXES, file_of
from ocelot.types import Failure

__all__ = ["File", "is_gone", "roots_of", "scan"]


class File(NamedTuple):
    """An image file."""

    path: str  # absolute
    size: int  # bytes
    mtime_ns: int  # modification time, nanoseconds


def roots_of(paths: str | Path | Iterable[str | Path]) -> tuple[str, ...]:
    """Absolute paths of what to index, in order, each once; `InputError` if none exists."""
    given = list(paths) if isinstance(paths, Iterable) and not isinstance(paths, str) else [paths]
    for path in given:
        if not isinstance(path, (str, os.PathLike)) or not str(path):
            raise InputError(f"A folder or an image file must be given by its path, was: {path!r}.")
    roots = tuple(dict.fromkeys(os.path.abspath(os.path.expanduser(path)) for path in given))
    if not roots:
        raise InputError("There is nothing to index: give a folder or image files.")
    if not any(os.path.exists(root) for root in roots):
        raise InputError(f"There is no {_printable(roots[0])}: give a folder or image files.")
    return roots


def scan(
    paths: str | Path | Iterable[str | Path], *, videos: bool = False
) -> Iterator[File | Failure]:
    """The image files at and below `paths`, each once, folders in sorted order.

    A file counts as an image by its suffix, in any case; a file among `paths` always counts.
    Hidden files and folders are skipped. A link to a file is followed; a link to a folder only if
    it is one of `paths`. Paths that cannot be read are yielded as a `Failure`.

    Args:
        videos: Whether to find videos, too.
    """
    seen: set[str] = set()
    suffixes = SUFFIXES | VIDEO_SUFFIXES if videos else SUFFIXES
    for root in roots_of(paths):
        for found in _below(root, suffixes) if os.path.isdir(root) else [_file(root)]:
            if found.path not in seen:
                seen.add(found.path)
                yield found


def is_gone(path: str, folders: Iterable[str]) -> bool:
    """Whether a file below one of `folders`, or what it is in, certainly no longer exists.

    The files of a missing folder, such as a disk that is not mounted, may still exist.

    Args:
        folders: Each with its final separator.
    """
    if not any(path.startswith(folder) and os.path.isdir(folder) for folder in folders):
        return False
    try:
        os.stat(path)
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        file = file_of(path)
        return missing and (file == path or is_gone(file, folders))
    return False


def _below(folder: str, suffixes: frozenset[str]) -> Iterator[File | Failure]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        yield Failure(_printable(folder), f"the folder cannot be read ({error.strerror})")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, suffixes)
        elif os.path.splitext(entry.name)[1].lower() in suffixes and not (
            entry.is_symlink() and os.path.isdir(entry.path)
        ):
            yield _file(entry.path)


def _file(path: str) -> File | Failure:
    try:
        path.encode()
    except UnicodeEncodeError:
        return Failure(_printable(path), "its name is not valid UTF-8; rename it")
    try:
        status = os.stat(path)
    except OSError as error:
        return Failure(path, error.strerror or str(error))
    if not stat.S_ISREG(status.st_mode):
        return Failure(path, "it is not a regular file")
    return File(path, status.st_size, status.st_mtime_ns)


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")
