"""What templates are given: an answer in words, the pictures of a question, its parts as chips."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ocelot.collection import MAX_FILTER
from ocelot.service import MAX_TEXT, Overview, Service
from ocelot.types import Item, Ranking, Result
from ocelot.web.page.filters import Chip, groups, ranges, suggestions
from ocelot.web.page.question import FIRST, MOST, NO_RERANKER, STEP, Question
from ocelot.web.page.shop import Found
from ocelot.web.page.texts import Texts

__all__ = ["ACCEPT", "answer_view", "ask_view", "more_view"]

ACCEPT = "image/*,.heic,.heif,.avif,.tif,.tiff"  # picture files, for browsers
_STATUS = re.compile(r"\(HTTP [0-9]{3}\)")
_COLOURS = ("colour", "color", "colore")


def answer_view(t: Texts, question: Question, found: Found, title: str = "") -> dict[str, Any]:
    """Values of answer.html.

    Args:
        title: Of the item that a question for similar ones names.
    """
    result, answer = found.answer.result, found.answer
    return {
        "q": question,
        "answer": answer,
        "first": FIRST,
        "pending": found.pending,
        "said": _said(t, question, found),
        "notes": _notes(t, result),
        "title": t("hits.like", title=title) if title else t("hits.similar"),
        "more": more_view(question, found)["more"],
        "facts": _facts(t, result),
    }


def more_view(question: Question, found: Found) -> dict[str, Any]:
    """The link to more results."""
    limit = min(question.limit + STEP, MOST)
    url = question.but(limit=limit).url() if found.has_more else ""
    return {"more": url and f"{url}#r{question.limit + 1}", "after": question.limit}


def _said(t: Texts, question: Question, found: Found) -> str:
    result = found.answer.result
    if not result.hits:
        return t("none.title")
    if found.pending is not None:
        return t("status.judging.llm" if found.pending == "llm" else "status.judging.other")
    count = t.count("pictures", len(result.hits))
    if question.is_only_like:
        return t("status.like", count=count)
    if result.ranking is None or result.ranking.status == "fallback":
        return t("status.similar", count=count)
    first, name = len(found.first.result.hits), result.ranking.reranker
    if first < len(result.hits):
        return t("status.first", count=count, first=first, name=name)
    return t("status.ranked", count=count, name=name)


def _notes(t: Texts, result: Result) -> list[tuple[str, str]]:
    """What should be known about an answer, each with its language."""
    notes = []
    if result.unknown_words:
        words = ", ".join(result.unknown_words[:5])
        notes.append((t("notice.unknown", encoder=result.encoder, words=words), t.language))
    ranking = result.ranking
    if ranking is not None and ranking.status != "ok":
        notes.append((_complaint(t, ranking), t.language))
    return notes


def _complaint(t: Texts, ranking: Ranking) -> str:
    detail = ranking.detail.strip().rstrip(".")
    if ranking.status == "repaired":
        return t("notice.repaired", name=ranking.reranker, detail=detail)
    if (status := _STATUS.search(detail)) or "gave no usable answer" in detail:
        code = f" {status[0]}" if status else ""
        detail = t("notice.unusable", name=ranking.reranker, status=code)
    return t("notice.failed", detail=detail)


def _facts(t: Texts, result: Result) -> list[tuple[str, str]]:
    """How an answer was made."""
    ranking = result.ranking
    facts: list[tuple[str, str]] = []
    if ranking is None or ranking.status == "fallback":
        facts.append((t("fact.order"), t("fact.similarity")))
    else:
        facts.append((t("fact.ranked"), ranking.reranker))
    if ranking is not None:
        used = ranking.usage
        if ranking.cached:
            facts.append((t("fact.cost"), t("fact.cached")))
        elif used.prompt_tokens:
            money = "" if used.cost is None else f", ${used.cost:.5f}"
            read, written = t.number(used.prompt_tokens), t.number(used.completion_tokens)
            facts.append((t("fact.cost"), t("fact.tokens", read=read, written=written) + money))
    for stage, seconds in result.timings.items():
        time = f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"
        facts.append((t("fact.time", stage=t.name(f"fact.time.{stage}") or stage), time))
    return facts


def ask_view(
    t: Texts,
    question: Question,
    service: Service,
    overview: Overview,
    liked: Iterable[Item] = (),
    demo: str | None = None,
) -> dict[str, Any]:
    """Values of ask.html, and the parts of the question.

    Args:
        liked: The items of the question.
        demo: Content hash of the demo's query picture, if this is the demo shop.
    """
    offered = ranges(overview.facets, question)
    shown = {f"{end}.{one.key}" for one in offered for end in ("from", "to")}
    own = {"text", "without", "weight", "filter", "limit", *shown}
    items = {item.id: item for item in liked}
    return {
        "q": question,
        "kept": [pair for pair in question.pairs() if pair[0] not in own],
        "pictures": _pictures(question, items),
        "groups": groups(overview.facets, question, (t("yes"), t("no"))),
        "ranges": offered,
        "rankings": _rankings(t, question, service),
        "tries": _tries(t, question, overview, demo),
        "parts": _parts(t, question),
        "heading": question.text or ", ".join(item.title for item in items.values()),
        "accept": ACCEPT,
        "max_text": MAX_TEXT,
        "max_filter": MAX_FILTER,
        "most_bytes": max(1, service.limits.upload_bytes - 4096),  # with the form around it
        "held": t.count("pictures", overview.info.count),
    }


def _pictures(question: Question, liked: Mapping[str, Item]) -> list[dict[str, str]]:
    found = []
    for id in question.like:
        found.append(
            {
                "src": f"./v1/items/{quote(id, safe='')}/image?size=512",
                "title": liked[id].title if id in liked else "",
                "crop": question.url("./crop", of=f"like:{id}"),
                "without": question.but(like=_less(question.like, id)).url(),
            }
        )
    for hash in question.images:
        found.append(
            {
                "src": f"./pictures/{hash}",
                "title": "",
                "crop": question.url("./crop", of=f"image:{hash}"),
                "without": question.but(images=_less(question.images, hash)).url(),
            }
        )
    return found


def _rankings(t: Texts, question: Question, service: Service) -> list[Chip]:
    default = service.default or NO_RERANKER
    return [
        Chip(
            t.name(f"ranking.{name}") or name,
            question.but(rank="" if name == default else name).url(),
            name == (question.rank or default),
        )
        for name in (*service.rerankers, NO_RERANKER)
    ]


def _tries(t: Texts, question: Question, overview: Overview, demo: str | None) -> list[Chip]:
    """Suggestions that suit the question and the collection."""
    if question.like or question.images:
        if question.text:
            return []
        for facet in overview.facets:
            if facet.key in _COLOURS and facet.categorical:
                texts = [t("try.colour", colour=colour) for colour in facet.values[:4]]
                return [Chip(text, question.but(text=text).url()) for text in texts]
        return []
    chips = []
    if demo is not None:
        theme = t("try.theme")
        chips.append(Chip(t("try.leopard", theme=theme), Question(theme, images=(demo,)).url()))
    texts = suggestions(overview.facets, overview.examples)
    return chips + [Chip(text, question.but(text=text).url()) for text in texts]


def _parts(t: Texts, question: Question) -> list[Chip]:
    """The parts of a question, each with a link to the question without it."""
    chips = []
    if question.like or question.images:
        label = t.count("steps.pictures", len(question.like) + len(question.images))
        chips.append(Chip(label, question.but(like=(), images=()).url()))
    if question.text:
        text = question.text if len(question.text) <= 60 else question.text[:59] + "…"
        chips.append(Chip(f"“{text}”", question.but(text="").url()))
    if question.without:
        label = t("steps.without", text=question.without)
        chips.append(Chip(label, question.but(without="").url()))
    if question.unlike:
        label = t.count("steps.unlike", len(question.unlike))
        chips.append(Chip(label, question.but(unlike=()).url()))
    for key, value in question.where:
        chips.append(Chip(f"{key}: {value.replace('_', ' ')}", question.toggled(key, value).url()))
    for key, (low, high) in question.ranges:
        ends = [f"≥ {low:.10g}"] if low is not None else []
        ends += [f"≤ {high:.10g}"] if high is not None else []
        others = tuple(one for one in question.ranges if one[0] != key)
        chips.append(Chip(f"{key} {', '.join(ends)}", question.but(ranges=others).url()))
    if question.filter:
        chips.append(Chip(question.filter, question.but(filter="").url()))
    return chips


def _less(values: tuple[str, ...], value: str) -> tuple[str, ...]:
    return tuple(one for one in values if one != value)
