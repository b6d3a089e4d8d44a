"""A search result as one HTML file: nothing in it is loaded from anywhere else.

Pictures are inside as data URLs, a content security policy forbids everything else, and whatever
comes from files, metadata or a language model is escaped by :func:`_escape`.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from string import Template
from typing import TYPE_CHECKING, Any

from ocelot.errors import ImageError, ItemNotFound
from ocelot.images.decode import encode_jpeg
from ocelot.render import words
from ocelot.rerankers.fusion import ordinal

if TYPE_CHECKING:
    from PIL import Image

    from ocelot.images.file import ImageFile
    from ocelot.images.store import ImageStore
    from ocelot.types import Hit, Query, Ranking, Result

__all__ = ["render_page"]

_SMALL, _LARGE, _WIDE = 360, 720, 1600  # longest side of pictures in the page, in pixels

_NO_PICTURE = (
    '<div class="missing"><svg viewBox="0 0 24 24" aria-hidden="true"><rect x="3" y="4" '
    'width="18" height="16" rx="2"/><path d="m3 17 5-5 4 4 3-3 6 5M15.5 8.5h.01"/></svg>'
    "picture not found</div>"
)


def render_page(
    result: Result,
    images: ImageStore,
    *,
    panorama: Image.Image | None = None,
    limit: int | None = None,
    version: str = "",
) -> str:
    """A page that shows a result: query, winner and reason, the other hits, how it was made.

    Args:
        images: Where the hits' pictures are read from.
        panorama: The picture that the reranker saw; None leaves that part out.
        limit: Show at most this many hits; None shows all.
        version: Of Ocelot, for the last line.

    Returns:
        HTML in Unicode, to be saved as UTF-8. Pictures that cannot be read are neutral tiles.
    """
    hits = result.hits if limit is None else result.hits[: max(limit, 0)]
    made = f"Made by Ocelot {version}".strip()
    return Template(_template()).substitute(
        title=_escape(f"{result.query.text or 'Search by picture'} · Ocelot"),
        query=_query(result.query),
        answer=_answer(result, images),
        notice=_notice(result.ranking),
        others=_others(result, hits, images),
        panorama=_panorama(panorama, result.ranking),
        facts=_facts(result),
        footer=_escape(f"{made}. This page is one file: nothing in it is loaded from elsewhere."),
    )


@cache
def _template() -> str:
    return files("ocelot.render").joinpath("page.html").read_text(encoding="utf-8")


def _query(query: Query) -> str:
    count = len(query.images)
    plain = "These pictures" if count > 1 else "This picture"
    name = f'<h1 dir="auto">“{_escape(query.text)}”</h1>' if query.text else f"<h1>{plain}</h1>"
    words = f'<div><p class="label">You asked for</p>{name}</div>'
    if not count:
        return f'<section class="query plain">{words}</section>'
    if count == 1:
        tile = _tile(_reference(query.images[0], _SMALL), "The picture that was given")
        return f'<section class="query">{tile}{words}</section>'
    tiles = "".join(
        _tile(_reference(image, _SMALL), f"Picture {number} of the {count} that were given")
        for number, image in enumerate(query.images, 1)
    )
    return f'<section class="query several"><div class="references">{tiles}</div>{words}</section>'


def _answer(result: Result, images: ImageStore) -> str:
    winner, ranking = result.best, result.ranking
    reason = ranking.reason.strip() if ranking is not None else ""
    if not result.hits:
        return (
            '<section class="none"><h2>Nothing was found</h2><p class="soft">The collection is '
            "empty, or the filter and the least score leave nothing of it.</p></section>"
        )
    if winner is None:
        why = f'<div class="why" dir="auto">{_escape(reason)}</div>' if reason else ""
        return (
            '<section class="none"><h2>Nothing here fits</h2><p class="soft">The pictures below '
            f"come closest, but none of them is what was asked for.</p>{why}</section>"
        )
    why = (
        f'<div class="why" dir="auto"><strong>Why this one</strong>{_escape(reason)}</div>'
        if reason
        else ""
    )
    return (
        f'<section class="winner">{_tile(_stored(winner, images, _LARGE), winner.title)}'
        f'<div class="words"><span class="best">{words.verdict(ranking)}</span>'
        f'<h2 dir="auto">{_escape(winner.title)}</h2>{_price(winner.metadata)}'
        f"{_place(winner, ranking)}{why}{_chips(winner.metadata)}{_path(winner)}"
        "</div></section>"
    )


def _others(result: Result, hits: Sequence[Hit], images: ImageStore) -> str:
    first = 1 if result.best is None else 2
    cards = [_card(hit, result.ranking, images) for hit in hits[first - 1 :]]
    if not cards:
        return ""
    shown, found = len(cards) + first - 1, len(result.hits)
    count = f"{shown} of {found} found" if shown < found else f"{found} found"
    title = "Closest pictures" if result.best is None else "More matches"
    return (
        f'<section><h2>{title} <span class="count">{count}</span></h2>'
        f'<ol class="grid" start="{first}">{"".join(cards)}</ol></section>'
    )


def _card(hit: Hit, ranking: Ranking | None, images: ImageStore) -> str:
    return (
        f'<li class="card">{_tile(_stored(hit, images, _SMALL), hit.title)}{_place(hit, ranking)}'
        f'<h3 dir="auto">{_escape(hit.title)}</h3>{_price(hit.metadata)}'
        f"{_summary(hit.metadata)}{_path(hit)}</li>"
    )


def _place(hit: Hit, ranking: Ranking | None) -> str:
    moved = ""
    movement = None if ranking is None else words.movement(hit)
    if movement is not None:
        kind, was = movement
        arrow = "▲" if kind == "up" else "▼"
        moved = f'<span class="{kind}"><span aria-hidden="true">{arrow}</span> {was}</span>'
    score = f"<span>similarity {hit.score:.2f}</span>"
    return f'<p class="place"><b>{ordinal(hit.rank)}</b>{moved}{score}</p>'


def _price(metadata: Mapping[str, Any]) -> str:
    shown = words.price(metadata)
    return (
        f'<p class="price"><span class="hidden">Price </span>{_escape(shown)}</p>' if shown else ""
    )


def _summary(metadata: Mapping[str, Any]) -> str:
    text = _escape(words.summary(metadata))
    return f'<p class="summary" dir="auto">{text}</p>' if text else ""


def _chips(metadata: Mapping[str, Any]) -> str:
    chips = [
        f'<li dir="auto"><span>{_escape(key)}</span> {_escape(value)}</li>'
        for key, value in words.fields(metadata)[:8]
    ]
    return f'<ul class="fields">{"".join(chips)}</ul>' if chips else ""


def _path(hit: Hit) -> str:
    more = len(hit.paths) - 1
    copies = f" (and {more} {'copy' if more == 1 else 'copies'})" if more else ""
    return f'<p class="path">{_escape(hit.path)}{copies}</p>'


def _notice(ranking: Ranking | None) -> str:
    text = _escape(words.notice(ranking))
    return f'<p class="notice" role="note">{text}</p>' if text else ""


def _panorama(panorama: Image.Image | None, ranking: Ranking | None) -> str:
    url = None if panorama is None else _data_url(_at_most(panorama, _WIDE))
    if url is None:
        return ""
    looked = ranking is not None and ranking.reranker != "fusion"  # fusion compares numbers
    title = "What the reranker is shown" if looked else "All at a glance"
    return (
        f'<section><h2>{title}</h2><figure class="panel"><img src="{url}" decoding="async" '
        'alt="The query and the numbered pictures that were found, side by side">'
        "<figcaption>The query with its blue border, and what was found in order of similarity, "
        "counted from 0.</figcaption></figure></section>"
    )


def _facts(result: Result) -> str:
    rows = "".join(
        f"<div><dt>{_escape(name)}</dt><dd>{_escape(value)}</dd></div>"
        for name, value in words.facts(result)
    )
    return f'<section><h2>How this answer was made</h2><dl class="panel">{rows}</dl></section>'


def _tile(picture: Image.Image | None, alt: str) -> str:
    if picture is None:
        return f'<div class="tile">{_NO_PICTURE}</div>'
    url = _data_url(picture)
    return f'<div class="tile"><img src="{url}" alt="{_escape(alt)}" decoding="async"></div>'


def _stored(hit: Hit, images: ImageStore, side: int) -> Image.Image | None:
    try:
        return images.picture(hit, side)
    except (ImageError, ItemNotFound):  # the file was removed, or is no picture any more
        return None


def _reference(image: ImageFile, side: int) -> Image.Image | None:
    try:
        return _at_most(image.rgb(side), side)
    except ImageError:
        return None


def _at_most(picture: Image.Image, side: int) -> Image.Image:
    small = picture.copy()
    small.thumbnail((side, side))
    return small


def _data_url(picture: Image.Image) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(picture, quality=85)).decode()


def _escape(value: str) -> str:
    # File names may hold bytes that are no UTF-8; Python carries them as lone surrogates.
    return html.escape(value.encode("utf-8", "replace").decode(), quote=True)
