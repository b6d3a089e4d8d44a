"""What may be chosen to narrow a search down, and the filter expression of a choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ocelot.service import Facet, condition

__all__ = ["CATEGORIES", "NUMBERS", "Chosen", "Offer", "expression"]

CATEGORIES, NUMBERS = 6, 3  # fields of each kind that the page has room for


@dataclass(frozen=True)
class Chosen:
    """What a person chose.

    Attributes:
        values: By key; any of them will do, none of them chosen counts as all.
        ranges: By key, the least and the greatest; None leaves that end open.
        own: A Milvus expression that a person wrote.
    """

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    own: str = ""


@dataclass(frozen=True)
class Offer:
    """What there is to choose from.

    Attributes:
        categories: Keys with a few values.
        numbers: Keys with a range.
    """

    categories: tuple[Facet, ...] = ()
    numbers: tuple[Facet, ...] = ()

    @classmethod
    def of(cls, facets: Iterable[Facet]) -> Offer:
        """The first facets of each kind, as many as the page has room for."""
        known = list(facets)
        categories = [facet for facet in known if facet.categorical]
        numbers = [facet for facet in known if facet.kind == "number" and facet.low != facet.high]
        return cls(tuple(categories[:CATEGORIES]), tuple(numbers[:NUMBERS]))


def expression(chosen: Chosen) -> str | None:
    """The filter that a choice means; None when nothing was chosen.

    >>> expression(Chosen({"colour": ["red", "blue"]}, {"price": (None, 30)}, "stock > 0"))
    '(colour == "red" or colour == "blue") and price <= 30 and (stock > 0)'
    """
    parts = []
    for key, values in chosen.values.items():
        either = " or ".join(condition(key, "==", value) for value in values)
        if either:
            parts.append(f"({either})" if len(values) > 1 else either)
    for key, (low, high) in chosen.ranges.items():
        if low is not None:
            parts.append(condition(key, ">=", low))
        if high is not None:
            parts.append(condition(key, "<=", high))
    own = chosen.own.strip()
    if own:
        parts.append(f"({own})" if parts else own)
    return " and ".join(parts) or None
