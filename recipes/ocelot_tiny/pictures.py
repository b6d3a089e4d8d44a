"""Pictures of a plan and their labels, for samplers."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from recipes.ocelot_tiny.batch_plan import ANY, NONE, PictureSpec, Subjects, Traits
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS
from recipes.ocelot_tiny.colours import random_rgb
from recipes.ocelot_tiny.listings import Listing, number_of

__all__ = [
    "COLOUR_IDS", "FIRST_LISTING", "clusters", "item_of", "kind_id", "listing_of", "number_in_pool",
    "photograph",
]  # fmt: skip

_FIRST_PHOTOGRAPH = 1000  # items and prints of the catalogue have smaller numbers
FIRST_LISTING = 1 << 32

COLOUR_IDS: Mapping[str, int] = {colour: number for number, colour in enumerate(COLOURS)}


def photograph(
    rng: random.Random,
    subjects: Subjects,
    number: int,
    family: str | None = None,
    shade: str | None = None,
    setting: str | None = None,
) -> PictureSpec:
    """Plan a picture of a photograph: recoloured where a family is given, else as it is."""
    shown = subjects.photographs[number]
    listing = shown.listing
    if setting is None:
        share = 0.25 if listing else 0.7
        setting = "elsewhere" if shown.article and rng.random() < share else "own"
    if family is not None:
        colour, named = COLOUR_IDS[family], kind_id(shade or family)
    else:
        colour = ANY if shown.colour is None else COLOUR_IDS[shown.colour]
        named = kind_id(listing.colour) if listing and listing.colour else ANY
    traits = Traits(
        item=item_of(subjects, number),
        kind=kind_id(shown.kind) if shown.kind else ANY,
        # A picture of which only the wider kind is known may be of any finer one.
        sort=ANY if shown.sort == shown.kind else kind_id(shown.sort),
        colour=colour if shown.article or listing else NONE,
        shade=named,
    )
    rgb = None if family is None else random_rgb(rng, family, shade or family)
    return PictureSpec("photograph", number, traits, setting, rgb)


def clusters(
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


def number_in_pool(spec: PictureSpec) -> int:
    """Return the number of a photograph or a stencil within its pool."""
    assert isinstance(spec.subject, int)
    return spec.subject


def listing_of(subjects: Subjects, number: int) -> Listing:
    """Return what the table says of a picture that is from one."""
    listing = subjects.photographs[number].listing
    assert listing is not None
    return listing


def item_of(subjects: Subjects, number: int) -> int:
    """Return the label of a picture's item: equal for pictures of one design or concept."""
    listing = subjects.photographs[number].listing
    return _FIRST_PHOTOGRAPH + number if listing is None else FIRST_LISTING + listing.item


def kind_id(word: str) -> int:
    """Return the label of a kind, a finer kind or a shade."""
    return number_of(word)
