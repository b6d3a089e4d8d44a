"""What the templates of a question are given, beside the question itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ocelot.collection import MAX_FILTER, Facet
from ocelot.service import MAX_TEXT, Overview, Service
from ocelot.types import Item, Result
from ocelot.web.page.question import FIRST, MOST, NO_RERANKER, STEP, Question, Range
from ocelot.web.page.shop import Found
from ocelot.web.page.texts import Texts

__all__ = ["Chip", "answer_view", "ask_view", "groups", "more_url", "ranges", "suggestions"]

_ACCEPT = "image/*,.heic,.heif,.avif,.tif,.tiff"  # picture files, for browsers
_GROUPS, _RANGES = 6, 3  # fields of each kind on the page
_TRIES = 4  # suggestions
_COLOURS = ("colour", "color", "farbe", "colore")
_KINDS = ("kind", "type", "category", "tipo", "categoria")


class Chip(NamedTuple):
    """A link that adds a value to the question, or takes it away."""

    label: str
    url: str
    chosen: bool


def answer_view(t: Texts, question: Question, found: Found, title: str = "") -> dict[str, Any]:
    """Values of answer.html.

    Args:
        title: Of the item that a question for similar ones names.
    """
    result = found.answer.result
    ranking = result.ranking
    return {
        "q": question,
        "answer": found.answer,
        "reason": t.engine(ranking.reason, ranking.sentence) if ranking else "",
        "first": FIRST,
        "pending": found.pending,
        "said": _said(t, question, found),
        "notes": _notes(t, result),
        "title": t("hits.like", title=title) if title else t("hits.similar"),
        "more": more_url(question, found),
    }


def more_url(question: Question, found: Found) -> str:
    """The link to more results; "" if there are none."""
    if not found.has_more:
        return ""
    more = question.but(limit=min(question.limit + STEP, MOST))
    return f"{more.url()}#r{question.limit + 1}"


def _said(t: Texts, question: Question, found: Found) -> str:
    """The line that says what is shown."""
    result, ranking = found.answer.result, found.answer.result.ranking
    if not result.hits:
        return t("none.title")
    if found.pending is not None:
        return t("status.judging.llm" if found.pending == "llm" else "status.judging.other")
    count = t.count("pictures", len(result.hits))
    if question.is_only_like:
        return t("status.like", count=count)
    if ranking is None or ranking.status == "fallback":
        return t("status.similar", count=count)
    key = "status.first" if len(result.hits) > FIRST else "status.ranked"
    return t(key, count=count, first=FIRST, name=ranking.reranker)


def _notes(t: Texts, result: Result) -> list[str]:
    """What should be known about an answer."""
    notes, ranking = [], result.ranking
    if result.unknown_words:
        words = ", ".join(result.unknown_words[:5])
        notes.append(t("notice.unknown", encoder=result.encoder, words=words))
    if ranking is not None and ranking.status != "ok":
        name, detail = ranking.reranker, ranking.detail
        if ranking.status == "fallback":
            detail = t.engine(detail, ranking.sentence)
        kind = "failed" if ranking.status == "fallback" else ranking.status
        notes.append(t(f"notice.{kind}", name=name, detail=detail.strip().rstrip(".")))
    return notes


def ask_view(
    t: Texts,
    question: Question,
    service: Service,
    overview: Overview,
    liked: Sequence[Item] = (),
    demo: str | None = None,
) -> dict[str, Any]:
    """Values of ask.html, and of the line with the question's parts.

    Args:
        liked: The items of the question.
        demo: Content hash of the demo's query picture, if this is the demo shop.
    """
    offered, default = ranges(overview.facets, question), service.default or NO_RERANKER
    own = {"text", "without", "weight", "filter", "limit"}
    own |= {f"{end}.{facet.key}" for facet, _ in offered for end in ("from", "to")}
    return {
        "q": question,
        "kept": [pair for pair in question.pairs() if pair[0] not in own],
        "titles": {item.id: item.title for item in liked},
        "groups": groups(overview.facets, question, (t("yes"), t("no"))),
        "ranges": offered,
        "rankings": [
            ("" if name == default else name, t.name(f"ranking.{name}") or name)
            for name in (*service.rerankers, NO_RERANKER)
        ],
        "ranked": "" if question.rank == default else question.rank,
        "tries": _tries(t, question, overview, demo),
        "accept": _ACCEPT,
        "max_text": MAX_TEXT,
        "max_filter": MAX_FILTER,
        "most_bytes": max(1, service.limits.upload_bytes - 4096),  # with the form around it
        "held": t.count("pictures", overview.info.count),
    }


def groups(
    facets: Iterable[Facet], question: Question, words: tuple[str, str] = ("yes", "no")
) -> list[tuple[str, list[Chip]]]:
    """Chips for fields with few values, by field, the chosen ones first.

    Args:
        words: For the values of truth.
    """
    found = []
    for facet in [facet for facet in facets if facet.categorical][:_GROUPS]:
        if facet.kind == "boolean":
            labels = dict(zip(("true", "false"), words, strict=True))
        else:
            labels = {value: value.replace("_", " ") for value in facet.values}
        chosen = [value for key, value in question.where if key == facet.key]
        chips = [
            Chip(
                labels.get(value, value), question.toggled(facet.key, value).url(), value in chosen
            )
            for value in dict.fromkeys([*chosen, *labels])
        ]
        found.append((facet.key, chips))
    return found


def ranges(facets: Iterable[Facet], question: Question) -> list[tuple[Facet, Range]]:
    """Fields of numbers that differ, with what was chosen."""
    chosen = dict(question.ranges)
    differ = [facet for facet in facets if facet.low is not None and facet.low != facet.high]
    return [(facet, chosen.get(facet.key, (None, None))) for facet in differ[:_RANGES]]


def _tries(
    t: Texts, question: Question, overview: Overview, demo: str | None
) -> list[tuple[str, str]]:
    """Suggestions that suit the question and the collection: texts with their links."""
    if question.text and question.pictures:
        return []
    colours, texts = suggestions(overview.facets, overview.examples)
    if question.pictures:
        texts = [t("try.colour", colour=colour) for colour in colours]
    found = [(text, question.but(text=text).url()) for text in texts]
    if demo is not None and not question.pictures:
        theme = t("try.theme")
        link = Question(theme, images=(demo,)).url()
        found.insert(0, (t("try.leopard", theme=theme), link))
    return found


def suggestions(facets: Sequence[Facet], examples: Sequence[Item]) -> tuple[list[str], list[str]]:
    """Colours of this collection, and texts that find something in it, such as "pink kettle"."""
    keys = {facet.key: facet for facet in facets if facet.categorical}
    colour = next((keys[key] for key in _COLOURS if key in keys), None)
    kind = next((key for key in _KINDS if key in keys), "")
    texts: dict[str, None] = {}
    for item in examples:
        text = item.title if item.metadata else ""
        if kind in item.metadata:
            parts = [item.metadata.get(colour.key) if colour else None, item.metadata[kind]]
            text = " ".join(str(part).replace("_", " ") for part in parts if part)
        if 0 < len(text) <= 40:
            texts[text] = None
    return list(colour.values[:_TRIES]) if colour else [], list(texts)[:_TRIES]
