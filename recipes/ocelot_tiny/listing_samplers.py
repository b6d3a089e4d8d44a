"""Samplers of product photographs and pictures of named things, from tables.

As in `recipes.ocelot_tiny.samplers`, which has those of photographs and drawings.
"""

from __future__ import annotations

import math
import random
import re
from dataclasses import replace

from recipes.ocelot_tiny.batch_plan import ANY, OPEN, BatchPlan, Subjects, Traits
from recipes.ocelot_tiny.listings import Listing, kind_words
from recipes.ocelot_tiny.pictures import (
    COLOUR_IDS,
    FIRST_LISTING,
    clusters,
    item_of,
    kind_id,
    listing_of,
    number_in_pool,
    photograph,
)
from recipes.ocelot_tiny.wording import phrase

__all__ = ["designs", "listed", "listed_pictures", "matches", "themes", "titles"]


def designs(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """A design in the colours that it is sold in, photographed: "same item in navy blue"."""
    for number in clusters(rng, subjects.designs_of, count):
        members = subjects.designs[number]
        chosen = rng.sample(members, min(4, len(members)))
        pictures = [plan.add(photograph(rng, subjects, member)) for member in chosen]
        listings = [listing_of(subjects, member) for member in chosen]
        for picture, listing in zip(pictures, listings, strict=True):
            others = [
                other
                for other, its in zip(pictures, listings, strict=True)
                if other != picture and its.colour != listing.colour
            ]
            if not others or not listing.colour:
                continue
            name = rng.choice(kind_words(listing.sort)[-3:])
            text = phrase(rng, "colour", kind=name, colour=listing.colour, fillers=True)
            if rng.random() < 0.15:
                text = f"same item in {listing.colour}"
            wanted = OPEN._replace(item=FIRST_LISTING + listing.item, shade=kind_id(listing.colour))
            plan.ask(rng.choice(others), text, picture, wanted)


def matches(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """Something else in the colour of a picture: "a backpack in this colour"."""
    families = [family for family, kinds in subjects.coloured.items() if len(kinds) > 1]
    for _ in range(count if families else 0):
        family = rng.choice(families)
        kinds = subjects.coloured[family]
        weights = [math.sqrt(len(members)) for members in kinds.values()]
        first, second = rng.choices(list(kinds), weights, k=2)
        if first == second:
            continue
        reference, target = rng.choice(kinds[first]), rng.choice(kinds[second])
        seen, picture = (
            plan.add(photograph(rng, subjects, number)) for number in (reference, target)
        )
        name = rng.choice(kind_words(listing_of(subjects, target).sort))
        text = phrase(rng, "category", kind=name, fillers=True)
        wanted = OPEN._replace(kind=kind_id(second), colour=COLOUR_IDS[family])
        plan.ask(seen, text, picture, wanted)


def themes(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """Products that were really printed: a part of the print, or a picture of what it shows."""
    cases = subjects.printable.get("phone case", [])
    for _ in range(count if cases else 0):
        if subjects.themed and rng.random() < 0.5:
            theme, product = rng.choice(subjects.themed)
            setting = "own"
        else:
            theme = product = rng.choice(cases)
            setting = "inside"
        seen = plan.add(photograph(rng, subjects, theme, setting=setting))
        if setting == "inside":  # a piece of the print is no phone case
            spec = plan.pictures[seen]
            plan.pictures[seen] = replace(spec, traits=Traits(item=spec.traits.item))
        picture = plan.add(photograph(rng, subjects, product))
        text = phrase(rng, "print", kind="phone case", fillers=True)
        wanted = OPEN._replace(item=item_of(subjects, product), kind=kind_id("phone case"))
        plan.ask(seen, text, picture, wanted)


_SHARES = {"abo": 10, "fashion": 5}  # of what `listed` adds; each other table has 1


def listed(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """Pictures from tables, mostly several of one kind; `titles` asks for them."""
    for number in listed_pictures(rng, subjects, count):
        plan.add(photograph(rng, subjects, number))


def listed_pictures(rng: random.Random, subjects: Subjects, count: int) -> list[int]:
    """Choose pictures from tables, mostly four of one kind."""
    tables = list(subjects.listed)
    weights = [_SHARES.get(table, 1) for table in tables]
    chosen: list[int] = []
    while len(chosen) < count:
        table = subjects.listed[rng.choices(tables, weights)[0]]
        chosen += clusters(rng, table, min(4, count - len(chosen)))
    return chosen


def titles(rng: random.Random, subjects: Subjects, plan: BatchPlan, count: int) -> None:
    """Words alone, for pictures from tables that the plan has: titles, parts, kinds, keywords."""
    shown = [
        number
        for number, spec in enumerate(plan.pictures)
        if spec.listed and subjects.photographs[number_in_pool(spec)].listing
    ]
    for number in rng.sample(shown, min(count, len(shown))):
        spec = plan.pictures[number]
        text, wanted = _titled(rng, listing_of(subjects, number_in_pool(spec)), spec.traits)
        plan.ask(None, text, number, wanted)


_BRANDS = re.compile(r"^(amazon brand|amazonbasics|amazon essentials|amazon basics)\s*[-,]?\s*")


def _titled(rng: random.Random, listing: Listing, traits: Traits) -> tuple[str, Traits]:
    """What words say of a picture from a table, and what they ask for."""
    of_kind = OPEN._replace(kind=traits.kind)
    if traits.sort != ANY:
        of_kind = of_kind._replace(sort=traits.sort)
    draw = rng.random()
    if listing.named or listing.surface:
        name = listing.title
        if draw < 0.35 and listing.keywords:
            name = rng.choice(listing.keywords)
        elif draw < 0.5 and listing.surface:
            return phrase(rng, "words of kind", kind=listing.sort, fillers=True), of_kind
        if rng.random() < 0.3:
            name = phrase(rng, "words of kind", kind=name, fillers=True)
        return name, OPEN._replace(item=traits.item)
    if draw < 0.16:
        if rng.random() < 0.4:
            return listing.sort, of_kind
        name = rng.choice(kind_words(listing.sort))
        return phrase(rng, "words of kind", kind=name, fillers=True), of_kind
    if draw < 0.3 and listing.colour:
        name = rng.choice(kind_words(listing.sort))
        text = phrase(rng, "words of colour", kind=name, colour=listing.colour, fillers=True)
        return text, of_kind._replace(shade=traits.shade)
    if draw < 0.4 and listing.keywords:
        text = " ".join(rng.sample(listing.keywords, min(2, len(listing.keywords))))
        return text, of_kind._replace(item=traits.item)
    title = listing.title
    if rng.random() < 0.3:
        title = _BRANDS.sub("", title)
    words = title.split()
    draw = rng.random()
    if draw < 0.35:
        words = words[:8]
    elif draw < 0.65:
        length = rng.randint(3, 9)
        first = rng.randrange(max(1, len(words) - length + 1))
        words = words[first : first + length]
    elif draw < 0.75:
        few = len(words) <= 2
        kept = len(words) if few else max(2, round(len(words) * rng.uniform(0.4, 0.9)))
        words = rng.sample(words, kept)
    text = " ".join(words)
    wanted = OPEN._replace(item=traits.item)
    if listing.variant and listing.colour and listing.colour in text:
        wanted = wanted._replace(shade=traits.shade)
    return text, wanted
