"""What each column of a catalogue's metadata is for: title, kind, attributes, design, split."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ocelot.adapting.language import Language, read_language, words_in
from ocelot.errors import MetadataError

__all__ = ["HELD_OUT", "LARGEST_DESIGN", "Columns", "Table", "find_columns", "plain"]

HELD_OUT = ("held-out", "heldout", "test", "val", "valid", "validation", "eval")
LARGEST_DESIGN = 12  # pictures that share a title; more share a name that is no design
_MOST_ATTRIBUTES = 4
_LONGEST_VALUE = 3.0  # words, on average, of a column that names kinds or attributes


@dataclass(frozen=True)
class Columns:
    """Columns by what they are for; given ones are taken as they are.

    Attributes:
        attributes: Those that vary within a design.
        group: Equal for the pictures of one design or product.
        split: Says which pictures are held out.
        meanings: What each attribute is, such as "colour", or the column's own name.
    """

    title: str | None = None
    attributes: tuple[str, ...] | None = None
    kind: str | None = None
    group: str | None = None
    split: str | None = None
    meanings: tuple[str, ...] = ()

    @property
    def used(self) -> set[str]:
        """The columns that are for something."""
        single = (self.title, self.kind, self.group, self.split)
        return {name for name in (*single, *(self.attributes or ())) if name is not None}


class Table:
    """Columns of texts; a number or a list of texts is a text here, too."""

    def __init__(self, lines: Sequence[Mapping[str, Any]]) -> None:
        names = dict.fromkeys(name for line in lines for name in line)
        self.columns = {name: [_text(line.get(name)) for line in lines] for name in names}
        self.texts = [n for n in names if any(isinstance(line.get(n), str) for line in lines)]

    def filled(self, name: str) -> list[str]:
        """The cells that are not empty."""
        return [cell for cell in self.columns[name] if cell]

    def distinct(self, name: str) -> int:
        """How many different values a column has."""
        return len(set(self.filled(name)))

    def length(self, name: str) -> float:
        """Words of a cell, on average."""
        cells = self.filled(name)
        return sum(len(cell.split()) for cell in cells) / max(1, len(cells))

    def groups(self, name: str) -> list[list[int]]:
        """Numbers of the rows that share a value with others."""
        found = defaultdict(list)
        for number, cell in enumerate(self.columns[name]):
            if cell:
                found[cell].append(number)
        return [members for members in found.values() if len(members) > 1]


def _text(cell: Any) -> str:
    if isinstance(cell, (list, tuple)):
        return " ".join(map(_text, cell))
    text = "" if cell is None or isinstance(cell, dict) else " ".join(str(cell).split())
    return text.encode(errors="replace").decode()  # JSON can hold half a character


def plain(name: str) -> str:
    """A column's name for comparisons.

    >>> plain("Base_Colour")
    'basecolour'
    """
    return re.sub(r"[\W_]", "", name.lower())


def find_columns(table: Table, language: Language, given: Columns) -> Columns:
    """Find what each column is for that is not given.

    Names of columns count first, then what is in them: a title has several words and seldom comes
    again; an attribute has known words, or differs within most designs; kinds come again and again.

    Raises:
        MetadataError: A given column does not exist.
    """
    taken = given.used
    for name in taken - table.columns.keys():
        known = ", ".join(table.columns)
        raise MetadataError(f"The metadata has no column {name!r}: it has {known}.")

    def take(names: Sequence[str]) -> str | None:
        found = next((name for name in names if name not in taken), None)
        taken.update([found] if found else [])
        return found

    def named(role: str) -> list[str]:
        names = [*language.columns.get(role, ()), *read_language("en").columns[role]]
        by_name = {plain(name): name for name in table.columns}
        return [by_name[name] for name in dict.fromkeys(names) if name in by_name]

    split = given.split or take([name for name in table.columns if _is_split(table, name)])
    often = sorted(table.texts, key=table.distinct, reverse=True)
    titles = [name for name in named("title") if name in table.texts and table.distinct(name) > 1]
    titles += [name for name in often if table.length(name) > _LONGEST_VALUE]
    title = given.title or take(titles)
    group = given.group or take([name for name in named("group") if _is_group(table, name)])
    repeated = [name for name in often if _repeats(table, name)]
    kind = given.kind or take([name for name in named("kind") if name in repeated])
    attributes = given.attributes
    if attributes is None:
        attributes = tuple(
            name
            for name in table.columns
            if name in repeated
            and name not in taken
            and (_meaning(table, name, language) or (group and _varies(table, name, group)))
        )[:_MOST_ATTRIBUTES]
    taken.update(attributes)
    kind = kind or take([name for name in repeated if table.distinct(name) > 3])
    meanings = tuple(_meaning(table, name, language) or name for name in attributes)
    return Columns(title, attributes, kind, group, split, meanings)


def _is_split(table: Table, name: str) -> bool:
    values = {cell.lower() for cell in table.filled(name)}
    return plain(name) in ("split", "part", "subset") and bool(values & {*HELD_OUT})


def _is_group(table: Table, name: str) -> bool:
    """Whether it puts a few pictures together, and does so often."""
    groups = table.groups(name)
    small = sum(len(members) <= 4 * LARGEST_DESIGN for members in groups)
    few = table.distinct(name) < len(table.filled(name)) / 20
    return small >= max(5, 0.8 * len(groups)) and not few


def _repeats(table: Table, name: str) -> bool:
    """Whether it has several short values that come again and again."""
    several = 2 <= table.distinct(name) <= len(table.filled(name)) / 2
    return several and table.length(name) <= _LONGEST_VALUE


def _meaning(table: Table, name: str, language: Language) -> str | None:
    """The attribute that a column holds, told by its name or by most of its cells."""
    cells = [{cell.lower(), *words_in(cell)} for cell in table.filled(name)]
    attributes = [*language.attributes.items(), *read_language("en").attributes.items()]
    for key, attribute in attributes:
        if any(part in plain(name) for part in attribute.columns):
            return key
    for key, attribute in attributes:
        known = attribute.forms.keys()
        if sum(bool(cell & known) for cell in cells) > len(cells) / 2:
            return key
    return None


def _varies(table: Table, name: str, group: str) -> bool:
    """Whether most groups of several pictures have several values of it."""
    cells = table.columns[name]
    values = [{cells[number] for number in members} for members in table.groups(group)]
    return sum(len(found - {""}) > 1 for found in values) > len(values) / 2
