"""Answers as HTML. Pure, and everything that comes from outside goes through `escape`.

Buttons say what they do in `data-act`, and for what in `data-value`; `page.js` passes both to
`actions.py`. Pictures come from the HTTP API by the item's id, so no path is ever in a page.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ocelot.render import words
from ocelot.rerankers.fusion import ordinal
from ocelot.service import Answer
from ocelot.types import Hit, Item

__all__ = ["Cards", "adding", "escape", "header", "notice", "status", "steps", "suggestions"]

_SMALL, _LARGE = 360, 720  # longest side of pictures, in pixels

_LOGO = (
    '<svg viewBox="0 0 26 26" aria-hidden="true"><path d="M7 2.5c2.6-1.2 5 .3 4.7 2.6C11.5 7.2 9.2 '
    "7 8 8.3 6.8 9.6 6.8 11.5 4.8 11.4 2.5 11.3 1.8 9 2.3 7 2.8 5 5 3.4 7 2.5z"
    '"/><path d="M16 3.2c2-.8 5.6.6 6.9 3 1.3 2.5.4 4.7-1.5 4.8-2 .1-1.9-2.2-3.3-3.2-1.3-1-3.3-.6'
    '-3.7-2.1-.2-1 .5-2 1.6-2.5z"/><path d="M3.2 15.5c1.5-1 3.3-.1 3.9 1.5.6 1.5 2.3 2 3.7 2.6 1.6'
    '.7 1.7 3.2-.3 3.9-2.6.9-5.8-.5-7.2-2.9-1.1-1.9-1.2-4.2-.1-5.1z"/><path d="M21.5 14.5c1.7.4 '
    "2.5 2.6 1.8 4.7-.8 2.6-3.3 4.4-5.8 4.5-2 .1-3.1-1.4-2.3-2.9.7-1.3 2.4-1 3.3-2.3.9-1.4 1-4.4 3"
    '-4z"/><circle cx="12.8" cy="13.2" r="2.3"/></svg>'
)


def escape(text: object) -> str:
    """Text that is safe between tags and in quoted attributes."""
    # File names may hold bytes that are no UTF-8; Python carries them as lone surrogates.
    return html.escape(str(text).encode("utf-8", "replace").decode(), quote=True)


def header(held: str) -> str:
    """The line on top; `held` says how much there is."""
    return (
        f'<div class="top">{_LOGO}<h1>Ocelot</h1><p>composed image search</p>'
        f'<p class="held">{escape(held)}</p></div>'
    )


def suggestions(sentences: Iterable[str], leopard: bool) -> str:
    """Sentences to try, as buttons."""
    chips = [
        f'<button type="button" class="chip" data-act="say" data-value="{escape(sentence)}">'
        f"{escape(sentence)}</button>"
        for sentence in sentences
    ]
    if leopard:
        chips.insert(
            0,
            '<button type="button" class="chip" data-act="leopard">A leopard + “phone case with '
            "this image theme”</button>",
        )
    return f'<p class="label">Try</p><div class="chips">{"".join(chips)}</div>'


def status(text: str, *, busy: bool = False) -> str:
    """What is going on, for the line that screen readers follow."""
    dot = '<i class="dot" aria-hidden="true"></i>' if busy else ""
    kind = "status busy" if busy else "status"
    return f'<p class="{kind}" role="status">{dot}<span>{escape(text)}</span></p>'


def notice(text: str) -> str:
    """Something that a person should know or mend."""
    return f'<p class="notice" role="alert" dir="auto">{escape(text)}</p>' if text else ""


def steps(labels: Sequence[str], at: int) -> str:
    """The way here: each step a button, `at` the one that is shown."""
    if not labels:
        return ""
    items = [
        f'<li><button type="button" data-act="step" data-value="{number}"'
        f'{" aria-current=step" if number == at else ""} dir="auto">{escape(label)}</button></li>'
        for number, label in enumerate(labels)
    ]
    return (
        f'<nav class="steps" aria-label="Steps of this search"><ol>{"".join(items)}</ol>'
        '<button type="button" class="quiet" data-act="anew">Start anew</button></nav>'
    )


def adding(most: int) -> str:
    """Where pictures are added; `most` is the largest file, in bytes."""
    return (
        f'<div class="drop" data-most="{most}"><p>Drop pictures here, or</p><p><button '
        'type="button" class="choose">Choose pictures</button><input type="file" multiple '
        'accept="image/*,.heic,.heif,.avif,.tif,.tiff" hidden aria-label="Pictures to add"></p>'
        '</div><div class="report" role="status" aria-live="polite"></div>'
    )


@dataclass(frozen=True)
class Cards:
    """Pictures of a collection with what is known of them.

    Attributes:
        base: Where the HTTP API is, seen from the page: "./" or "../".
    """

    base: str = "./"

    def answer(self, answer: Answer, *, judging: bool = False) -> str:
        """A result: a numbered gallery, or the winner and the others once it is ranked.

        Args:
            judging: Whether a reranker is at work on it.
        """
        result, ranking = answer.result, answer.result.ranking
        if not result.hits:
            return (
                '<section class="none"><h2>Nothing was found</h2><p class="soft">The filter leaves '
                "nothing of the collection. Loosen it, or start anew.</p></section>"
            )
        slot, rest = "", list(enumerate(result.hits, 1))
        title = "In order of similarity"
        if ranking is not None and ranking.match is False:
            slot, title = self._no_match(ranking.reason), "Closest pictures"
        elif ranking is not None:
            slot = self._winner(result.hits[0], words.verdict(ranking), ranking.reason)
            rest, title = rest[1:], "More matches"
        return (
            f'<div class="slot" aria-busy="{str(judging).lower()}">{slot}</div>'
            f"{notice(words.notice(ranking))}"
            f"{self._grid(rest, title, f'{len(result.hits)} found')}"
            f"{self._panorama(answer)}{_facts(answer)}"
        )

    def similar(self, hits: Sequence[Hit], title: str) -> str:
        """The items closest to one that is called `title`."""
        cards = list(enumerate(hits, 1))
        return f'<div class="slot"></div>{self._grid(cards, f"More like “{title}”", "")}'

    def browse(self, items: Iterable[Item]) -> str:
        """Some of the collection, to start from."""
        cards = "".join(self._card(item, "") for item in items)
        return (
            '<div class="slot"></div><section><h2>From the collection</h2><p class="soft lead">'
            "Start from one of these, or give a picture of your own.</p>"
            f'<ol class="grid">{cards}</ol></section>'
        )

    def empty(self, demo: int, local: bool) -> str:
        """What to do with a collection that holds nothing.

        Args:
            demo: Pictures in the demo shop.
            local: Whether the database is a file, which one process opens at a time.
        """
        when = " while this server is stopped" if local else ""
        return (
            '<section class="none"><h2>This collection is empty</h2><p>Open “Add pictures”, or '
            f"index a folder{when}:</p>"
            "<pre><code>ocelot index PICTURES --db shop.db</code></pre>"
            '<p>Or look around in a shop that we have drawn:</p><p><button type="button" '
            f'class="primary" data-act="demo">Fill it with the demo shop</button></p>'
            f'<p class="soft">{words.count(demo)}; takes some seconds.</p></section>'
        )

    def filling(self, done: int, total: int) -> str:
        """How far indexing the demo shop is."""
        value = f' value="{done}"' if done else ""  # without a value, the bar only moves
        text = f"{done:,} of {total:,} pictures" if done else f"Copying {words.count(total)}…"
        return (
            '<section class="none"><h2>Filling the collection</h2><progress '
            f'aria-label="Pictures indexed" max="{total}"{value}></progress>'
            f'<p class="soft">{text}</p></section>'
        )

    def _winner(self, hit: Hit, verdict: str, reason: str) -> str:
        chips = "".join(
            f'<li dir="auto"><span>{escape(key)}</span> {escape(value)}</li>'
            for key, value in words.fields(hit.metadata)[:8]
        )
        fields = f'<ul class="fields">{chips}</ul>' if chips else ""
        return (
            f'<article class="winner" data-id="{escape(hit.id)}">{self._tile(hit, _LARGE)}'
            f'<div class="words"><span class="best">{verdict}</span>'
            f'<h2 dir="auto">{escape(hit.title)}</h2>{_price(hit)}{_place(1, hit)}'
            f"{_why(reason, 'Why this one')}"
            f"{fields}{_buttons(hit)}</div></article>"
        )

    def _no_match(self, reason: str) -> str:
        return (
            '<div class="none left"><h2>Nothing here fits</h2><p class="soft">The pictures below '
            "come closest, but none of them is what was asked for.</p>"
            f"{_why(reason, '')}</div>"
        )

    def _grid(self, ranked: Iterable[tuple[int, Hit]], title: str, count: str) -> str:
        cards = [(rank, self._card(hit, _place(rank, hit))) for rank, hit in ranked]
        if not cards:
            return ""
        first = cards[0][0]
        return (
            f'<section><h2 dir="auto">{escape(title)} <span class="count">{count}</span></h2>'
            f'<ol class="grid" start="{first}">{"".join(card for _, card in cards)}</ol></section>'
        )

    def _card(self, hit: Item, place: str) -> str:
        said = escape(words.summary(hit.metadata))
        summary = f'<p class="summary" dir="auto">{said}</p>' if said else ""
        return (
            f'<li class="card" data-id="{escape(hit.id)}">{self._tile(hit, _SMALL)}{place}'
            f'<h3 dir="auto">{escape(hit.title)}</h3>{_price(hit)}{summary}{_buttons(hit)}</li>'
        )

    def _tile(self, hit: Item, size: int) -> str:
        source = f"{self.base}v1/items/{escape(hit.id)}/image?size={size}"
        return (
            f'<div class="tile"><img src="{source}" alt="{escape(hit.title)}" decoding="async">'
            "</div>"
        )

    def _panorama(self, answer: Answer) -> str:
        if answer.panorama is None:
            return ""
        ranking, key = answer.result.ranking, escape(answer.panorama)
        looked = ranking is not None and ranking.reranker != "fusion"  # fusion compares numbers
        title = "What the language model was shown" if looked else "All at a glance"
        return (
            f'<details class="panel" data-key="panorama-{key}"><summary>{title}</summary><figure>'
            f'<img src="{self.base}v1/panoramas/{key}" loading="lazy" decoding="async" '
            'alt="The query and the numbered pictures that were found, side by side"><figcaption>'
            "The query with its blue border, and what was found in order of similarity, counted "
            "from 0.</figcaption></figure></details>"
        )


def _facts(answer: Answer) -> str:
    rows = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in words.facts(answer.result)
    )
    key = escape(answer.panorama or "")
    return (
        f'<details class="panel" data-key="facts-{key}"><summary>How this answer was made'
        f"</summary><dl>{rows}</dl></details>"
    )


def _buttons(hit: Item) -> str:
    buttons = "".join(
        f'<button type="button" data-act="{act}" data-value="{escape(hit.id)}">{label}'
        f'<span class="hidden">: {escape(hit.title)}</span></button>'
        for act, label in (("similar", "More like this"), ("use", "Use as query"))
    )
    return f'<div class="acts">{buttons}</div>'


def _why(reason: str, lead: str) -> str:
    if not reason.strip():
        return ""
    strong = f"<strong>{lead}</strong>" if lead else ""
    return f'<div class="why" dir="auto">{strong}{escape(reason.strip())}</div>'


def _place(rank: int, hit: Hit) -> str:
    moved = words.movement(hit)
    mark = ""
    if moved is not None:
        kind, text = moved
        arrow = "▲" if kind == "up" else "▼"
        mark = f'<span class="{kind}"><span aria-hidden="true">{arrow}</span> {text}</span>'
    return (
        f'<p class="place"><b>{ordinal(rank)}</b>{mark}<span>similarity {hit.score:.2f}</span></p>'
    )


def _price(hit: Item) -> str:
    shown = escape(words.price(hit.metadata))
    return f'<p class="price"><span class="hidden">Price </span>{shown}</p>' if shown else ""
