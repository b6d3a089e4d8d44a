"""The filters that a collection offers: chips for fields with few values, ranges for numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocelot.collection import Facet
from ocelot.types import Item
from ocelot.web.page.question import Question

__all__ = ["Chip", "Group", "Range", "groups", "ranges", "suggestions"]

_GROUPS, _RANGES = 6, 3  # fields of each kind on the page
_SHOWN = 8  # chips of a field before the others are folded away
_COLOURS = ("colour", "color", "farbe", "colore")
_KINDS = ("kind", "type", "category", "tipo", "categoria")


@dataclass(frozen=True)
class Chip:
    """A link that adds a value to the question, or takes it away."""

    label: str
    url: str
    chosen: bool = False


@dataclass(frozen=True)
class Group:
    """The chips of one metadata field; `folded` ones are seen on request."""

    key: str
    chips: tuple[Chip, ...]
    folded: tuple[Chip, ...] = ()


@dataclass(frozen=True)
class Range:
    """A field of numbers: what was chosen, and what there is."""

    key: str
    low: float | None
    high: float | None
    least: float
    most: float


def groups(
    facets: Iterable[Facet], question: Question, words: tuple[str, str] = ("yes", "no")
) -> list[Group]:
    """Chips for fields that suit a list of choices.

    Args:
        words: For the values of truth.
    """
    found = []
    for facet in [facet for facet in facets if facet.categorical][:_GROUPS]:
        if facet.kind == "boolean":
            labels = dict(zip(("true", "false"), words, strict=True))
        else:
            labels = {value: value.replace("_", " ") for value in facet.values}
        labels |= {value: value for key, value in question.where if key == facet.key} | labels
        chips = [
            Chip(
                label,
                question.toggled(facet.key, value).url(),
                (facet.key, value) in question.where,
            )
            for value, label in labels.items()
        ]
        chips.sort(key=lambda chip: not chip.chosen)
        found.append(Group(facet.key, tuple(chips[:_SHOWN]), tuple(chips[_SHOWN:])))
    return found


def ranges(facets: Iterable[Facet], question: Question) -> list[Range]:
    """Fields of numbers that differ."""
    chosen = dict(question.ranges)
    found = []
    for facet in facets:
        if facet.low is not None and facet.high is not None and facet.low != facet.high:
            low, high = chosen.get(facet.key, (None, None))
            found.append(Range(facet.key, low, high, facet.low, facet.high))
    return found[:_RANGES]


def suggestions(
    facets: Sequence[Facet], examples: Sequence[Item], most: int = 4
) -> tuple[list[str], list[str]]:
    """Colours of this collection, and texts that find something in it, such as "pink kettle"."""
    keys = {facet.key: facet for facet in facets if facet.categorical}
    colour = next((keys[key] for key in _COLOURS if key in keys), None)
    kind = next((key for key in _KINDS if key in keys), "")
    found: dict[str, None] = {}
    for item in examples:
        text = item.title if item.metadata else ""
        if kind in item.metadata:
            parts = [item.metadata.get(colour.key) if colour else None, item.metadata[kind]]
            text = " ".join(str(part).replace("_", " ") for part in parts if part)
        if text and len(text) <= 40:
            found[text] = None
    return list(colour.values[:most]) if colour else [], list(found)[:most]
