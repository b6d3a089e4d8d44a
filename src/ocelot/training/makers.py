"""Triplet makers: reference picture, text, and the picture meant, from photographs and drawings.

Pictures serve several queries: a reference here is a target there, and all are negatives
elsewhere. Every draw is decided by the random generator given, so a resumed run sees the same
data in the same order.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ocelot.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product
from ocelot.errors import ConfigurationError
from ocelot.training.colours import FAMILIES, SHADES, random_rgb
from ocelot.training.drawings import Theme, Triplet, Wanted, draw_batch, subjects_of
from ocelot.training.triplets import ANY, NONE, OPEN, Draft, Shot, Source, Traits
from ocelot.training.wording import phrase
from ocelot.training.words import spoken

__all__ = ["MAKERS", "add_triplets", "draw_draft", "lacks"]

_FIRST_PHOTOGRAPH = 1000  # the ids of items and prints below it are the catalogue's

_PRODUCT_IDS: Mapping[str, int] = {kind: number for number, kind in enumerate(KINDS)}
_COLOUR_IDS: Mapping[str, int] = {colour: number for number, colour in enumerate(COLOURS)}
_PATTERN_IDS: Mapping[str, int] = {pattern: number for number, pattern in enumerate(PATTERNS)}
_SHADE_IDS: Mapping[str, int] = {
    shade: number for number, shade in enumerate(s for f in SHADES.values() for s in f)
}


def draw_draft(rng: random.Random, source: Source, shares: Mapping[str, int]) -> Draft:
    """A batch: so many groups of each maker, or as many as the source has.

    Args:
        shares: Maker (a key of `MAKERS`) to its number of groups; other keys are passed over.

    Raises:
        ConfigurationError: The source has nothing that a maker could draw from.
    """
    draft = Draft()
    for name, make in MAKERS.items():
        if shares.get(name):
            if needed := lacks(source, name):
                raise ConfigurationError(f"[groups] {name} needs {needed}: see [data].")
            make(rng, source, draft, shares[name])
    return draft


def lacks(source: Source, maker: str) -> str:
    """What a maker needs and the source has not; "" where nothing is missing."""
    if maker == "recolourings" and not source.articles:
        return "photographs of one article that can be cut out"
    if maker in ("views", "prints") and not source.photographs:
        return "photographs"
    if maker == "prints" and len(source.products) < 2:
        return "empty products of two kinds"
    return ""


def recolourings(rng: random.Random, source: Source, draft: Draft, count: int) -> None:
    """One garment in three colours: "the same shirt in navy".

    Four garments of a kind at a time, so that style and not kind must tell them apart.
    """
    for number in _clusters(rng, source.articles, count):
        photograph = source.photographs[number]
        variants: list[tuple[int, str | None, str]] = []  # picture, colour family, shade
        if rng.random() < 0.6:
            picture = draft.add(_photograph(rng, source, number))
            variants.append((picture, photograph.colour, photograph.colour or ""))
        families = [family for family in FAMILIES if family != photograph.colour]
        for family in rng.sample(families, 3 - len(variants)):
            shade = rng.choice(list(SHADES[family])) if rng.random() < 0.5 else family
            picture = draft.add(_photograph(rng, source, number, family, shade))
            variants.append((picture, family, shade))
        for place, (picture, colour, shade) in enumerate(variants):
            if colour is None:
                continue
            reference = variants[(place + rng.choice((1, 2))) % 3][0]
            text = phrase(rng, "colour", kind=spoken(photograph.kind), colour=shade, fillers=True)
            wanted = OPEN._replace(item=_item(number), colour=_COLOUR_IDS[colour])
            if shade != colour:
                wanted = wanted._replace(shade=_SHADE_IDS[shade])
            draft.ask(reference, text, picture, wanted)


def views(rng: random.Random, source: Source, draft: Draft, count: int) -> None:
    """Two views of one photograph, for search by picture alone."""
    garments = count // 2 if source.whole and source.articles else count * bool(source.articles)
    for number in _clusters(rng, source.articles, garments):
        colour = rng.choice(FAMILIES) if rng.random() < 0.5 else None
        first, second = (
            draft.add(_photograph(rng, source, number, colour, colour)) for _ in range(2)
        )
        traits = draft.shots[second].traits
        draft.ask(first, None, second, OPEN._replace(item=traits.item, colour=traits.colour))
    for number in _clusters(rng, source.whole, count - garments):
        first, second = (draft.add(_photograph(rng, source, number)) for _ in range(2))
        draft.ask(first, None, second, OPEN._replace(item=_item(number)))


def prints(rng: random.Random, source: Source, draft: Draft, count: int) -> None:
    """A picture printed on two products: "phone case with this image theme".

    Runs of four pictures go onto the same kinds, so that the print must tell them apart.
    """
    kinds: list[str] = []
    for place in range(count):
        if place % 4 == 0:
            kinds = rng.sample(list(source.products), 2)
            if rng.random() < 0.35 and source.articles:
                kinds[1] = rng.choice(list(source.articles))
        theme = rng.randrange(len(source.photographs))
        seen = draft.add(_photograph(rng, source, theme, setting=rng.choice(("own", "close"))))
        made = [draft.add(_printed(rng, source, kind, theme)) for kind in kinds]
        for kind, picture, other in zip(kinds, made, reversed(made), strict=True):
            reference = seen if rng.random() < 0.75 else other
            wanted = OPEN._replace(kind=_kind(kind), printed=_item(theme))
            text = phrase(rng, "print", kind=kind, fillers=True)
            draft.ask(reference, text, picture, wanted)


def drawings(rng: random.Random, source: Source, draft: Draft, count: int) -> None:
    """Theme, colour, pattern and kind changes, views and words of the drawn catalogue."""
    add_triplets(draft, draw_batch(rng, count))


def add_triplets(draft: Draft, triplets: Sequence[Triplet]) -> None:
    """Triplets of the catalogue: their targets, then their references, as `subjects_of` says."""
    first = len(draft.shots)
    for subject in subjects_of(triplets):
        draft.add(Shot("drawing", subject, _drawn(subject)))
    reference = first + len(triplets)
    for place, triplet in enumerate(triplets):
        seen = None
        if triplet.reference is not None:
            seen, reference = reference, reference + 1
        draft.ask(seen, triplet.text, first + place, _asked(triplet.wanted))


def words(rng: random.Random, source: Source, draft: Draft, count: int) -> None:
    """Words alone, for pictures that the draft has already: "shoes", "a blue polo", "kettles"."""
    shown = [
        number
        for number, shot in enumerate(draft.shots)
        if shot.source == "stencil"
        or (shot.source == "photograph" and shot.printed is None and shot.setting != "close")
    ]
    for number in rng.sample(shown, min(count, len(shown))):
        text, wanted = _described(rng, source, draft.shots[number])
        draft.ask(None, text, number, wanted)


def _described(rng: random.Random, source: Source, shot: Shot) -> tuple[str, Traits]:
    """What words say of a picture, and what they ask for."""
    assert isinstance(shot.subject, int)
    wanted = OPEN._replace(kind=shot.traits.kind)
    if shot.source == "stencil":
        kind, _ = source.stencils[shot.subject]
        return phrase(rng, "words of kind", kind=kind, fillers=True), wanted
    photograph = source.photographs[shot.subject]
    kind, sort = spoken(photograph.kind), spoken(photograph.sort)
    if sort != kind and rng.random() < 0.3:
        wanted = wanted._replace(sort=shot.traits.sort)
        return phrase(rng, "words of kind", kind=sort, fillers=True), wanted
    if shot.traits.colour >= 0 and rng.random() < 0.4:
        wanted = wanted._replace(colour=shot.traits.colour)
        colour = FAMILIES[shot.traits.colour]
        return phrase(rng, "words of colour", kind=kind, colour=colour, fillers=True), wanted
    return phrase(rng, "words of kind", kind=kind, fillers=True), wanted


Maker = Callable[[random.Random, Source, Draft, int], None]

# In this order: `words` asks for pictures of the others, so it comes last.
MAKERS: Mapping[str, Maker] = MappingProxyType(
    {
        "recolourings": recolourings,
        "views": views,
        "prints": prints,
        "drawings": drawings,
        "words": words,
    }
)


def _clusters(
    rng: random.Random, members: Mapping[str, Sequence[int]], count: int, size: int = 4
) -> list[int]:
    """Different photographs, mostly several of one kind; large kinds come a little more often.

    Fewer than `count` where there are no more.
    """
    kinds = list(members)
    weights = [math.sqrt(len(members[kind])) for kind in kinds]
    count = min(count, sum(map(len, members.values())))
    drawn: dict[int, None] = {}  # a set in the order drawn
    while len(drawn) < count:
        kind = rng.choices(kinds, weights)[0]
        fresh = rng.sample(list(members[kind]), min(size, len(members[kind])))
        drawn |= dict.fromkeys(fresh)
    return list(drawn)[:count]


def _photograph(
    rng: random.Random,
    source: Source,
    number: int,
    family: str | None = None,
    shade: str | None = None,
    setting: str | None = None,
) -> Shot:
    photograph = source.photographs[number]
    if setting is None:
        setting = "elsewhere" if photograph.article and rng.random() < 0.7 else "own"
    if family is None:
        colour = ANY if photograph.colour is None else _COLOUR_IDS[photograph.colour]
        named = ANY
    else:
        colour, named = _COLOUR_IDS[family], _SHADE_IDS[shade or family]
    traits = Traits(
        item=_item(number),
        kind=_kind(photograph.kind),
        sort=_kind(photograph.sort),
        colour=colour if photograph.article else NONE,
        shade=named,
    )
    rgb = None if family is None else random_rgb(rng, family, shade or family)
    return Shot("photograph", number, traits, setting, rgb)


def _printed(rng: random.Random, source: Source, kind: str, theme: int) -> Shot:
    if kind in source.products:
        number = rng.choice(source.products[kind])
        traits = Traits(kind=_kind(kind), printed=_item(theme))
        return Shot("stencil", number, traits, printed=theme)
    number = rng.choice(source.articles[kind])
    traits = Traits(kind=_kind(kind), printed=_item(theme))
    return Shot("photograph", number, traits, "elsewhere", printed=theme)


def _drawn(subject: Product | Theme) -> Traits:
    if isinstance(subject, Theme):
        return Traits()
    return Traits(
        item=_article(subject.kind, subject.style),
        kind=_kind(subject.kind),
        printed=_PATTERN_IDS[subject.pattern],
        colour=_COLOUR_IDS[subject.colour],
    )


def _asked(wanted: Wanted) -> Traits:
    item = ANY
    if wanted.kind is not None and wanted.style is not None:
        item = _article(wanted.kind, wanted.style)
    return OPEN._replace(
        item=item,
        kind=ANY if wanted.kind is None else _kind(wanted.kind),
        printed=ANY if wanted.pattern is None else _PATTERN_IDS[wanted.pattern],
        colour=ANY if wanted.colour is None else _COLOUR_IDS[wanted.colour],
    )


def _article(kind: str, style: int) -> int:
    return _PRODUCT_IDS[kind] * 16 + style


def _item(photograph: int) -> int:
    return _FIRST_PHOTOGRAPH + photograph


def _kind(word: str) -> int:
    # The same number in every process, and in a run that is resumed.
    return zlib.crc32(word.encode())
