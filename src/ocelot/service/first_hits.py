"""A reranker that is asked about the first hits only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ocelot.rerankers.base import Reranker
from ocelot.service.values import MAX_RERANKED
from ocelot.types import Hit, Query, Ranking

__all__ = ["FirstHits"]


class FirstHits:
    """Has a reranker order the first hits; the others follow in retrieval order."""

    def __init__(self, reranker: Reranker, most: int = MAX_RERANKED) -> None:
        self.name = reranker.name
        self._reranker, self._most = reranker, most

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """See `ocelot.rerankers.base.Reranker`."""
        ranking = self._reranker.rerank(query, hits[: self._most])
        others = range(len(ranking.order), len(hits))
        return replace(ranking, order=(*ranking.order, *others))
