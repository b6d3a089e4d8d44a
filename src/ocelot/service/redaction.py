"""Keep file paths and the messages of a language model's server from clients."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

from ocelot.errors import FilterError, OcelotError, Overloaded
from ocelot.types import Ranking, Result, Sentence

__all__ = ["check_filter", "redacted", "unranked"]

_log = logging.getLogger("ocelot.service")
_SUBSCRIPT = re.compile(r"""\[\s*(["'])paths\1\s*\]""", re.IGNORECASE)
_TEXT = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_STATUS = re.compile(r"\(HTTP [0-9]{3}\)")
_PATHS = re.compile(r"\bpaths\b", re.IGNORECASE)


def check_filter(filter: str | None) -> str | None:
    """Return a filter that uses metadata only: with others, paths could be guessed bit by bit.

    >>> check_filter('title == "paths" and price < 3')
    'title == "paths" and price < 3'

    Raises:
        FilterError: The filter names the field `paths`.
    """
    if filter and (_SUBSCRIPT.search(filter) or _PATHS.search(_TEXT.sub('""', filter))):
        raise FilterError(
            "The filter cannot be used: it may name metadata fields, and not the paths."
        )
    return filter


def redacted(result: Result) -> Result:
    """The result without the address and the messages of a model's server, which are logged."""
    ranking = result.ranking
    if ranking is None or not ranking.detail:
        return result
    detail, sentence = ranking.detail.partition(", because:")[0], ranking.sentence
    if ranking.status == "fallback":
        status = _STATUS.search(ranking.detail)
        said = f" {status[0]}" if status else ""
        detail = f"{ranking.reranker} gave no usable answer{said}; the server's log says why."
        sentence = Sentence(("unusable",), {"name": ranking.reranker, "status": said})
    if detail != ranking.detail:
        _log.warning("%s: %s", ranking.reranker, ranking.detail)
    return replace(result, ranking=replace(ranking, detail=detail, sentence=sentence))


def unranked(result: Result, reranker: str, cause: OcelotError) -> Result:
    """The result in retrieval order, where the reranker did not run in time."""
    order = tuple(range(len(result.hits)))
    reason = "Retrieval order: the reranker did not run in time."
    late = Sentence(("overloaded" if isinstance(cause, Overloaded) else "out-of-time",), {})
    ranking = Ranking(order, reason, reranker, "fallback", str(cause), sentence=late)
    return replace(result, ranking=ranking)
