"""Metadata files: tables beside the pictures, and which line is for which picture.

The convention is that of Hugging Face's ImageFolder: `metadata.csv`, `metadata.jsonl` or
`metadata.parquet` in the folder, with a column `file_name` relative to that folder.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ocelot.errors import MetadataError
from ocelot.indexing.metadata_file import COLUMN, read_metadata, some_of
from ocelot.types import Remark

__all__ = ["METADATA_NAMES", "MetadataTables", "find_metadata", "metadata_files", "read_tables"]

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


@dataclass
class MetadataTables:
    """What the tables of one run say about its pictures."""

    lines: dict[str, Mapping[str, Any]] = field(default_factory=dict)  # by picture
    used: dict[str, int] = field(default_factory=dict)  # table -> pictures that it names
    remarks: list[Remark] = field(default_factory=list)  # on lines, columns and missing files


class _File(NamedTuple):
    """A metadata file for an indexed folder."""

    path: str
    folder: str
    is_above: bool = False  # whether it was found in the folder above


def read_tables(
    roots: Iterable[str], pictures: Sequence[str], named: str | Path | None = None
) -> MetadataTables:
    """Read the tables for pictures.

    A line names a picture by its path relative to the folder of the table. In a table that the
    caller `named`, it may also be relative to an indexed folder.

    Args:
        roots, named: As of `metadata_files`.
        pictures: Absolute paths of the pictures of the run.

    Raises:
        MetadataError: A table cannot be used, or no line of the one `named` names a picture.
    """
    tables = MetadataTables()
    files_of: defaultdict[str, list[_File]] = defaultdict(list)
    for file in metadata_files(roots, named):
        files_of[file.path].append(file)
    for path, files in files_of.items():
        is_above = all(file.is_above for file in files)
        try:
            table = read_metadata(path)
        except MetadataError:
            if is_above:  # it may have nothing to do with the pictures
                continue
            raise
        place = os.path.join(os.path.dirname(path), "")
        folders = [os.path.join(file.folder, "") for file in files]
        found = set()
        for picture in pictures:
            below = [folder for folder in folders if picture.startswith(folder)]
            if not below or picture in tables.lines:
                continue
            keys = [picture]
            if named is not None:
                keys += [place + picture.removeprefix(folder) for folder in below]
            if key := next((key for key in keys if key in table.fields), None):
                tables.lines[picture] = table.fields[key]
                tables.used[path] = tables.used.get(path, 0) + 1
                found.add(key)
        names = [key.removeprefix(place) for key in table.fields if key not in found]
        places = dict.fromkeys([place, *folders])
        if named is not None and pictures and not found:
            said = f"{len(names)} lines: {some_of(names)}" if names else "no usable line"
            bases = " or ".join(os.path.dirname(place) for place in places)
            raise MetadataError(
                f"The metadata file {path} names none of the pictures ({said}); nothing was "
                f"changed. Write each {COLUMN} relative to {bases}."
            )
        if found or not is_above:
            tables.remarks += table.remarks
            missing = [
                name
                for name in names
                if not any(os.path.exists(os.path.join(place, name)) for place in places)
            ]
            if missing:
                one = len(missing) == 1
                lines = "line names a file that does" if one else "lines name files that do"
                reason = f"{len(missing)} {lines} not exist ({some_of(missing)})"
                tables.remarks.append(Remark(path, reason))
    return tables


def metadata_files(roots: Iterable[str], named: str | Path | None = None) -> list[_File]:
    """The metadata file of each indexed folder: the one `named`, the one in it, or one above it.

    Args:
        roots: Absolute paths of folders and files; of a file, its folder counts.
        named: The one to use for all of them.
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
    """The metadata file in a folder, if there is one; `MetadataError` if there are several."""
    found = [Path(folder, name) for name in METADATA_NAMES if Path(folder, name).is_file()]
    if len(found) > 1:
        raise MetadataError(
            f"{folder} has {' and '.join(path.name for path in found)}; keep one of them, or "
            "name the one to use."
        )
    return found[0] if found else None
