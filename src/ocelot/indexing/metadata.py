"""What is known of the pictures besides their pixels: a table beside them.

The convention is that of Hugging Face's ImageFolder: `metadata.csv`, `metadata.jsonl` or
`metadata.parquet` in the folder, with a column `file_name` relative to that folder.
"""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ocelot.errors import ConfigurationError, MetadataError
from ocelot.types import Failure

__all__ = ["NAMES", "MetadataTable", "MetadataTables", "find_metadata", "read_metadata"]

NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_COLUMN = "file_name"
_Line = tuple[int, Mapping[str, Any]]


@dataclass(frozen=True)
class MetadataTable:
    """The fields of each picture.

    Attributes:
        path: Of the file that was read.
        fields: Absolute path of a picture -> its fields, without `file_name`.
        failures: Lines that could not be used, and why.
    """

    path: str
    fields: Mapping[str, Mapping[str, Any]]
    failures: tuple[Failure, ...] = field(default=())

    def missing(self) -> int:
        """How many lines name a file that does not exist."""
        return sum(not os.path.exists(path) for path in self.fields)


@dataclass(frozen=True)
class MetadataTables:
    """The tables of one run: pairs of a folder, with its final separator, and its table."""

    tables: tuple[tuple[str, MetadataTable], ...]

    @classmethod
    def beside(cls, roots: Iterable[str], named: str | Path | None = None) -> MetadataTables:
        """The table in each indexed folder, or the one `named` for all of them.

        Raises:
            MetadataError: A table cannot be used.
            ConfigurationError: Parquet needs pyarrow, which is not installed.
        """
        folders = dict.fromkeys(
            root if os.path.isdir(root) else os.path.dirname(root) for root in roots
        )
        if named is not None:
            table = read_metadata(os.path.expanduser(named))
            return cls(tuple((os.path.join(folder, ""), table) for folder in folders))
        found = ((folder, find_metadata(folder)) for folder in folders)
        return cls(
            tuple((os.path.join(folder, ""), read_metadata(path)) for folder, path in found if path)
        )

    def __bool__(self) -> bool:
        return bool(self.tables)

    def find(self, path: str) -> tuple[bool, Mapping[str, Any] | None]:
        """Whether a table covers `path`, and its line there if it has one.

        A table with lines that could not be used does not speak for the pictures it lacks: what
        is stored of them stays.
        """
        covered = [table for folder, table in self.tables if path.startswith(folder)]
        line = next((table.fields[path] for table in covered if path in table.fields), None)
        whole = not any(table.failures for table in covered)
        return bool(covered) and (line is not None or whole), line

    def failures(self) -> list[Failure]:
        """Lines that could not be used, and how many name no file."""
        failures: list[Failure] = []
        for table in {table.path: table for _, table in self.tables}.values():
            failures.extend(table.failures)
            if missing := table.missing():
                reason = f"{missing} of its lines name files that do not exist"
                failures.append(Failure(table.path, reason))
        return failures


def find_metadata(folder: str | Path) -> Path | None:
    """The metadata file in a folder, if there is one.

    Raises:
        MetadataError: There are several.
    """
    found = [Path(folder, name) for name in NAMES if Path(folder, name).is_file()]
    if len(found) > 1:
        raise MetadataError(
            f"{folder} has {' and '.join(path.name for path in found)}; keep one of them, or "
            "name the one to use."
        )
    return found[0] if found else None


