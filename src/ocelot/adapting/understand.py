"""What is known of a catalogue's pictures: titles, values, kinds, designs, the held-out part."""

from __future__ import annotations

import os
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from ocelot.adapting.columns import HELD_OUT, LARGEST_DESIGN, Columns, Table, find_columns, plain
from ocelot.adapting.language import Language, detect, read_language, words_in
from ocelot.errors import InputError, MetadataError
from ocelot.indexing.metadata import read_tables
from ocelot.indexing.scan import File, scan
from ocelot.words import count

__all__ = ["Catalogue", "Change", "Row", "catalogue_of", "pictures_of", "understand"]

_MEASURED, _WATCHED = 0.2, 0.1  # shares of the designs


@dataclass(frozen=True)
class Row:
    """A picture and what is known of it, in lower case.

    Attributes:
        name: Its path within the folder.
        values: One for each attribute; "" is unknown.
        design: Equal for the pictures of one design.
        product: Equal for photographs of one product.
        varies: Whether the design is there with several values of an attribute.
        part: "train", "watch" (chooses the best state) or "measure"; a design is in one only.
    """

    path: Path
    name: str
    title: str
    kind: str
    values: tuple[str, ...]
    design: str = ""
    product: str = ""
    varies: bool = False
    part: str = "train"


@dataclass(frozen=True)
class Change:
    """What a picture has that a near neighbour has not; names as of rows.

    Attributes:
        others: Further neighbours of the reference, which look right and are wrong.
    """

    reference: str
    target: str
    text: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Catalogue:
    """The pictures of which something is known, and what was understood of it.

    Attributes:
        described: Whether a vision model wrote it, in place of metadata.
    """

    rows: tuple[Row, ...]
    columns: Columns
    language: Language
    source: str
    unused: tuple[str, ...]
    described: bool = False
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()

    def part(self, name: str) -> list[Row]:
        """The rows of a part."""
        return [row for row in self.rows if row.part == name]

    def lines(self) -> list[str]:
        """What was understood, for people."""
        columns = self.columns
        designs = Counter(row.design for row in self.rows if row.varies)
        parts = Counter(row.part for row in self.rows)
        by = columns.group or "title without the attribute's words"
        how = f"as {columns.split} says" if columns.split else "by design"
        lines = [
            f"{count(len(self.rows))} {self.source} ({self.language.name})",
            f"title: {columns.title or 'none'}{_some(row.title for row in self.rows[:1])}",
            f"kind: {columns.kind or 'none'}{_some(row.kind for row in self.rows)}",
            *(
                f"attribute: {name}{_some(row.values[number] for row in self.rows)}"
                for number, name in enumerate(columns.attributes or ())
            ),
            f"split {how}: {parts['train']:,} to train, {parts['watch']:,} to watch, "
            f"{parts['measure']:,} to measure",
        ]
        if columns.attributes:
            told = f"({count(designs.total())}), told by {by}"
            lines.append(f"designs: {len(designs):,} with several values of an attribute {told}")
        if self.changes:
            texts = _some(change.text for change in self.changes)
            lines.append(f"changes between near neighbours: {len(self.changes):,}{texts}")
        lines += [f"not used: {', '.join(self.unused)}"] if self.unused else []
        return [*lines, *self.notes]


def _some(values: Iterable[str]) -> str:
    """How many values there are, and the most frequent ones."""
    counts = Counter(filter(None, values))
    if not counts:
        return ""
    first = ", ".join(value for value, _ in counts.most_common(5))
    return f", such as {first!r}" if len(counts) == 1 else f", {len(counts):,} values: {first} …"


def understand(
    folder: Path,
    metadata: Path | None = None,
    given: Columns | None = None,
    language: str | None = None,
) -> Catalogue:
    """Read the pictures of a folder and their metadata, and find what each column is for.

    Args:
        metadata: The file; by default the folder's own.
        given: Columns that the caller names.
        language: A code or a file; by default it is found by the words.

    Raises:
        InputError: There is no such folder or language.
        MetadataError: There is no metadata, or it has no such column.
    """
    folder = Path(os.path.abspath(folder))
    pictures = pictures_of(folder)
    tables = read_tables([str(folder)], pictures, metadata)
    lines = {path: tables.lines[path] for path in pictures if path in tables.lines}
    if not lines:
        raise MetadataError(
            f"No picture of {folder} has metadata: put a metadata.csv with file_name and title "
            "into the folder, name the file (--metadata), or let a vision model describe the "
            "pictures (--describe)."
        )
    source = f"with metadata in {', '.join(map(os.path.basename, tables.used))}"
    spoken = read_language(language) if language else None
    catalogue = catalogue_of(folder, lines, source, given or Columns(), spoken)
    notes = []
    if bare := len(pictures) - len(lines):
        notes.append(f"without metadata: {count(bare)}")
    if tables.remarks:
        first = tables.remarks[0]
        remarks = count(len(tables.remarks), "remark")
        notes.append(f"{remarks} on metadata, such as {first.path}: {first.reason}")
    return replace(catalogue, notes=tuple(notes))


