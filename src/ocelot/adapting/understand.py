"""What a catalogue's metadata says: title, attributes, kinds, designs, and the held-out part."""

from __future__ import annotations

import os
import random
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ocelot.adapting.language import Language, detect, read_language, words_in
from ocelot.errors import MetadataError
from ocelot.indexing.metadata import MetadataTables
from ocelot.indexing.scan import File, scan
from ocelot.words import count

__all__ = ["Catalogue", "Columns", "Row", "understand"]

_MOST_ATTRIBUTES = 4
_LONGEST_VALUE = 3.0  # words, on average, of a column that names kinds or attributes
_LARGEST_DESIGN = 12  # pictures that share a title; more share a name that is no design
_MEASURED, _WATCHED = 0.2, 0.1  # shares of the designs
_HELD_OUT = ("held-out", "heldout", "test", "val", "valid", "validation", "eval")


@dataclass(frozen=True)
class Columns:
    """The columns of the metadata by what they are for; given ones are taken as they are."""

    title: str | None = None
    attributes: tuple[str, ...] | None = None
    kind: str | None = None
    group: str | None = None
    split: str | None = None


@dataclass(frozen=True)
class Row:
    """A picture and what is known of it, in lower case.

    Attributes:
        name: Its path within the folder.
        values: One for each attribute; "" is unknown.
        design: Equal for the pictures of one design.
        varies: Whether the design is there with several values of an attribute.
        product: Equal for photographs of one product.
        part: "train", "watch" (chooses the best state) or "measure"; a design is in one only.
    """

    path: Path
    name: str
    title: str
    kind: str
    values: tuple[str, ...]
    design: str = ""
    varies: bool = False
    product: str = ""
    part: str = "train"


@dataclass(frozen=True)
class Catalogue:
    """The pictures that have metadata, and what was understood of it."""

    rows: tuple[Row, ...]
    columns: Columns
    attributes: tuple[str, ...]  # what each is, such as "colour", or the column's own name
    language: Language
    source: str
    unused: tuple[str, ...]

    def part(self, name: str) -> list[Row]:
        """The rows of a part."""
        return [row for row in self.rows if row.part == name]

    def lines(self) -> list[str]:
        """What was understood, for people."""
        columns = self.columns
        found = [f"{count(len(self.rows))} with metadata in {self.source} ({self.language.name})"]
        examples = [row.title for row in self.rows if row.title]
        found.append(f"title: {columns.title or 'none'}{_such_as(examples[:1])}")
        for number, column in enumerate(columns.attributes or ()):
            values = Counter(row.values[number] for row in self.rows if row.values[number])
            found.append(f"attribute: {column}, {count(len(values), 'value')}{_most(values)}")
        kinds = Counter(row.kind for row in self.rows if row.kind)
        found.append(f"kind: {columns.kind or 'none'}{_most(kinds)}")
        designs = Counter(row.design for row in self.rows if row.varies)
        by = columns.group or "title without the attribute's words"
        found.append(
            f"designs: {len(designs):,} with several values "
            f"({count(sum(designs.values()))}), told by {by}"
        )
        parts = Counter(row.part for row in self.rows)
        how = f"as {columns.split} says" if columns.split else "by design"
        found.append(
            f"split {how}: {parts['train']:,} to train, {parts['watch']:,} to watch, "
            f"{parts['measure']:,} to measure"
        )
        if self.unused:
            found.append(f"not used: {', '.join(self.unused)}")
        return found


def _such_as(examples: Sequence[str]) -> str:
    return f", such as {', '.join(map(repr, examples))}" if examples else ""


def _most(values: Counter[str]) -> str:
    return _such_as([value for value, _ in values.most_common(3)])


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
    pictures = [found.path for found in scan(folder) if isinstance(found, File)]
    tables = MetadataTables([os.path.abspath(folder)], pictures, metadata)
    paths = [path for path in pictures if path in tables.lines]
    if not paths:
        raise MetadataError(
            f"No picture of {folder} has metadata: put a metadata.csv with file_name and title "
            "into the folder, or name the file (--metadata)."
        )
    table = _Table([tables.lines[path] for path in paths])
    spoken = _language(table, language)
    columns, attributes = _roles(table, spoken, given or Columns())
    rows = _rows(folder, paths, table, columns, spoken)
    rows = _with_designs(rows, columns, attributes, table, spoken)
    used = {columns.title, columns.kind, columns.group, columns.split, *(columns.attributes or ())}
    return Catalogue(
        tuple(_with_parts(rows, columns, table)),
        columns,
        attributes,
        spoken,
        ", ".join(map(os.path.basename, tables.used)),
        tuple(name for name in table.columns if name not in used),
    )


