"""Reading one metadata file: .csv, .jsonl or .parquet, with a column `file_name`."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from ocelot.errors import MetadataError
from ocelot.types import Remark

__all__ = ["COLUMN", "MetadataTable", "read_metadata", "some_of"]

COLUMN = "file_name"
_SHOWN = 3  # examples in one remark
_Line = tuple[int, Mapping[str, Any] | str]  # its number, and its cells or a remark on it


@dataclass(frozen=True)
class MetadataTable:
    """The fields of each picture."""

    path: str  # of the file that was read
    fields: Mapping[str, Mapping[str, Any]]  # absolute path of a picture -> without `file_name`
    remarks: tuple[Remark, ...] = ()  # on lines and columns


def read_metadata(path: str | os.PathLike[str]) -> MetadataTable:
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
            elif not isinstance(name := line.get(COLUMN), str) or not name.strip():
                reason = f"it has no {COLUMN}"
            else:
                target = os.path.normpath(os.path.join(os.path.dirname(path), name.strip()))
                if target in fields:
                    reason = f"an earlier line is for {name}, too; this later one is used"
                fields[target] = {key: value for key, value in line.items() if key != COLUMN}
            if reason:
                remarks.append(Remark(f"{path}:{number}", reason))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MetadataError(f"The metadata file {path} cannot be read: {reason}.") from error
    return MetadataTable(path, fields, tuple(remarks))


def some_of(texts: Sequence[str]) -> str:
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
        types[name], remark = _type_of(column) if name != COLUMN else (str, "")
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
    """How a column is read, and a remark where that is not what some may expect.

    It is truth values if all of its cells are, and numbers if nine in ten are; marks such as `n/a`
    do not count, and cells that are no numbers then become None. Numbers with leading zeros
    (`00123`) make it text. `1,200`, `$5` and `9,99 €` are no numbers: what a comma means differs by
    country, and a wrong guess would be silent.

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
    some = some_of([f"{text[:30]!r} in line {line}" for line, text in odd or others])
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
    if COLUMN not in names:
        raise MetadataError(
            f"The metadata file {path} must have a column {COLUMN!r}; "
            f"it has: {', '.join(names) or 'none'}."
        )
