"""Metadata files: tables beside the pictures, and which line is for which picture.

The convention is that of Hugging Face's ImageFolder: `metadata.csv`, `metadata.jsonl` or
`metadata.parquet` in the folder, with a column `file_name` relative to that folder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from ocelot.errors import MetadataError
from ocelot.indexing.metadata_file import COLUMN, MetadataTable, read_metadata, some_of
from ocelot.types import Remark

__all__ = ["METADATA_NAMES", "MetadataTables", "find_metadata", "metadata_files"]

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class MetadataTables:
    """The tables of one run, and what they say about its pictures.

    A line names a picture by its path relative to the folder of the table. In a table that the
    caller `named`, it may also be relative to an indexed folder.

    Args:
        roots: As of `metadata_files`.
        pictures: Absolute paths of the pictures of the run.
        named: As of `metadata_files`.

    Attributes:
        lines: Picture -> its fields; pictures that no line names are left out.
        used: Path of each table -> how many of the pictures its lines name.
        remarks: On lines and columns, and on names for which there is no file.

    Raises:
        MetadataError: A table cannot be used, or no line of the one `named` names a picture.
    """

    def __init__(
        self, roots: Iterable[str], pictures: Sequence[str], named: str | Path | None = None
    ) -> None:
        self.lines: dict[str, Mapping[str, Any]] = {}
        self.used: dict[str, int] = {}
        self.remarks: list[Remark] = []
        files = metadata_files(roots, named)
        for path in dict.fromkeys(file.path for file in files):
            mine = [file for file in files if file.path == path]
            is_above = all(file.is_above for file in mine)
            try:
                table = read_metadata(path)
            except MetadataError:
                if is_above:  # it may have nothing to do with the pictures
                    continue
                raise
            folders = [file.folder for file in mine]
            found = self._match(table, pictures, folders, either=named is not None)
            if found or not is_above:
                self.remarks += [*table.remarks, *_missing(table, found.values(), folders)]
            if found:
                self.used[path] = len(found)
            elif named is not None and pictures:
                raise _no_match(table, folders)

    def _match(
        self, table: MetadataTable, pictures: Iterable[str], folders: Iterable[str], *, either: bool
    ) -> dict[str, str]:
        """Take over a table's lines of the pictures in `folders`; picture -> key of its line.

        Args:
            either: Whether names may be relative to one of `folders`, too.
        """
        found: dict[str, str] = {}
        place = os.path.join(os.path.dirname(table.path), "")
        prefixes = [os.path.join(folder, "") for folder in folders]
        for picture in pictures:
            below = [prefix for prefix in prefixes if picture.startswith(prefix)]
            if not below or picture in self.lines:
                continue
            others = [place + picture.removeprefix(prefix) for prefix in below] if either else []
            for key in (picture, *others):
                if key in table.fields:
                    self.lines[picture] = table.fields[key]
                    found[picture] = key
                    break
        return found


class _File(NamedTuple):
    """A metadata file for an indexed folder."""

    path: str
    folder: str
    is_above: bool = False  # whether it was found in the folder above


def metadata_files(roots: Iterable[str], named: str | Path | None = None) -> list[_File]:
    """The metadata file of each indexed folder: the one `named`, the one in it, or one above it.

    Args:
        roots: Absolute paths of folders and files; of a file, its folder counts.
        named: The one to use for all of them.

    Raises:
        MetadataError: A folder has several.
    """
    folders = dict.fromkeys(
        root if os.path.isdir(root) else os.path.dirname(root) for root in roots
    )
    if named is not None:
        path = os.path.abspath(os.path.expanduser(named))
        return [_File(path, folder) for folder in folders]
    files = []
    for folder in folders:
        if own := find_metadata(folder):
            files.append(_File(str(own), folder))
            continue
        with suppress(MetadataError):
            if above := find_metadata(os.path.dirname(folder)):
                files.append(_File(str(above), folder, is_above=True))
    return files


def find_metadata(folder: str | Path) -> Path | None:
    """The metadata file in a folder, if there is one.

    Raises:
        MetadataError: There are several.
    """
    found = [Path(folder, name) for name in METADATA_NAMES if Path(folder, name).is_file()]
    if len(found) > 1:
        raise MetadataError(
            f"{folder} has {' and '.join(path.name for path in found)}; keep one of them, or "
            "name the one to use."
        )
    return found[0] if found else None


def _missing(
    table: MetadataTable, found: Iterable[str], folders: Sequence[str]
) -> Iterator[Remark]:
    """A remark on names for which there is no file, if there are any."""
    missing = [
        name
        for name in _names(table, without=set(found))
        if not any(
            os.path.exists(os.path.join(folder, name))
            for folder in (os.path.dirname(table.path), *folders)
        )
    ]
    if missing:
        lines = "line names a file that does" if len(missing) == 1 else "lines name files that do"
        yield Remark(table.path, f"{len(missing)} {lines} not exist ({some_of(missing)})")


def _no_match(table: MetadataTable, folders: Sequence[str]) -> MetadataError:
    names = _names(table)
    said = f"{len(names)} lines: {some_of(names)}" if names else "no usable line"
    places = dict.fromkeys([os.path.dirname(table.path), *folders])
    return MetadataError(
        f"The metadata file {table.path} names none of the pictures ({said}); nothing was "
        f"changed. Write each {COLUMN} relative to {' or '.join(places)}."
    )


def _names(table: MetadataTable, without: Collection[str] = ()) -> list[str]:
    """The names in a table, relative to its folder."""
    place = os.path.dirname(table.path)
    return [os.path.relpath(path, place) for path in table.fields if path not in without]
