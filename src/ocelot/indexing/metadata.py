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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ocelot.errors import MetadataError
from ocelot.types import Remark

__all__ = ["MetadataTable", "MetadataTables", "find_metadata", "metadata_files", "read_metadata"]

_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_COLUMN = "file_name"
_SHOWN = 3  # examples in one remark
_Line = tuple[int, Mapping[str, Any] | str]  # its number, and its cells or a remark on it


@dataclass(frozen=True)
class MetadataTable:
    """The fields of each picture."""

    path: str  # of the file that was read
    fields: Mapping[str, Mapping[str, Any]]  # absolute path of a picture -> without `file_name`
    remarks: tuple[Remark, ...] = ()  # on lines and columns


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
    found = [Path(folder, name) for name in _NAMES if Path(folder, name).is_file()]
    if len(found) > 1:
        raise MetadataError(
            f"{folder} has {' and '.join(path.name for path in found)}; keep one of them, or "
            "name the one to use."
        )
    return found[0] if found else None


def read_metadata(path: str | Path) -> MetadataTable:
    """Read a metadata file by its suffix: .csv, .jsonl or .parquet.

    A CSV column becomes truth values if each of its cells reads as one, and numbers if at least
    nine in ten do (see `_type_of`). Blank cells are left out. Of two lines for one picture the
    later wins.

    Raises:
        MetadataError: The file cannot be read, or has no column `file_name`.
    """
    path = os.path.abspath(path)
    reader = _READERS.get(os.path.splitext(path)[1].lower())
    if reader is None:
        raise MetadataError(f"{path} is not a metadata file; it must be .csv, .jsonl or .parquet.")
    remarks: list[Remark] = []
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
                remarks.append(Remark(f"{path}:{number}", reason))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MetadataError(f"The metadata file {path} cannot be read: {reason}.") from error
    return MetadataTable(path, fields, tuple(remarks))


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
        yield Remark(table.path, f"{len(missing)} {lines} not exist ({_some(missing)})")


def _no_match(table: MetadataTable, folders: Sequence[str]) -> MetadataError:
    names = _names(table)
    said = f"{len(names)} lines: {_some(names)}" if names else "no usable line"
    places = dict.fromkeys([os.path.dirname(table.path), *folders])
    return MetadataError(
        f"The metadata file {table.path} names none of the pictures ({said}); nothing was "
        f"changed. Write each {_COLUMN} relative to {' or '.join(places)}."
    )


def _names(table: MetadataTable, without: Collection[str] = ()) -> list[str]:
    """The names in a table, relative to its folder."""
    place = os.path.dirname(table.path)
    return [os.path.relpath(path, place) for path in table.fields if path not in without]


def _some(texts: Sequence[str]) -> str:
    """The first few of many."""
    return ", ".join(texts[:_SHOWN]) + (", …" if len(texts) > _SHOWN else "")


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
    types: dict[str, Callable[[str], Any]] = {}
    for name in header:
        column = [(number, line[name].strip()) for number, line in lines if name in line]
        types[name], remark = _type_of(column) if name != _COLUMN else (str, "")
        if remark:
            yield 1, f"the column {name}: {remark}"
    for number, line in lines:
        typed = {name: types[name](cell) for name, cell in line.items() if name}
        yield number, {name: value for name, value in typed.items() if value is not None}


_INTEGER = re.compile(r"[+-]?(0|[1-9][0-9]{0,299})")
_NUMBER = re.compile(r"(?i)[+-]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?")
_CODE = re.compile(r"0[0-9]+")  # 00123 is a name, not a number
_NO_VALUE = frozenset(["n/a", "#n/a", "na", "nan", "null", "none", "-", "–", "?"])
_CURRENCY = r"([$€£¥₹]|USD|EUR|GBP|JPY|CNY|INR|CHF)"
_AMOUNT = re.compile(  # a number as people write it: its separators may mean two things
    rf"(?i){_CURRENCY}?\s?[+-]?[0-9]+([,.' ][0-9]{{3}})*([,.][0-9]+)?\s?{_CURRENCY}?"
)
_SHARE = 0.9  # of its cells that a column of numbers has as numbers


def _type_of(cells: Sequence[tuple[int, str]]) -> tuple[Callable[[str], Any], str]:
    """How the cells of a column are read, and a remark where that is not what some may expect.

    A column is truth values if all of its cells are, and numbers if nine in ten are; marks such
    as `n/a` do not count, and cells that are no numbers then become None. Numbers with leading
    zeros (`00123`) make it text. `1,200`, `$5` and `9,99 €` are no numbers: what a comma means
    differs by country, and a wrong guess would be silent.

    Args:
        cells: Line numbers and texts; none is blank.
    """
    if all(text.lower() in ("true", "false") for _, text in cells):
        return lambda cell: cell.strip().lower() == "true", ""
    others = [(line, text) for line, text in cells if not _is_number(text)]
    count = len(cells) - len(others)
    odd = [(line, text) for line, text in others if text.lower() not in _NO_VALUE]
    if not count and not odd:
        return str, ""
    kind = int if all(_INTEGER.fullmatch(text) for _, text in cells if _is_number(text)) else float
    if not others:
        return kind, ""
    if any(_CODE.fullmatch(text) for _, text in odd):
        return str, ""
    some = _some([f"{text[:30]!r} in line {line}" for line, text in odd or others])
    if count >= _SHARE * (count + len(odd)):
        how = "is no number and is" if len(others) == 1 else "are no numbers and are"
        left_out = f"{len(others)} of its {len(cells)} cells {how} left out"
        return lambda cell: kind(cell) if _is_number(cell.strip()) else None, f"{left_out} ({some})"
    if 2 * sum(bool(_AMOUNT.fullmatch(text)) for _, text in cells) > count + len(odd):
        return (
            str,
            f"{len(odd)} of its {len(cells)} cells are no plain numbers, so all stay text ({some})",
        )
    return str, ""


def _is_number(text: str) -> bool:
    return bool(_NUMBER.fullmatch(text)) and not math.isinf(float(text))


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
