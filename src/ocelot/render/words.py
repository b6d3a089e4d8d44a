"""What pages say about hits and results, as plain text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from ocelot.rerankers.fusion import ordinal
from ocelot.types import TITLE_KEYS, Hit, Query, Ranking, Result
from ocelot.words import count, does_not_know

__all__ = [
    "RERANKERS", "asked", "cost", "count", "facts", "fields", "judging", "movement", "notice",
    "price", "ranked", "short", "summary", "unknown", "verdict",
]  # fmt: skip

# The names of rerankers on pages.
RERANKERS = {"llm": "Language model", "fusion": "Fusion", "cross-encoder": "Cross-encoder"}

_FIRST = ("category", "kind", "type", "brand", "store", "colour", "color", "pattern", "material")
_NOT_SHOWN = frozenset({*TITLE_KEYS, "price", "file_name", "description"})
_SHORT = 48  # characters of a metadata value; longer ones are not shown


def asked(query: Query) -> str:
    """A query in a few words.

    >>> asked(Query(text="in blue"))
    '“in blue”'
    """
    picture = "Pictures" if len(query.images) > 1 else "Picture"
    parts = [picture] if query.images else []
    parts += [f"“{query.text}”"] if query.text else []
    unwanted = f" without “{query.negative_text}”" if query.negative_text else ""
    return " + ".join(parts) + unwanted


def short(text: str, most: int = 60) -> str:
    """The text, cut at `most` characters.

    >>> short("in blue, with stripes", 10)
    'in blue, …'
    """
    return text if len(text) <= most else text[: most - 1] + "…"


def price(metadata: Mapping[str, Any]) -> str:
    """The price, or "" if there is none."""
    value = metadata.get("price")
    if isinstance(value, float):
        return f"{value:,.2f}" if math.isfinite(value) else ""
    return _value(value)


def fields(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Keys and values that are short enough to show, categories and colours first."""
    keys = [key for key in _FIRST if key in metadata]
    keys += [key for key in metadata if key not in _FIRST and key not in _NOT_SHOWN]
    shown = ((key, _value(metadata[key])) for key in keys)
    return [(key, value) for key, value in shown if value]


def summary(metadata: Mapping[str, Any]) -> str:
    """Up to four fields in one line.

    >>> summary({"colour": "red", "stock": 3})
    'red · stock 3'
    """
    # A category or a colour needs no label, other fields do.
    words = [value if key in _FIRST else f"{key} {value}" for key, value in fields(metadata)]
    return " · ".join(words[:4])


def _value(value: Any) -> str:
    """A value if it is short enough to show, else ""; Cell_Phones becomes Cell Phones."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.2f}".rstrip("0").rstrip(".") if math.isfinite(value) else ""
    if isinstance(value, (int, str)):
        text = " ".join(str(value).replace("_", " ").split())
        return text if len(text) <= _SHORT else ""
    return ""


def movement(hit: Hit) -> tuple[Literal["up", "down"], str] | None:
    """Whether reranking moved a hit up or down, and its earlier place; None if it did not move.

    >>> movement(Hit("ab", ("a.jpg",), rank=1, retrieval_rank=6))
    ('up', 'was 6th')
    """
    if hit.retrieval_rank == hit.rank:
        return None
    return ("up" if hit.retrieval_rank > hit.rank else "down"), f"was {ordinal(hit.retrieval_rank)}"


def judging(reranker: str) -> str:
    """What is shown while a reranker works."""
    if reranker == "llm":
        return "The language model is looking at the pictures…"
    return "Comparing the pictures with each part of the query…"


def verdict(ranking: Ranking | None) -> str:
    """The label of the first picture."""
    if ranking is None or ranking.status == "fallback":
        return "Most similar"
    # Fusion that cannot tell what fits keeps the order of similarity.
    return "Most similar" if (ranking.reranker, ranking.match) == ("fusion", None) else "Best match"


def ranked(ranking: Ranking) -> str:
    """Who made the order, as a part of a sentence.

    >>> ranked(Ranking((0,), "", "gpt-4o", status="fallback"))
    'in retrieval order'
    """
    return "in retrieval order" if ranking.status == "fallback" else f"ranked by {ranking.reranker}"


def cost(ranking: Ranking) -> str:
    """What an answer of a language model cost; "" where no tokens were counted.

    >>> cost(Ranking((0,), "", "gpt-4o", cached=True))
    'from the cache, at no cost'
    """
    used = ranking.usage
    if ranking.cached:
        return "from the cache, at no cost"
    if not used.prompt_tokens:
        return ""
    money = "" if used.cost is None else f", ${used.cost:.5f}"
    return f"{used.prompt_tokens:,} tokens in, {used.completion_tokens:,} out{money}"


def notice(ranking: Ranking | None) -> str:
    """One sentence if a reranker's reply was repaired, replaced or not usable, else ""."""
    if ranking is None or ranking.status == "ok":
        return ""
    detail = ranking.detail.strip().rstrip(".")
    text = f"The reply of {ranking.reranker} was repaired"
    if ranking.status == "replaced":
        text = f"Ranked by {ranking.reranker}"
    elif ranking.status == "fallback":
        text = "The pictures are in retrieval order"
    return f"{text}{f': {detail}' if detail else ''}."


def unknown(result: Result) -> str:
    """One sentence if the text has words that the encoder never saw, else ""."""
    words = does_not_know(result.encoder, result.unknown_words)
    return words and f"{words}."


def facts(result: Result) -> list[tuple[str, str]]:
    """How a result was made: the reranker, the cost, and the time of each stage."""
    facts: list[tuple[str, str]] = []
    ranking = result.ranking
    if ranking is None:
        facts.append(("Order", "retrieval order, not reranked"))
    else:
        if ranking.status == "fallback":
            facts.append(("Order", f"retrieval order, as {ranking.reranker} gave no usable answer"))
        else:
            repaired = ", repaired" if ranking.status == "repaired" else ""
            facts.append(("Ranked by", ranking.reranker + repaired))
        if cost(ranking):
            facts.append(("Cost", cost(ranking)))
        if ranking.usage.calls:
            facts.append(("Calls to the model", str(ranking.usage.calls)))
    return facts + [(f"Time, {stage}", _seconds(time)) for stage, time in result.timings.items()]


def _seconds(time: float) -> str:
    return f"{time * 1000:.0f} ms" if time < 0.9995 else f"{time:.1f} s"
