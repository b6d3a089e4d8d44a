"""The interface of rerankers, and what several of them need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from ocelot.types import Hit, Query, Ranking

__all__ = ["Reranker", "complete_order"]


@runtime_checkable
class Reranker(Protocol):
    """Puts the hits of a search in a better order and gives a reason.

    Attributes:
        name: Shown with every result, e.g. "gpt-4o" or "fusion".
    """

    @property
    def name(self) -> str: ...

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """Judge `hits` (in retrieval order) against `query`.

        Does not raise if a remote model fails or gives no usable answer: the ranking then has
        the status "fallback" and keeps retrieval order.
        """
        ...


def complete_order(
    indices: Iterable[int | None], count: int
) -> tuple[tuple[int, ...] | None, list[str]]:
    """Complete a list of indices to a permutation of 0 … count-1: first those given, then the rest.

    Returns:
        The permutation, or None if no index is valid; and one note for each kind of repair.

    >>> complete_order([2, 7, 2], 3)
    ((2, 0, 1), ['1 unknown index was dropped', '1 repeat was dropped', \
'2 missing indices were appended'])
    """
    kept: dict[int, None] = {}
    unknown = repeats = 0
    for index in indices:
        if index is None or not 0 <= index < count:
            unknown += 1
        elif index in kept:
            repeats += 1
        else:
            kept[index] = None
    if not kept:
        return None, []
    missing = [index for index in range(count) if index not in kept]
    notes = [
        f"{number} {one if number == 1 else many} {'was' if number == 1 else 'were'} {done}"
        for number, one, many, done in (
            (unknown, "unknown index", "unknown indices", "dropped"),
            (repeats, "repeat", "repeats", "dropped"),
            (len(missing), "missing index", "missing indices", "appended"),
        )
        if number
    ]
    return (*kept, *missing), notes
