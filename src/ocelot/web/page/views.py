"""What the templates of a question are given, beside the question itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ocelot.collection import MAX_FILTER
from ocelot.service import MAX_TEXT, Overview, Service
from ocelot.types import Item, Ranking, Result
from ocelot.web.page.filters import groups, ranges, suggestions
from ocelot.web.page.question import FIRST, MOST, NO_RERANKER, STEP, Question
from ocelot.web.page.shop import Found
from ocelot.web.page.texts import Texts

__all__ = ["answer_view", "ask_view", "more_view"]

_ACCEPT = "image/*,.heic,.heif,.avif,.tif,.tiff"  # picture files, for browsers


def answer_view(t: Texts, question: Question, found: Found, title: str = "") -> dict[str, Any]:
    """Values of answer.html.

    Args:
        title: Of the item that a question for similar ones names.
    """
    ranking = found.answer.result.ranking
    return {
        "q": question,
        "answer": found.answer,
        "reason": t.engine(ranking.reason, ranking.sentence) if ranking else "",
        "first": FIRST,
        "pending": found.pending,
        "said": _said(t, question, found),
        "notes": _notes(t, found.answer.result),
        "title": t("hits.like", title=title) if title else t("hits.similar"),
        "more": more_view(question, found)["more"],
    }


def more_view(question: Question, found: Found) -> dict[str, Any]:
    """The link to more results."""
    url = question.but(limit=min(question.limit + STEP, MOST)).url() if found.has_more else ""
    return {"more": url and f"{url}#r{question.limit + 1}", "after": question.limit}


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
        notes.append(_complaint(t, ranking))
    return notes


def _complaint(t: Texts, ranking: Ranking) -> str:
    name, detail = ranking.reranker, ranking.detail
    if ranking.status in ("repaired", "replaced"):
        return t(f"notice.{ranking.status}", name=name, detail=detail.strip().rstrip("."))
    return t("notice.failed", detail=t.engine(detail, ranking.sentence).strip().rstrip("."))


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
    own |= {f"{end}.{one.key}" for one in offered for end in ("from", "to")}
    return {
        "q": question,
        "kept": [pair for pair in question.pairs() if pair[0] not in own],
        "titles": {item.id: item.title for item in liked},
        "groups": groups(overview.facets, question, (t("yes"), t("no"))),
        "ranges": offered,
        "rankings": [("" if name == default else name, t.name(f"ranking.{name}") or name)
                     for name in (*service.rerankers, NO_RERANKER)],
        "ranked": "" if question.rank == default else question.rank,
        "tries": _tries(t, question, overview, demo),
        "accept": _ACCEPT,
        "max_text": MAX_TEXT,
        "max_filter": MAX_FILTER,
        "most_bytes": max(1, service.limits.upload_bytes - 4096),  # with the form around it
        "held": t.count("pictures", overview.info.count),
    }  # fmt: skip


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