def read_metadata(path: str | Path) -> MetadataTable:
    """Read a metadata file by its suffix: .csv, .jsonl or .parquet.

    A CSV column becomes numbers or truth values where each of its cells reads as one; a number
    with leading zeros (`00123`) is text, and so is its column. Blank cells are left out. Of two
    lines for one picture the later wins.

    Raises:
        MetadataError: The file cannot be read, or has no column `file_name`.
        ConfigurationError: Parquet needs pyarrow, which is not installed.
    """
    path = os.path.abspath(path)
    reader = _READERS.get(os.path.splitext(path)[1].lower())
    if reader is None:
        raise MetadataError(f"{path} is not a metadata file; it must be .csv, .jsonl or .parquet.")
    failures: list[Failure] = []

    def fail(line: int, reason: str) -> None:
        failures.append(Failure(f"{path}:{line}", reason))

    try:
        lines = list(reader(path, fail))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MetadataError(f"The metadata file {path} cannot be read: {reason}.") from error
    fields: dict[str, Mapping[str, Any]] = {}
    for number, line in lines:
        name = line.get(_COLUMN)
        if not isinstance(name, str) or not name.strip():
            fail(number, f"it has no {_COLUMN}")
            continue
        target = os.path.normpath(os.path.join(os.path.dirname(path), name.strip()))
        if target in fields:
            fail(number, f"{name} has a line above already; this later one is used")
        fields[target] = {key: value for key, value in line.items() if key != _COLUMN}
    return MetadataTable(path, fields, tuple(failures))


_Fail = Callable[[int, str], None]


def _read_csv(path: str, fail: _Fail) -> Iterator[_Line]:
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
                fail(rows.line_num, f"it is not CSV ({error})")
                continue
            if cells is None:
                break
            if not any(cells):
                continue
            if len(cells) != len(header):
                fail(rows.line_num, f"it has {len(cells)} cells, and the header {len(header)}")
                continue
            named = zip(header, cells, strict=True)
            lines.append((rows.line_num, {key: cell for key, cell in named if key and cell}))
    types = {
        name: str
        if name == _COLUMN
        else _cell_type(line[name] for _, line in lines if name in line)
        for name in header
    }
    for number, line in lines:
        values = {name: types[name](cell) for name, cell in line.items() if cell.strip()}
        yield number, values


def _cell_type(cells: Iterable[str]) -> Callable[[str], Any]:
    """The narrowest type that reads every cell of a column."""
    texts = {cell.strip() for cell in cells} - {""}
    for parse in (_truth, _whole, _number):
        try:
            for text in texts:
                parse(text)
        except ValueError:
            continue
        return parse
    return str


def _truth(text: str) -> bool:
    folded = text.strip().lower()
    if folded not in ("true", "false"):
        raise ValueError(text)
    return folded == "true"


def _whole(text: str) -> int:
    value = int(text)
    if str(value) != text.strip().removeprefix("+"):  # 00123, 1_000
        raise ValueError(text)
    return value


def _number(text: str) -> float:
    digits = text.strip().lstrip("+-")
    if "_" in digits or (len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()):
        raise ValueError(text)
    value = float(text)
    if math.isinf(value):
        raise ValueError(text)
    return value


def _read_jsonl(path: str, fail: _Fail) -> Iterator[_Line]:
    columns: dict[str, None] = {}
    lines: list[_Line] = []
    first = ""
    with open(path, encoding="utf-8-sig") as file:
        for number, text in enumerate(file, 1):
            if not text.strip():
                continue
            try:
                line = json.loads(text)
            except (ValueError, RecursionError) as error:
                first = first or f"line {number} is not JSON ({error})"
                fail(number, f"it is not JSON ({error})")
                continue
            if not isinstance(line, dict):
                first = first or f"line {number} is not a JSON object"
                fail(number, "it is not a JSON object")
                continue
            columns.update(dict.fromkeys(line))
            lines.append((number, line))
    if first and not lines:
        raise MetadataError(
            f"The metadata file {path} cannot be used: {first}; write one JSON object to a line."
        )
    _require_column(path, columns)
    yield from lines


def _read_parquet(path: str, fail: _Fail) -> Iterator[_Line]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigurationError(
            f"Reading {path} needs one more package (pip install pyarrow); "
            "or save the table as metadata.csv."
        ) from None
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            _require_column(path, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches():
                for line in batch.to_pylist():
                    number += 1
                    yield number, line
    except pyarrow.ArrowException as error:
        raise MetadataError(f"The metadata file {path} is not Parquet: {error}.") from error


_READERS: dict[str, Callable[[str, _Fail], Iterator[_Line]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _require_column(path: str, columns: Iterable[str]) -> None:
    names = list(columns)
    if _COLUMN not in names:
        raise MetadataError(
            f"The metadata file {path} must have a column {_COLUMN!r}; "
            f"it has: {', '.join(names) or 'none'}."
        )