def pictures_of(folder: Path) -> list[str]:
    """The paths of the pictures of a folder, sorted; `InputError` if there is no such folder."""
    if folder.is_file():
        raise InputError(f"{folder} is a file: give the folder of the pictures.")
    return [found.path for found in scan(folder) if isinstance(found, File)]


def catalogue_of(
    folder: Path,
    lines: Mapping[str, Mapping[str, Any]],
    source: str,
    given: Columns,
    spoken: Language | None,
) -> Catalogue:
    """Find what each column is for.

    Args:
        lines: Columns by the path of a picture.
        source: Where they come from, for people.
        spoken: Their language; None to find it by the words.
    """
    table = Table([*lines.values()])
    if spoken is None:
        texts = zip(*(table.columns[name] for name in table.texts), strict=True)
        spoken = detect(chain.from_iterable(texts), map(plain, table.columns))
    columns = find_columns(table, spoken, given)
    rows = _read_rows(folder, [*lines], table, columns, spoken)
    rows = _with_designs(rows, columns, table, spoken)
    return Catalogue(
        tuple(_with_parts(rows, columns, table)),
        columns,
        spoken,
        source,
        tuple(name for name in table.columns if name not in columns.used),
    )


def _read_rows(
    folder: Path, paths: Sequence[str], table: Table, columns: Columns, language: Language
) -> list[Row]:
    silent = {*language.unknown, *read_language("en").unknown}

    def cell(name: str | None, number: int) -> str:
        value = table.columns[name][number].lower() if name else ""
        return "" if value in silent else value

    return [
        Row(
            Path(path),
            os.path.relpath(path, folder),
            cell(columns.title, number),
            cell(columns.kind, number),
            tuple(cell(name, number) for name in columns.attributes or ()),
        )
        for number, path in enumerate(paths)
    ]


def _with_designs(
    rows: Sequence[Row], columns: Columns, table: Table, language: Language
) -> list[Row]:
    """Tell designs by their column, or by title and kind without the words of the values."""
    forms: dict[str, frozenset[str]] = {}
    for meaning in columns.meanings:
        if meaning in language.attributes:
            forms |= language.attributes[meaning].forms
    designs = defaultdict(list)
    for number, row in enumerate(rows):
        own = {word for value in row.values for word in words_in(value)}
        own |= {form for word in own for form in forms.get(word, ())}
        left = [word for word in words_in(row.title) if word not in own]
        design = f"title {row.kind} {' '.join(left)}" if len(left) > 1 else f"picture {row.name}"
        if columns.group and (group := table.columns[columns.group][number]):
            design = f"group {group}"
        designs[design].append(row)
    found = {}
    for design, members in designs.items():
        grouped = design.startswith("group ")
        # Without a column, equal titles of many pictures are a name that products share.
        known = grouped or (not columns.group and len(members) <= LARGEST_DESIGN)
        values = zip(*(row.values for row in members), strict=True)
        varies = known and any(len({*its} - {""}) > 1 for its in values)
        for row in members:
            product = f"{design} {'' if grouped else row.title} {row.values}"
            product = product if known else f"picture {row.name}"
            found[row.name] = replace(row, design=design, product=product, varies=varies)
    return [found[row.name] for row in rows]


def _with_parts(rows: Sequence[Row], columns: Columns, table: Table) -> Iterable[Row]:
    """Put whole designs, with all that share a title, into one part."""
    leaders: dict[str, str] = {}

    def leader(key: str) -> str:
        while leaders.setdefault(key, key) != key:
            key = leaders[key]
        return key

    for row in rows:
        leaders[leader(row.design)] = leader(f"titled {row.title}" if row.title else row.design)
    for number, row in enumerate(rows):
        place = zlib.crc32(leader(row.design).encode()) % 10_000 / 10_000
        part = "watch" if place < _WATCHED else "train"
        if columns.split:
            said = table.columns[columns.split][number].lower()
            part = "measure" if said in HELD_OUT else part
        elif place >= 1 - _MEASURED:
            part = "measure"
        yield replace(row, part=part)
