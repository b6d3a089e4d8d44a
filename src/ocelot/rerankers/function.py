"""A reranker made from a function: for tests and custom rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

from ocelot.rerankers.base import complete_order
from ocelot.types import Hit, Query, Ranking, RankStatus
from ocelot.words import count

__all__ = ["FunctionReranker"]

Order = Sequence[int]


class FunctionReranker:
    """Orders hits with a function.

    Examples:
        >>> reverse = FunctionReranker(lambda query, hits: range(len(hits))[::-1], name="reverse")
        >>> hits = [Hit(id, (f"{id}.jpg",)) for id in "ab"]
        >>> reverse.rerank(Query(text="anything"), hits).order
        (1, 0)

    Args:
        function: Takes a query and its hits; returns positions, best first, or
            (positions, reason). Unknown and repeated positions are dropped, missing ones added.
        name: Shown with every result.
    """

    def __init__(
        self,
        function: Callable[[Query, Sequence[Hit]], Order | tuple[Order, str]],
        name: str = "function",
    ) -> None:
        self._function = function
        self.name = name

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """Call the function; its exceptions are not caught."""
        given: Any = self._function(query, hits)
        reason = ""
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], (str, type(None))):
            given, reason = given[0], given[1] or ""
        if not hits:
            return Ranking((), reason, self.name)
        listed = given if isinstance(given, Iterable) else ()
        indices = (int(index) if isinstance(index, Integral) else None for index in listed)
        order, notes = complete_order(indices, len(hits))
        if order is None:
            cause = f"{self.name} named none of the {count(len(hits), 'hit')}."
            order = tuple(range(len(hits)))
            return Ranking(order, reason, self.name, status="fallback", detail=cause)
        status: RankStatus = "repaired" if notes else "ok"
        return Ranking(order, reason, self.name, status=status, detail="; ".join(notes))