class _Table:
    """Columns of texts; a number or a list of texts is a text here, too."""

    def __init__(self, lines: Sequence[Mapping[str, Any]]) -> None:
        names = dict.fromkeys(name for line in lines for name in line)
        self.columns = {name: [_text(line.get(name)) for line in lines] for name in names}
        self.numeric = {
            name
            for name in names
            if any(type(line.get(name)) in (int, float, bool) for line in lines)
        }

    def filled(self, name: str) -> list[str]:
        return [cell for cell in self.columns[name] if cell]

    def length(self, name: str) -> float:
        """Words of a cell, on average."""
        cells = self.filled(name)
        return sum(len(cell.split()) for cell in cells) / max(1, len(cells))

    def repeats(self, name: str) -> bool:
        """Whether it has several short values that come again and again."""
        cells = self.filled(name)
        return (
            name not in self.numeric
            and 2 <= len(set(cells)) <= len(cells) / 2
            and self.length(name) <= _LONGEST_VALUE
        )

    def groups(self, name: str, least: int = 2) -> list[list[int]]:
        """Numbers of the rows that share a value."""
        found = defaultdict(list)
        for number, cell in enumerate(self.columns[name]):
            if cell:
                found[cell].append(number)
        return [members for members in found.values() if len(members) >= least]


def _text(cell: Any) -> str:
    if isinstance(cell, (list, tuple)):
        return " ".join(map(_text, cell))
    return "" if cell is None or isinstance(cell, dict) else " ".join(str(cell).split())


def _language(table: _Table, named: str | None) -> Language:
    if named:
        return read_language(named)
    texts = [cell for name in table.columns if name not in table.numeric
             for cell in table.columns[name][:500] if cell]  # fmt: skip
    return detect(random.Random(0).sample(texts, len(texts)), map(_plain, table.columns))


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _roles(table: _Table, language: Language, given: Columns) -> tuple[Columns, tuple[str, ...]]:
    """What each column is for, and what each attribute is."""
    wanted = [given.title, given.kind, given.group, given.split, *(given.attributes or ())]
    for name in filter(None, wanted):
        if name not in table.columns:
            known = ", ".join(table.columns)
            raise MetadataError(f"The metadata has no column {name!r}: it has {known}.")
    taken = set(filter(None, wanted))
    english = read_language("en")

    def named(role: str) -> list[str]:
        names = [*language.columns.get(role, ()), *english.columns[role]]
        plain = {_plain(name): name for name in table.columns if name not in taken}
        return [plain[name] for name in dict.fromkeys(names) if name in plain]

    def take(name: str | None) -> str | None:
        taken.add(name or "")
        return name

    split = given.split or take(next((n for n in table.columns if _is_split(table, n)), None))
    titles = [n for n in named("title") if n not in table.numeric and len(set(table.filled(n))) > 1]
    titles += sorted(
        (n for n in table.columns if n not in taken and table.length(n) > 2.5),
        key=lambda n: -len(set(table.filled(n))),
    )
    title = given.title or take(next(iter(titles), None))
    group = given.group or take(next((n for n in named("group") if _is_group(table, n)), None))
    free = [n for n in table.columns if n not in taken and table.repeats(n)]
    kind = given.kind or take(next((n for n in named("kind") if n in free), None))
    attributes = given.attributes
    if attributes is None:
        candidates = [n for n in free if n not in taken]
        attributes = tuple(
            n for n in candidates
            if _known(table, n, language) or (group and _varies(table, n, group))
        )[:_MOST_ATTRIBUTES]  # fmt: skip
    taken.update(attributes)
    if kind is None:
        rest = [n for n in free if n not in taken and len(set(table.filled(n))) > 3]
        kind = max(rest, key=lambda n: len(set(table.filled(n))), default=None)
    known = tuple(_known(table, name, language) or name for name in attributes)
    return Columns(title, attributes, kind, group, split), known


