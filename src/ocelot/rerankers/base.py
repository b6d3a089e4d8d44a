"""The interface of rerankers, and what several of them need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, runtime_checkable

from ocelot.types import Hit, Query, Ranking

__all__ = ["Reranker", "complete_order", "kept_reason", "not_judged"]


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
    given = list(indices)
    valid = [index for index in given if index is not None and 0 <= index < count]
    kept = dict.fromkeys(valid)
    if not kept:
        return None, []
    missing = [index for index in range(count) if index not in kept]
    repairs = (
        (len(given) - len(valid), "unknown index was", "unknown indices were", "dropped"),
        (len(valid) - len(kept), "repeat was", "repeats were", "dropped"),
        (len(missing), "missing index was", "missing indices were", "appended"),
    )
    notes = [f"{n} {one if n == 1 else many} {done}" for n, one, many, done in repairs if n]
    return (*kept, *missing), notes


def not_judged(hits: Sequence[Hit], reranker: str, cause: str) -> Ranking:
    """Retrieval order, because a reranker gave no usable answer."""
    order, reason = tuple(range(len(hits))), kept_reason(hits[0], reranker)
    return Ranking(order, reason, reranker, status="fallback", detail=cause)


def kept_reason(first: Hit, reranker: str) -> str:
    """The reason for a first hit that a reranker did not judge."""
    return f"Kept from the search (similarity {first.score:.2f}): {reranker} did not judge it."
