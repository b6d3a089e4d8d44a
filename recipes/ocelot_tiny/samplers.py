"""Samplers of triplets: reference picture, text and target, from photographs and drawings.

A picture serves several queries: it is the reference of one, the target of another, and a
negative of the rest. Everything is decided by the given random generator, so a resumed run sees
the same data in the same order.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from ocelot.errors import ConfigurationError
from recipes.ocelot_tiny.batch_plan import ANY, OPEN, BatchPlan, PictureSpec, Subjects, Traits
from recipes.ocelot_tiny.catalogue.vocabulary import KINDS, PATTERNS, Product
from recipes.ocelot_tiny.colours import FAMILIES, SHADES
from recipes.ocelot_tiny.drawings import Theme, Triplet, Wanted, sample_triplets, subjects_of
from recipes.ocelot_tiny.listing_samplers import (
    designs,
    listed,
    listed_pictures,
    matches,
    themes,
    titles,
)
from recipes.ocelot_tiny.pictures import (
    COLOUR_IDS,
    clusters,
    item_of,
    kind_id,
    number_in_pool,
    photograph,
)
from recipes.ocelot_tiny.wording import phrase
from recipes.ocelot_tiny.words import spoken

__all__ = ["SAMPLERS", "add_triplets", "missing_for", "sample_plan"]


_PRODUCT_IDS: Mapping[str, int] = {kind: number for number, kind in enumerate(KINDS)}
_PATTERN_IDS: Mapping[str, int] = {pattern: number for number, pattern in enumerate(PATTERNS)}


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
                raise ConfigurationError(
                    f"[groups] {name} needs {needed}: see [photographs] and [tables]."
                )
            make(rng, subjects, plan, groups[name])
    return plan


def missing_for(subjects: Subjects, sampler: str) -> str:
    """What a sampler needs and the subjects lack; "" if nothing is missing."""
    if sampler == "recolourings" and not (subjects.articles or subjects.recolourable):
        return "photographs of one article that can be cut out"
    if sampler in ("views", "prints") and not subjects.photographs:
        return "photographs"
    if sampler == "prints" and len(subjects.products) < 2:
        return "empty products of two kinds"
    if sampler == "designs" and not subjects.designs:
        return "tables with designs in several colours"
    if sampler == "matches" and not subjects.coloured:
        return "tables with colours"
    if sampler == "themes" and "phone case" not in subjects.printable:
        return "tables with phone cases"
    if sampler in ("listed", "titles") and not subjects.listed:
        return "tables"
    return ""


def recolourings(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """One garment in three colours: "the same shirt in navy".

    Four garments of a kind at a time, so that style and not kind must tell them apart.
    """
    tables = 2 * count // 3 if subjects.articles and subjects.recolourable else 0
    first, second = subjects.articles or subjects.recolourable, subjects.recolourable
    for number in (*clusters(rng, first, count - tables), *clusters(rng, second, tables)):
        shown = subjects.photographs[number]
        variants: list[tuple[int, str | None, str]] = []  # picture, colour family, shade
        if rng.random() < 0.6:
            picture = plan.add(photograph(rng, subjects, number))
            own = shown.listing.colour if shown.listing else shown.colour
            variants.append((picture, shown.colour, own or ""))
        families = [family for family in FAMILIES if family != shown.colour]
        for family in rng.sample(families, 3 - len(variants)):
            shade = rng.choice(list(SHADES[family])) if rng.random() < 0.5 else family
            picture = plan.add(photograph(rng, subjects, number, family, shade))
            variants.append((picture, family, shade))
        for place, (picture, colour, shade) in enumerate(variants):
            if colour is None:
                continue
            reference = variants[(place + rng.choice((1, 2))) % 3][0]
            text = phrase(rng, "colour", kind=spoken(shown.kind), colour=shade, fillers=True)
            wanted = OPEN._replace(item=item_of(subjects, number), colour=COLOUR_IDS[colour])
            if shade != colour:
                wanted = wanted._replace(shade=kind_id(shade))
            plan.ask(reference, text, picture, wanted)


def views(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """Two views of one photograph, for search by picture alone."""
    tables = count // 2 if subjects.listed else 0
    for number in listed_pictures(rng, subjects, tables):
        first, second = (plan.add(photograph(rng, subjects, number)) for _ in range(2))
        traits = plan.pictures[second].traits
        plan.ask(first, None, second, OPEN._replace(item=traits.item, shade=traits.shade))
    count -= tables
    garments = (
        count // 2 if subjects.whole and subjects.articles else count * bool(subjects.articles)
    )
    for number in clusters(rng, subjects.articles, garments):
        colour = rng.choice(FAMILIES) if rng.random() < 0.5 else None
        first, second = (
            plan.add(photograph(rng, subjects, number, colour, colour)) for _ in range(2)
        )
        traits = plan.pictures[second].traits
        plan.ask(first, None, second, OPEN._replace(item=traits.item, colour=traits.colour))
    for number in clusters(rng, subjects.whole, count - garments):
        first, second = (plan.add(photograph(rng, subjects, number)) for _ in range(2))
        plan.ask(first, None, second, OPEN._replace(item=item_of(subjects, number)))


def prints(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """A picture printed on two products: "phone case with this image theme".

    Runs of four pictures go onto the same kinds, so that the print must tell them apart.
    """
    kinds: list[str] = []
    for place in range(count):
        if place % 4 == 0:
            kinds = _printed_kinds(rng, subjects)
        theme = printed = _theme(rng, subjects)
        task = "print"
        if (same := subjects.alike.get(theme)) and rng.random() < 0.65:
            # The theme and not the picture: a panda, printed as somebody else draws it.
            task, printed = "theme", rng.choice([other for other in same if other != theme])
        tiled = subjects.photographs[printed].article and rng.random() < 0.6
        seen = plan.add(photograph(rng, subjects, theme, setting=rng.choice(("own", "close"))))
        made = [plan.add(_printed(rng, subjects, kind, printed, tiled)) for kind in kinds]
        for kind, picture, other in zip(kinds, made, reversed(made), strict=True):
            reference = seen if rng.random() < 0.75 else other
            wanted = OPEN._replace(kind=kind_id(kind), printed=item_of(subjects, printed))
            text = phrase(rng, task, kind=kind, fillers=True)
            plan.ask(reference, text, picture, wanted)
            listing = subjects.photographs[theme].listing
            if listing and tiled and rng.random() < 0.5:
                name = rng.choice((listing.title, *listing.keywords[:3]))
                words = phrase(rng, "words of pattern", kind=kind, pattern=name, fillers=True)
                plan.ask(None, words, picture, wanted)


def _printed_kinds(rng: random.Random, subjects: Subjects) -> list[str]:
    """Choose two kinds of things to print on: drawn products, garments, products of tables."""
    kinds = rng.sample(list(subjects.products), 2)
    if subjects.printable and rng.random() < 0.6:
        kinds[0] = "phone case" if rng.random() < 0.6 else rng.choice(list(subjects.printable))
    if subjects.articles and rng.random() < 0.35:
        kinds[1] = rng.choice(list(subjects.articles))
    elif subjects.printable and rng.random() < 0.5:
        kinds[1] = rng.choice(list(subjects.printable))
    if kinds[0] == kinds[1]:
        kinds[1] = rng.choice([kind for kind in subjects.products if kind != kinds[0]])
    return kinds


def _theme(rng: random.Random, subjects: Subjects) -> int:
    """A picture to print: any, but often a named thing or a surface."""
    draw = rng.random()
    if subjects.concepts and draw < 0.45:
        return rng.choice(subjects.concepts)
    if subjects.surfaces and draw < 0.6:
        return rng.choice(subjects.surfaces)
    return rng.randrange(len(subjects.photographs))


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
        or (
            spec.source == "photograph"
            and spec.printed is None
            and spec.setting != "close"
            and subjects.photographs[number_in_pool(spec)].listing is None
        )
    ]
    for number in rng.sample(shown, min(count, len(shown))):
        text, wanted = _described(rng, subjects, plan.pictures[number])
        plan.ask(None, text, number, wanted)


def _described(rng: random.Random, subjects: Subjects, spec: PictureSpec) -> tuple[str, Traits]:
    """What words say of a picture, and what they ask for."""
    number = number_in_pool(spec)
    wanted = OPEN._replace(kind=spec.traits.kind)
    if spec.source == "stencil":
        kind, _ = subjects.stencils[number]
        return phrase(rng, "words of kind", kind=kind, fillers=True), wanted
    shown = subjects.photographs[number]
    kind, sort = spoken(shown.kind), spoken(shown.sort)
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
        "designs": designs,
        "matches": matches,
        "themes": themes,
        "listed": listed,
        "titles": titles,
        "words": words,
    }
)


def _printed(
    rng: random.Random, subjects: Subjects, kind: str, theme: int, tiled: bool
) -> PictureSpec:
    traits = Traits(kind=kind_id(kind), printed=item_of(subjects, theme))
    real = subjects.printable.get(kind) or subjects.articles.get(kind)
    drawn = subjects.products.get(kind)
    if drawn and (not real or rng.random() < 0.3):
        return PictureSpec("stencil", rng.choice(drawn), traits, printed=theme, tiled=tiled)
    assert real
    number = rng.choice(real)
    setting = "own" if subjects.photographs[number].listing and rng.random() < 0.7 else "elsewhere"
    return PictureSpec("photograph", number, traits, setting, printed=theme, tiled=tiled)


def _drawn(subject: Product | Theme) -> Traits:
    if isinstance(subject, Theme):
        return Traits()
    return Traits(
        item=_article(subject.kind, subject.style),
        kind=kind_id(subject.kind),
        printed=_PATTERN_IDS[subject.pattern],
        colour=COLOUR_IDS[subject.colour],
    )


def _asked(wanted: Wanted) -> Traits:
    item = ANY
    if wanted.kind is not None and wanted.style is not None:
        item = _article(wanted.kind, wanted.style)
    return OPEN._replace(
        item=item,
        kind=ANY if wanted.kind is None else kind_id(wanted.kind),
        printed=ANY if wanted.pattern is None else _PATTERN_IDS[wanted.pattern],
        colour=ANY if wanted.colour is None else COLOUR_IDS[wanted.colour],
    )


def _article(kind: str, style: int) -> int:
    return _PRODUCT_IDS[kind] * 16 + style