def _is_split(table: _Table, name: str) -> bool:
    values = {cell.lower() for cell in table.filled(name)}
    return _plain(name) in ("split", "part", "subset") and bool(values & {*_HELD_OUT})


def _is_group(table: _Table, name: str) -> bool:
    """Whether it puts a few pictures together, and does so often."""
    groups, cells = table.groups(name), table.filled(name)
    small = [members for members in groups if len(members) <= 4 * _LARGEST_DESIGN]
    return len(small) >= max(5, 0.8 * len(groups)) and len(set(cells)) >= len(cells) / 20


def _known(table: _Table, name: str, language: Language) -> str | None:
    """The attribute that a column holds, told by its name or by half of its cells."""
    cells = [set(words_in(cell)) | {cell.lower()} for cell in table.filled(name)]
    for spoken in (language, read_language("en")):
        for key, attribute in spoken.attributes.items():
            if any(part in _plain(name) for part in attribute.columns):
                return key
        for key, attribute in spoken.attributes.items():
            known = attribute.forms.keys()
            if sum(bool(cell & known) for cell in cells) > len(cells) / 2:
                return key
    return None


def _varies(table: _Table, name: str, group: str) -> bool:
    """Whether most groups of several pictures have several values of it."""
    cells = table.columns[name]
    values = [{cells[number] for number in members} for members in table.groups(group)]
    return sum(len(found - {""}) > 1 for found in values) > len(values) / 2


def _rows(
    folder: Path, paths: Sequence[str], table: _Table, columns: Columns, language: Language
) -> list[Row]:
    silent = {*language.unknown, *read_language("en").unknown}

    def cell(name: str | None, number: int) -> str:
        value = table.columns[name][number].lower() if name else ""
        return "" if value in silent else value

    return [
        Row(
            Path(path),
            os.path.relpath(path, os.path.abspath(folder)),
            cell(columns.title, number),
            cell(columns.kind, number),
            tuple(cell(name, number) for name in columns.attributes or ()),
        )
        for number, path in enumerate(paths)
    ]


def _with_designs(
    rows: Sequence[Row],
    columns: Columns,
    attributes: Sequence[str],
    table: _Table,
    language: Language,
) -> list[Row]:
    forms: dict[str, frozenset[str]] = {}
    for key in attributes:
        if key in language.attributes:
            forms |= language.attributes[key].forms
    found = []
    for number, row in enumerate(rows):
        group = table.columns[columns.group][number] if columns.group else ""
        own = {form for value in row.values for word in words_in(value)
               for form in forms.get(word, {word})}  # fmt: skip
        left = [word for word in words_in(row.title) if word not in own]
        design = f"group {group}" if group else f"title {row.kind} {' '.join(left)}"
        if not group and len(left) < 2:
            design = f"picture {row.name}"
        found.append(replace(row, design=design))
    designs = defaultdict(list)
    for row in found:
        designs[row.design].append(row)
    result = []
    for row in found:
        members = designs[row.design]
        grouped = row.design.startswith("group ")
        several = any(len({one.values[n] for one in members} - {""}) > 1
                      for n in range(len(attributes)))  # fmt: skip
        is_design = grouped or (not columns.group and len(members) <= _LARGEST_DESIGN)
        # Equal titles are often a name that many products share.
        same = row.design if grouped else f"{row.design} {row.title}"
        product = f"{same} {row.values}" if is_design else f"picture {row.name}"
        result.append(replace(row, varies=several and is_design, product=product))
    return result


def _with_parts(rows: Sequence[Row], columns: Columns, table: _Table) -> Iterable[Row]:
    """Put whole designs, with all that share a title, into one part."""
    leader: dict[str, str] = {}

    def lead(key: str) -> str:
        while leader.setdefault(key, key) != key:
            key = leader[key]
        return key

    for row in rows:
        leader[lead(row.design)] = lead(f"titled {row.title}" if row.title else row.design)
    for number, row in enumerate(rows):
        place = zlib.crc32(lead(row.design).encode()) % 10_000 / 10_000
        if columns.split:
            said = table.columns[columns.split][number].lower() in _HELD_OUT
            part = "measure" if said else "watch" if place < _WATCHED else "train"
        else:
            part = "measure" if place < _MEASURED else "train"
            part = "watch" if _MEASURED <= place < _MEASURED + _WATCHED else part
        yield replace(row, part=part)
