"""A picture read from its place: a file, a URL, a container or a video."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from ocelot.errors import ImageError, ImageTooLarge
from ocelot.images.decode import MAX_BYTES
from ocelot.images.fetch import public_name
from ocelot.images.file import ImageFile
from ocelot.images.places import cell_of, frame_of, is_url, member_of
from ocelot.images.video import frame_at

__all__ = ["opened", "read_picture"]


def read_picture(path: str) -> ImageFile:
    """The picture at a place; `ImageError` if it cannot be read or is too large."""
    name = public_name(path) if is_url(path) else path
    is_file = not is_url(path) and os.path.exists(path)
    if not is_file and (frame := frame_of(path)):
        return frame_at(*frame)
    if not is_file and (cell := cell_of(path)):
        data = _read_cell(*cell)
    elif not is_file and (member := member_of(path)):
        data = _read_member(*member)
    elif not is_url(path):
        return ImageFile.of(Path(path))
    elif path.lower().startswith(("http:", "https:")):
        return ImageFile.of(path)
    else:
        with opened(path) as file:
            data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ImageTooLarge(name, f"it is larger than {MAX_BYTES / 2**20:.0f} MiB")
    return ImageFile(data, name)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """A file or a URL, open for reading; errors of its file system become an `ImageError`."""
    name = public_name(path) if is_url(path) else path
    try:
        import fsspec
    except ImportError:
        raise ImageError(
            name, "it needs more packages (pip install 'ocelot-search[ray]')"
        ) from None
    try:
        with fsspec.open(path, "rb") as file:
            yield file
    except ImageError:
        raise
    except Exception as error:  # each file system has its own; their texts may hold secrets
        if isinstance(error, tarfile.TarError) or type(error).__name__ == "ArrowInvalid":
            raise ImageError(name, "it is damaged, or not of the format of its name") from None
        cause = getattr(error, "strerror", None) or type(error).__name__
        raise ImageError(name, f"it cannot be read ({cause})") from None


def _read_member(path: str, name: str) -> bytes:
    with opened(path) as file, tarfile.open(fileobj=file) as tar:
        member = tar.extractfile(name)
        if member is None:
            raise ImageError(f"{path}#{name}", "it is not a file")
        return member.read(MAX_BYTES + 1)


def _read_cell(path: str, column: str, row: int) -> bytes:
    import pyarrow.parquet

    with opened(path) as file:
        table = pyarrow.parquet.ParquetFile(file)
        for group in range(table.num_row_groups):
            rows = table.metadata.row_group(group).num_rows
            if row < rows:
                cell: Any = table.read_row_group(group, [column]).column(0)[row].as_py()
                return bytes(cell["bytes"] if isinstance(cell, dict) else cell)
            row -= rows
    raise ImageError(path, f"it has no such row in {column}")
