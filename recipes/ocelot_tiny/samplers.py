"""Samplers of triplets: reference picture, text and target, from photographs and drawings.

A picture serves several queries: it is the reference of one, the target of another, and a
negative of the rest. Everything is decided by the given random generator, so a resumed run sees
the same data in the same order.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ocelot.errors import ConfigurationError
from recipes.ocelot_tiny.batch_plan import ANY, NONE, OPEN, BatchPlan, PictureSpec, Subjects, Traits
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product
from recipes.ocelot_tiny.colours import FAMILIES, SHADES, random_rgb
from recipes.ocelot_tiny.drawings import Theme, Triplet, Wanted, sample_triplets, subjects_of
from recipes.ocelot_tiny.wording import phrase
from recipes.ocelot_tiny.words import spoken

__all__ = ["SAMPLERS", "add_triplets", "missing_for", "sample_plan"]

_FIRST_PHOTOGRAPH = 1000  # items and prints of the catalogue have smaller numbers

_PRODUCT_IDS: Mapping[str, int] = {kind: number for number, kind in enumerate(KINDS)}
_COLOUR_IDS: Mapping[str, int] = {colour: number for number, colour in enumerate(COLOURS)}
_PATTERN_IDS: Mapping[str, int] = {pattern: number for number, pattern in enumerate(PATTERNS)}
_SHADE_IDS: Mapping[str, int] = {
    shade: number for number, shade in enumerate(s for f in SHADES.values() for s in f)
}


def sample_plan(rng: random.Random, subjects: Subjects, groups: Mapping[str, int]) -> BatchPlan:
    """Plan a batch: so many groups of each sampler, or as many as there are subjects for.

    Args:
        groups: Sampler (a key of `SAMPLERS`) to its number of groups.

    Raises:
        ConfigurationError: There are no subjects for a sampler.
    """
    plan = BatchPlan()
    for name, make in SAMPLERS.items():
        if groups.get(name):
            if needed := missing_for(subjects, name):
                raise ConfigurationError(f"[groups] {name} needs {needed}: see [data].")
            make(rng, subjects, plan, groups[name])
    return plan


def missing_for(subjects: Subjects, sampler: str) -> str:
    """What a sampler needs and the subjects lack; "" if nothing is missing."""
    if sampler == "recolourings" and not subjects.articles:
        return "photographs of one article that can be cut out"
    if sampler in ("views", "prints") and not subjects.photographs:
        return "photographs"
    if sampler == "prints" and len(subjects.products) < 2:
        return "empty products of two kinds"
    return ""


def recolourings(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """One garment in three colours: "the same shirt in navy".

    Four garments of a kind at a time, so that style and not kind must tell them apart.
    """
    for number in _clusters(rng, subjects.articles, count):
        photograph = subjects.photographs[number]
        variants: list[tuple[int, str | None, str]] = []  # picture, colour family, shade
        if rng.random() < 0.6:
            picture = plan.add(_photograph(rng, subjects, number))
            variants.append((picture, photograph.colour, photograph.colour or ""))
        families = [family for family in FAMILIES if family != photograph.colour]
        for family in rng.sample(families, 3 - len(variants)):
            shade = rng.choice(list(SHADES[family])) if rng.random() < 0.5 else family
            picture = plan.add(_photograph(rng, subjects, number, family, shade))
            variants.append((picture, family, shade))
        for place, (picture, colour, shade) in enumerate(variants):
            if colour is None:
                continue
            reference = variants[(place + rng.choice((1, 2))) % 3][0]
            text = phrase(rng, "colour", kind=spoken(photograph.kind), colour=shade, fillers=True)
            wanted = OPEN._replace(item=_item(number), colour=_COLOUR_IDS[colour])
            if shade != colour:
                wanted = wanted._replace(shade=_SHADE_IDS[shade])
            plan.ask(reference, text, picture, wanted)


def views(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """Two views of one photograph, for search by picture alone."""
    garments = (
        count // 2 if subjects.whole and subjects.articles else count * bool(subjects.articles)
    )
    for number in _clusters(rng, subjects.articles, garments):
        colour = rng.choice(FAMILIES) if rng.random() < 0.5 else None
        first, second = (
            plan.add(_photograph(rng, subjects, number, colour, colour)) for _ in range(2)
        )
        traits = plan.pictures[second].traits
        plan.ask(first, None, second, OPEN._replace(item=traits.item, colour=traits.colour))
    for number in _clusters(rng, subjects.whole, count - garments):
        first, second = (plan.add(_photograph(rng, subjects, number)) for _ in range(2))
        plan.ask(first, None, second, OPEN._replace(item=_item(number)))


def prints(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """A picture printed on two products: "phone case with this image theme".

    Runs of four pictures go onto the same kinds, so that the print must tell them apart.
    """
    kinds: list[str] = []
    for place in range(count):
        if place % 4 == 0:
            kinds = rng.sample(list(subjects.products), 2)
            if rng.random() < 0.35 and subjects.articles:
                kinds[1] = rng.choice(list(subjects.articles))
        theme = rng.randrange(len(subjects.photographs))
        seen = plan.add(_photograph(rng, subjects, theme, setting=rng.choice(("own", "close"))))
        made = [plan.add(_printed(rng, subjects, kind, theme)) for kind in kinds]
        for kind, picture, other in zip(kinds, made, reversed(made), strict=True):
            reference = seen if rng.random() < 0.75 else other
            wanted = OPEN._replace(kind=_kind(kind), printed=_item(theme))
            text = phrase(rng, "print", kind=kind, fillers=True)
            plan.ask(reference, text, picture, wanted)


def drawings(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """Theme, colour, pattern and kind changes, views and words of the drawn catalogue."""
    add_triplets(plan, sample_triplets(rng, count))


def add_triplets(plan: BatchPlan, triplets: Sequence[Triplet]) -> None:
    """Triplets of the catalogue: their targets, then their references, as `subjects_of` says."""
    first = len(plan.pictures)
    for subject in subjects_of(triplets):
        plan.add(PictureSpec("drawing", subject, _drawn(subject)))
    reference = first + len(triplets)
    for place, triplet in enumerate(triplets):
        seen = None
        if triplet.reference is not None:
            seen, reference = reference, reference + 1
        plan.ask(seen, triplet.text, first + place, _asked(triplet.wanted))


def words(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """Words alone, for pictures that the plan has already: "shoes", "a blue polo", "kettles"."""
    shown = [
        number
        for number, spec in enumerate(plan.pictures)
        if spec.source == "stencil"
        or (spec.source == "photograph" and spec.printed is None and spec.setting != "close")
    ]
    for number in rng.sample(shown, min(count, len(shown))):
        text, wanted = _described(rng, subjects, plan.pictures[number])
        plan.ask(None, text, number, wanted)


def _described(rng: random.Random, subjects: Subjects, spec: PictureSpec) -> tuple[str, Traits]:
    """What words say of a picture, and what they ask for."""
    assert isinstance(spec.subject, int)
    wanted = OPEN._replace(kind=spec.traits.kind)
    if spec.source == "stencil":
        kind, _ = subjects.stencils[spec.subject]
        return phrase(rng, "words of kind", kind=kind, fillers=True), wanted
    photograph = subjects.photographs[spec.subject]
    kind, sort = spoken(photograph.kind), spoken(photograph.sort)
    if sort != kind and rng.random() < 0.3:
        wanted = wanted._replace(sort=spec.traits.sort)
        return phrase(rng, "words of kind", kind=sort, fillers=True), wanted
    if spec.traits.colour >= 0 and rng.random() < 0.4:
        wanted = wanted._replace(colour=spec.traits.colour)
        colour = FAMILIES[spec.traits.colour]
        return phrase(rng, "words of colour", kind=kind, colour=colour, fillers=True), wanted
    return phrase(rng, "words of kind", kind=kind, fillers=True), wanted


Sampler = Callable[[random.Random, Subjects, BatchPlan, int], None]

# In this order: `words` asks for pictures of the others, so it comes last.
SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
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
    subjects: Subjects,
    number: int,
    family: str | None = None,
    shade: str | None = None,
    setting: str | None = None,
) -> PictureSpec:
    photograph = subjects.photographs[number]
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
    return PictureSpec("photograph", number, traits, setting, rgb)


def _printed(rng: random.Random, subjects: Subjects, kind: str, theme: int) -> PictureSpec:
    if kind in subjects.products:
        number = rng.choice(subjects.products[kind])
        traits = Traits(kind=_kind(kind), printed=_item(theme))
        return PictureSpec("stencil", number, traits, printed=theme)
    number = rng.choice(subjects.articles[kind])
    traits = Traits(kind=_kind(kind), printed=_item(theme))
    return PictureSpec("photograph", number, traits, "elsewhere", printed=theme)


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
