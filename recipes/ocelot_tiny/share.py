"""The recipe's wordings for how much a picture alone counts beside a text."""

from __future__ import annotations

import random

from ocelot.adapting.share import ANOTHER, THE_SAME
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, PATTERNS
from recipes.ocelot_tiny.colours import SHADES
from recipes.ocelot_tiny.wording import phrase
from recipes.ocelot_tiny.words import KIND_WORDS

__all__ = ["wordings"]

_WANTS = {
    "colour": THE_SAME, "pattern": THE_SAME, "category": ANOTHER, "print": ANOTHER,
    "theme": ANOTHER,
}  # fmt: skip
_COUNT = 1_500  # texts of each task


def wordings(rng: random.Random) -> tuple[list[str], list[float]]:
    """Return texts beside a picture, and how much of the share each wants, from 0 to 1."""
    shades = [shade for names in SHADES.values() for shade in names]
    kinds, colours, patterns = sorted(KIND_WORDS), [*COLOURS, *shades], list(PATTERNS)
    texts = [
        phrase(
            rng,
            task,
            kind=rng.choice(kinds),
            colour=rng.choice(colours),
            pattern=rng.choice(patterns),
            fillers=True,
        )
        for task in _WANTS
        for _ in range(_COUNT)
    ]
    return texts, [want for want in _WANTS.values() for _ in range(_COUNT)]
