"""The metadata fields of a collection, read from a sample of its rows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ocelot.collection.rows import Row
from ocelot.types import Item

__all__ = ["Facet", "examples_of", "facets_of"]

Kind = Literal["text", "number", "boolean", "other"]

_MAX_VALUES = 24  # examples for one key
_MAX_LENGTH = 60  # characters; longer texts are prose, not categories
_MAX_EXAMPLE = 200  # characters of a value as JSON


@dataclass(frozen=True)
class Facet:
    """One metadata field of some rows.

    Attributes:
        kind: Type of its values; "other" for lists, objects and mixtures.
        values: Up to 24 of them, the most frequent first; none of more than 200 characters as JSON.
        distinct: Number of different values.
        count: Rows that have the field.
        low, high: Smallest and largest value, for numbers.
    """

    key: str
    kind: Kind
    values: tuple[Any, ...]
    distinct: int
    count: int
    low: float | None = None
    high: float | None = None

    @property
    def categorical(self) -> bool:
        """Return True if the values suit a list of choices: few, short, in several rows each."""
        if self.kind == "boolean":
            return True
        short = self.kind == "text" and all(len(value) <= _MAX_LENGTH for value in self.values)
        listed = 1 < self.distinct == len(self.values)
        return short and listed and self.distinct * 2 <= self.count


def facets_of(metadata: Iterable[Mapping[str, Any]]) -> tuple[Facet, ...]:
    """The metadata fields of some rows, the most frequent first.

    >>> facets_of([{"price": 3, "colour": "red"}, {"price": 5}])[0]
    Facet(key='price', kind='number', values=(3, 5), distinct=2, count=2, low=3, high=5)
    """
    found: dict[str, list[Any]] = {}
    for fields in metadata:
        for key, value in fields.items():
            found.setdefault(key, []).append(value)
    facets = [_facet(key, values) for key, values in found.items()]
    return tuple(sorted(facets, key=lambda facet: -facet.count))


def examples_of(rows: Sequence[Row], count: int = 12) -> tuple[Item, ...]:
    """At most `count` items, evenly spaced over the rows."""
    step = max(1, len(rows) // count)
    return tuple(row.item for row in rows[::step][:count])


def _facet(key: str, values: list[Any]) -> Facet:
    kinds = {_kind(value) for value in values}
    kind: Kind = kinds.pop() if len(kinds) == 1 else "other"
    # As JSON, because 1 == True in Python and lists cannot be counted.
    counted = Counter(json.dumps(value, sort_keys=True) for value in values)
    common = [text for text, _ in counted.most_common(_MAX_VALUES)]
    examples = tuple(json.loads(text) for text in common if len(text) <= _MAX_EXAMPLE)
    bounds = (min(values), max(values)) if kind == "number" else (None, None)
    return Facet(key, kind, examples, len(counted), len(values), *bounds)


def _kind(value: Any) -> Kind:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return "text" if isinstance(value, str) else "other"
