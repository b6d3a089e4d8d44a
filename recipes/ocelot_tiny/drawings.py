"""Triplets of the drawn catalogue: reference picture, text, and the picture meant.

No held-out combination ever appears, neither as target nor as reference.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from recipes.ocelot_tiny.catalogue.split import held_out
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product
from recipes.ocelot_tiny.wording import phrase

__all__ = [
    "TASKS",
    "Theme",
    "Triplet",
    "Wanted",
    "sample_triplet",
    "sample_triplets",
    "subjects_of",
]

PRINTS = tuple(name for name in PATTERNS if name != "plain")

Allowed = Callable[[Product], bool]


@dataclass(frozen=True)
class Theme:
    """A picture of a pattern itself: fur, fabric, stone, or the animal that wears it."""

    pattern: str
    colour: str


@dataclass(frozen=True)
class Wanted:
    """What a query asks for; None where it does not care."""

    kind: str | None = None
    style: int | None = None
    pattern: str | None = None
    colour: str | None = None

    def accepts(self, picture: Product | Theme) -> bool:
        """Whether a picture answers the query, so that it must not count as a negative."""
        if isinstance(picture, Theme):
            return False
        asked = (self.kind, self.style, self.pattern, self.colour)
        given = (picture.kind, picture.style, picture.pattern, picture.colour)
        return all(want is None or want == have for want, have in zip(asked, given, strict=True))


@dataclass(frozen=True)
class Triplet:
    """A query (reference and text, either may be None) and its answer."""

    task: str
    reference: Product | Theme | None
    text: str | None
    target: Product
    wanted: Wanted


def subjects_of(triplets: Sequence[Triplet]) -> list[Product | Theme]:
    """What the pictures of triplets show: every target, then the references there are."""
    targets: list[Product | Theme] = [triplet.target for triplet in triplets]
    return targets + [one.reference for one in triplets if one.reference is not None]


def sample_triplets(rng: random.Random, size: int) -> list[Triplet]:
    """Triplets in clusters of related targets, so that each has hard negatives beside it."""
    batch: list[Triplet] = []
    while len(batch) < size:
        for target in _cluster(rng):
            task = rng.choices(list(TASKS), [weight for weight, _ in TASKS.values()])[0]
            batch.append(sample_triplet(rng, task, target))
    return batch[:size]


def sample_triplet(
    rng: random.Random,
    task: str,
    target: Product,
    allowed: Allowed | None = None,
) -> Triplet:
    """A query of one task whose answer is `target`.

    Args:
        task: A key of `TASKS`.
        allowed: Which products may stand as the reference; by default those not held out.
    """
    return TASKS[task][1](rng, target, allowed or _trainable)


def random_product(rng: random.Random, allowed: Allowed, **fixed: str) -> Product:
    """A product that `allowed` accepts, with some of its fields fixed.

    Two in five are plain; a printed one comes in its natural colour every other time.
    """
    while True:
        kind = fixed.get("kind") or rng.choice(list(KINDS))
        pattern = fixed.get("pattern") or ("plain" if rng.random() < 0.4 else rng.choice(PRINTS))
        colour = fixed.get("colour")
        if colour is None:
            natural = pattern != "plain" and rng.random() < 0.5
            colour = PATTERNS[pattern].natural_colour if natural else rng.choice(list(COLOURS))
        product = Product(kind, rng.randrange(KINDS[kind].styles), pattern, colour)
        if allowed(product):
            return product


def _trainable(product: Product) -> bool:
    return not held_out(product)


def _cluster(rng: random.Random, size: int = 4) -> list[Product]:
    first = random_product(rng, _trainable)
    shape = rng.random()
    fixed: dict[str, str] = {}
    if shape < 0.4:  # one article in several prints and colours
        fixed = {"kind": first.kind}
    elif shape < 0.8:  # one print in one colour on several articles
        fixed = {"pattern": first.pattern, "colour": first.colour}
    rest = [random_product(rng, _trainable, **fixed) for _ in range(size - 1)]
    if "kind" in fixed:
        rest = [replace(product, style=first.style) for product in rest]
    return [first, *rest]


def _theme(rng: random.Random, target: Product, allowed: Allowed) -> Triplet:
    reference: Product | Theme
    if target.pattern == "plain":
        return _category(rng, target, allowed)
    if rng.random() < 0.7:
        reference = Theme(target.pattern, target.colour)
    else:
        reference = _other_kind(rng, target, allowed)
    wanted = Wanted(kind=target.kind, pattern=target.pattern, colour=target.colour)
    return Triplet("theme", reference, phrase(rng, "theme", kind=target.kind), target, wanted)


def _category(rng: random.Random, target: Product, allowed: Allowed) -> Triplet:
    """Another kind in this colour; a printed target is asked for by its print instead."""
    if target.pattern != "plain":
        return _theme(rng, target, allowed)
    text = phrase(rng, "category", kind=target.kind)
    wanted = Wanted(kind=target.kind, colour=target.colour)
    return Triplet("category", _other_kind(rng, target, allowed), text, target, wanted)


def _other_kind(rng: random.Random, target: Product, allowed: Allowed) -> Product:
    while True:
        other = random_product(rng, allowed, pattern=target.pattern, colour=target.colour)
        if other.kind != target.kind:
            return other


def _colour(rng: random.Random, target: Product, allowed: Allowed) -> Triplet:
    """The same article in another colour."""
    others = [replace(target, colour=colour) for colour in COLOURS if colour != target.colour]
    others = [product for product in others if allowed(product)]
    text = phrase(rng, "colour", kind=target.kind, colour=target.colour)
    wanted = Wanted(target.kind, target.style, target.pattern, target.colour)
    return Triplet("colour", rng.choice(others), text, target, wanted)


def _pattern(rng: random.Random, target: Product, allowed: Allowed) -> Triplet:
    """The same article with another print, whatever its ground colour."""
    while True:
        reference = random_product(rng, allowed, kind=target.kind)
        if reference.pattern != target.pattern:
            break
    text = phrase(rng, "pattern", kind=target.kind, pattern=target.pattern)
    wanted = Wanted(target.kind, target.style, target.pattern)
    return Triplet("pattern", replace(reference, style=target.style), text, target, wanted)


def _words(rng: random.Random, target: Product, allowed: Allowed) -> Triplet:
    """A description alone, from the bare kind to everything that can be said."""
    task = rng.choice(("words", "words", "words of colour", "words of pattern", "words of kind"))
    if target.pattern == "plain" and task == "words of pattern":
        task = "words of colour"
    if target.pattern != "plain" and task == "words of colour":
        task = "words of pattern"
    text = phrase(rng, task, kind=target.kind, colour=target.colour, pattern=target.pattern)
    says_pattern = task in ("words", "words of pattern")
    says_colour = task in ("words", "words of colour")
    wanted = Wanted(
        kind=target.kind,
        pattern=target.pattern if says_pattern else None,
        colour=target.colour if says_colour else None,
    )
    return Triplet("words", None, text, target, wanted)


def _view(rng: random.Random, target: Product, allowed: Allowed) -> Triplet:
    """The picture alone: another view of the same article."""
    wanted = Wanted(target.kind, target.style, target.pattern, target.colour)
    return Triplet("view", target, None, target, wanted)


# name -> (share of the batch, maker)
TASKS: dict[str, tuple[float, Callable[[random.Random, Product, Allowed], Triplet]]] = {
    "theme": (0.30, _theme),
    "colour": (0.22, _colour),
    "pattern": (0.12, _pattern),
    "category": (0.12, _category),
    "words": (0.14, _words),
    "view": (0.10, _view),
}
