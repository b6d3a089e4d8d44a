"""The seam for rerankers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ocelot.types import Hit, Query, Ranking

__all__ = ["Reranker"]


@runtime_checkable
class Reranker(Protocol):
    """Puts the hits of a search in a better order and says why.

    Attributes:
        name: Shown with every result, e.g. "gpt-4o" or "fusion".
    """

    @property
    def name(self) -> str: ...

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """Judge `hits` (retrieval order) against `query`.

        Never raises for what a remote model says or fails to say: such a case comes back as
        a ranking with status "fallback" in retrieval order.
        """
        ...
