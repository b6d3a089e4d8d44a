"""Metadata files: a table beside the pictures.

The convention is that of Hugging Face's ImageFolder: `metadata.csv`, `metadata.jsonl` or
`metadata.parquet` in the folder, with a column `file_name` relative to that folder.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from ocelot.errors import MetadataError
from ocelot.types import Failure

__all__ = ["MetadataTable", "MetadataTables", "find_metadata", "metadata_files", "read_metadata"]

_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_COLUMN = "file_name"
_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,299})")
_NUMBER = re.compile(r"(?i)[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?|nan")
_Line = tuple[int, Mapping[str, Any] | str]  # its number, and its cells or why they are unusable


@dataclass(frozen=True)
class MetadataTable:
    """The fields of each picture."""

    path: str  # of the file that was read
    fields: Mapping[str, Mapping[str, Any]]  # absolute path of a picture -> without `file_name`
    failures: tuple[Failure, ...] = ()  # lines that could not be used


class MetadataTables:
    """The tables of one run: the one in each indexed folder, or the one `named` for all of them.

    Raises:
        MetadataError: A table cannot be used.
    """

    def __init__(self, roots: Iterable[str], named: str | Path | None = None) -> None:
        files = metadata_files(roots, named)
        tables = {path: read_metadata(path) for path in set(files.values())}
        # Pairs of a folder, with its final separator, and its table.
        self.tables = [(os.path.join(folder, ""), tables[path]) for folder, path in files.items()]

    def __bool__(self) -> bool:
        return bool(self.tables)

    def find(self, path: str) -> tuple[bool, Mapping[str, Any] | None]:
        """Whether a table covers `path`, and its line for it, if any.

        A table with lines that could not be used does not cover the pictures that it lacks: what
        is stored for them stays.
        """
        covering = [table for folder, table in self.tables if path.startswith(folder)]
        line = next((table.fields[path] for table in covering if path in table.fields), None)
        is_whole = not any(table.failures for table in covering)
        return bool(covering) and (line is not None or is_whole), line

    def failures(self) -> list[Failure]:
        """Lines that could not be used, and how many name no file."""
        failures: list[Failure] = []
        for table in {table.path: table for _, table in self.tables}.values():
            failures.extend(table.failures)
            if missing := sum(not os.path.exists(path) for path in table.fields):
                reason = f"{missing} of its lines name files that do not exist"
                failures.append(Failure(table.path, reason))
        return failures


def metadata_files(roots: Iterable[str], named: str | Path | None = None) -> dict[str, Path]:
    """Each indexed folder -> the metadata file in it, or the one `named` for all of them."""
    folders = [root if os.path.isdir(root) else os.path.dirname(root) for root in roots]
    if named is not None:
        return dict.fromkeys(folders, Path(os.path.abspath(os.path.expanduser(named))))
    return {folder: path for folder in folders if (path := find_metadata(folder))}


def find_metadata(folder: str | Path) -> Path | None:
    """The metadata file in a folder, if there is one.

    Raises:
        MetadataError: There are several.
    """
    found = [Path(folder, name) for name in _NAMES if Path(folder, name).is_file()]
    if len(found) > 1:
        raise MetadataError(
            f"{folder} has {' and '.join(path.name for path in found)}; keep one of them, or "
            "name the one to use."
        )
    return found[0] if found else None


def read_metadata(path: str | Path) -> MetadataTable:
    """Read a metadata file by its suffix: .csv, .jsonl or .parquet.

    A CSV column becomes numbers or truth values if each of its cells reads as one; a number
    with leading zeros (`00123`) is text, and so is its column. Blank cells are left out. Of two
    lines for one picture the later wins.

    Raises:
        MetadataError: The file cannot be read, or has no column `file_name`.
    """
    path = os.path.abspath(path)
    reader = _READERS.get(os.path.splitext(path)[1].lower())
    if reader is None:
        raise MetadataError(f"{path} is not a metadata file; it must be .csv, .jsonl or .parquet.")
    failures: list[Failure] = []
    fields: dict[str, Mapping[str, Any]] = {}
    try:
        for number, line in reader(path):
            reason = ""
            if isinstance(line, str):
                reason = line
            elif not isinstance(name := line.get(_COLUMN), str) or not name.strip():
                reason = f"it has no {_COLUMN}"
            else:
                target = os.path.normpath(os.path.join(os.path.dirname(path), name.strip()))
                if target in fields:
                    reason = f"an earlier line is for {name}, too; this later one is used"
                fields[target] = {key: value for key, value in line.items() if key != _COLUMN}
            if reason:
                failures.append(Failure(f"{path}:{number}", reason))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MetadataError(f"The metadata file {path} cannot be read: {reason}.") from error
    return MetadataTable(path, fields, tuple(failures))


def _read_csv(path: str) -> Iterator[_Line]:
    # With the csv module: pyarrow.csv gives no line numbers, and reads 00123 as a number.
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        try:
            header = [name.strip() for name in next(rows, [])]
        except csv.Error as error:
            raise MetadataError(f"The first line of {path} is not CSV: {error}.") from error
        _require_column(path, header)
        lines: list[tuple[int, dict[str, str]]] = []
        while True:
            try:
                cells = next(rows, None)
            except csv.Error as error:
                yield rows.line_num, f"it is not CSV ({error})"
                continue
            if cells is None:
                break
            if any(cells) and len(cells) != len(header):
                yield rows.line_num, f"it has {len(cells)} cells, and the header {len(header)}"
            elif any(cells):
                named = zip(header, cells, strict=True)
                lines.append((rows.line_num, {key: cell for key, cell in named if cell.strip()}))
    types = {name: _type_of(line[name] for _, line in lines if name in line) for name in header}
    types[_COLUMN] = str
    for number, line in lines:
        yield number, {name: types[name](cell) for name, cell in line.items() if name}


def _type_of(cells: Iterable[str]) -> Callable[[str], Any]:
    """The narrowest type that reads every cell of a column."""
    texts = {cell.strip() for cell in cells}
    if all(text.lower() in ("true", "false") for text in texts):
        return lambda cell: cell.strip().lower() == "true"
    if all(map(_INTEGER.fullmatch, texts)):
        return int
    if all(_NUMBER.fullmatch(text) and not math.isinf(float(text)) for text in texts):
        return float
    return str


def _read_jsonl(path: str) -> Iterator[_Line]:
    lines: list[_Line] = []
    with open(path, encoding="utf-8-sig") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                line = json.loads(text)
            except (ValueError, RecursionError) as error:
                line = f"it is not JSON ({error})"
            else:
                line = line if isinstance(line, dict) else "it is not a JSON object"
            lines.append((number, line))
    usable = [line for _, line in lines if isinstance(line, dict)]
    if lines and not usable:
        number, reason = lines[0]
        raise MetadataError(
            f"The metadata file {path} cannot be used because of line {number}: {reason}; write "
            "one JSON object to a line."
        )
    _require_column(path, dict.fromkeys(chain.from_iterable(usable)))
    yield from lines


def _read_parquet(path: str) -> Iterator[_Line]:
    import pyarrow.parquet  # takes a while, and few need it

    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _require_column(path, file.schema_arrow.names)
            lines = (line for batch in file.iter_batches() for line in batch.to_pylist())
            yield from enumerate(lines, 1)
    except pyarrow.ArrowException as error:
        raise MetadataError(f"The metadata file {path} is not Parquet: {error}.") from error


_READERS = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}


def _require_column(path: str, columns: Iterable[str]) -> None:
    names = list(columns)
    if _COLUMN not in names:
        raise MetadataError(
            f"The metadata file {path} must have a column {_COLUMN!r}; "
            f"it has: {', '.join(names) or 'none'}."
        )
