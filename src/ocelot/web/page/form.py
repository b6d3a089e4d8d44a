"""What a user has entered: a search with its filters, read from what the browser sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ocelot.collection import Facet, condition

__all__ = [
    "CATEGORIES", "NO_RERANKER", "NUMBERS", "RESULTS", "Chosen", "Form", "Offer", "Upload",
    "expression", "path_of",
]  # fmt: skip

Upload = dict[str, Any] | None  # as Gradio's picture field sends it

CATEGORIES, NUMBERS = 6, 3  # filter fields of each kind on the page
RESULTS = 48  # the most results on the page at once
NO_RERANKER = "off"  # in place of a reranker's name


@dataclass(frozen=True)
class Chosen:
    """The filters that were chosen.

    Attributes:
        values: By key; an item needs one of them.
        ranges: Lowest and highest value by key; None leaves that end open.
        own: A Milvus expression that the user wrote.
    """

    values: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    ranges: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    own: str = ""


@dataclass(frozen=True)
class Offer:
    """The metadata fields to filter by: some with a few values, some with a range."""

    categories: tuple[Facet, ...] = ()
    numbers: tuple[Facet, ...] = ()

    @classmethod
    def of(cls, facets: Sequence[Facet]) -> Offer:
        """The first facets of each kind, as many as the page has fields for."""
        categories = [facet for facet in facets if facet.categorical]
        numbers = [facet for facet in facets if facet.kind == "number" and facet.low != facet.high]
        return cls(tuple(categories[:CATEGORIES]), tuple(numbers[:NUMBERS]))


@dataclass(frozen=True)
class Form:
    """A search as it was entered.

    Attributes:
        picture: Path of the uploaded file.
        reranker: Its name; None for none.
    """

    picture: str | None = None
    text: str = ""
    chosen: Chosen = field(default_factory=Chosen)
    limit: int = 9
    reranker: str | None = None

    @classmethod
    def of(cls, offer: Offer, picture: Upload, text: str | None, *values: Any) -> Form:
        """From the values of the fields.

        Args:
            offer: The metadata fields that the filters are for.
            values: Of `Controls.inputs`: the categories, two ends for each number, an expression,
                the reranker, and the number of results.
        """
        *fields, own, reranker, limit = values
        chosen, ends = fields[:CATEGORIES], fields[CATEGORIES:]
        # There are more fields than facets; the others are hidden.
        categories = zip(offer.categories, chosen, strict=False)
        ranges = zip(offer.numbers, ends[::2], ends[1::2], strict=False)
        return cls(
            path_of(picture),
            text or "",
            Chosen(
                {facet.key: picked for facet, picked in categories if picked},
                {facet.key: (low, high) for facet, low, high in ranges},
                own or "",
            ),
            max(1, min(int(limit), RESULTS)),
            None if reranker == NO_RERANKER else str(reranker),
        )


def path_of(picture: Upload) -> str | None:
    """The path of an uploaded file."""
    return str(picture["path"]) if picture else None


def expression(chosen: Chosen) -> str | None:
    """The filter of what was chosen; None when nothing was.

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
