"""What clients are told, and what not: where files lie, what a language model's server said."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

from ocelot.errors import FilterError
from ocelot.types import Ranking, Result

__all__ = ["checked", "for_anybody", "unjudged"]

_log = logging.getLogger("ocelot.service")
_SUBSCRIPT = re.compile(r"""\[\s*(["'])paths\1\s*\]""", re.IGNORECASE)
_TEXT = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_PATHS = re.compile(r"\bpaths\b", re.IGNORECASE)


def checked(filter: str | None) -> str | None:
    """A filter that asks about metadata alone: by others, paths could be guessed bit by bit.

    >>> checked('title == "paths" and price < 3')
    'title == "paths" and price < 3'

    Raises:
        FilterError: It names the paths.
    """
    if filter and (_SUBSCRIPT.search(filter) or _PATHS.search(_TEXT.sub('""', filter))):
        raise FilterError(
            "The filter cannot be used: it may ask about the metadata, and not about paths."
        )
    return filter


def for_anybody(result: Result) -> Result:
    """The same result, its ranking without the address and the words of a model's server.

    The log has them.
    """
    ranking = result.ranking
    if ranking is None or not ranking.detail:
        return result
    detail = ranking.detail.partition(", because:")[0]
    if ranking.status == "fallback":
        detail = f"{ranking.reranker} gave no usable answer; the server's log says why."
    if detail != ranking.detail:
        _log.warning("%s: %s", ranking.reranker, ranking.detail)
    return replace(result, ranking=replace(ranking, detail=detail))


def unjudged(result: Result, reranker: str, cause: str) -> Result:
    """The result in retrieval order, where the reranker had no time for it."""
    order = tuple(range(len(result.hits)))
    reason = "Kept from the search: there was no time to judge it."
    return replace(result, ranking=Ranking(order, reason, reranker, "fallback", cause))
