"""Files that are either whole or not there: written under another name, then renamed."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["atomic_path", "partials_of", "remove", "remove_partial", "write_atomic"]

_HOUR = 3600


@contextmanager
def atomic_path(path: str | Path, *, durable: bool = False) -> Iterator[Path]:
    """Give a temporary path beside `path`, which is renamed to `path` at the end.

    The caller writes a file (or makes a folder) at the temporary path. A reader then sees the
    old content or the new one, never a part. On an error the temporary file is removed and
    `path` stays as it was. Parent folders are made. A folder can only replace an empty one.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_path(Path(folder) / "made" / "note.txt") as partial:
    ...         _ = partial.write_text("whole")
    ...     (Path(folder) / "made" / "note.txt").read_text()
    'whole'

    Args:
        durable: Whether the content and the name must outlast a power failure (fsync).

    Raises:
        OSError: The path cannot be written.
    """
    path = Path(path)
    new = [folder for folder in path.parents if not folder.exists()] if durable else []
    path.parent.mkdir(parents=True, exist_ok=True)
    # It ends in .part, so that nothing takes a leftover of a killed process for a real file.
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        yield partial
        if durable:
            _sync(partial)
        partial.replace(path)
    except BaseException:
        with suppress(OSError):
            remove(partial)
        raise
    if durable:
        for folder in (path.parent, *(made.parent for made in new)):
            _sync(folder)


def write_atomic(path: str | Path, data: bytes, *, durable: bool = False) -> None:
    """Write `data` to `path`, whole or not at all; see `atomic_path`."""
    with atomic_path(path, durable=durable) as partial:
        partial.write_bytes(data)


def partials_of(path: Path) -> Iterator[Path]:
    """The temporary files and folders that `atomic_path` has left for a path."""
    return path.parent.glob(f".{path.name}.*.part")


def remove(path: Path) -> None:
    """Remove a file, or a folder in its place; what is missing is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def remove_partial(paths: Iterable[Path]) -> None:
    """Remove what `atomic_path` has left of killed processes: what is older than an hour."""
    for path in paths:
        with suppress(OSError):  # another process may remove it at the same time
            if path.suffix == ".part" and time.time() - path.stat().st_mtime > _HOUR:
                remove(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
