"""Which products the demo catalogue holds: an even spread, dealt from shuffled decks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count as count_from
from typing import TypeVar

import numpy as np

from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product

Card = TypeVar("Card")

FAVOURITE = "phone case"  # the demo's own example, dealt twice as often as other kinds
NATURAL = (
    "leopard", "zebra", "tiger", "giraffe", "snakeskin", "marble", "camouflage", "wood", "galaxy",
)  # fmt: skip
PLAIN_SHARE = 9  # plain cards among the patterned ones in a deck: about 40 %


def _deal(cards: Sequence[Card], rng: np.random.Generator) -> Iterator[Card]:
    """Cards without end: the whole deck in random order, then again in another order."""
    while True:
        for index in rng.permutation(len(cards)):
            yield cards[index]


def _kinds(rng: np.random.Generator) -> Iterator[str]:
    yield FAVOURITE  # even the smallest catalogue holds the example
    yield from (kind for kind in _deal([*KINDS, FAVOURITE], rng))


def plan(count: int, seed: int = 0) -> list[Product]:
    """The ``count`` products of the catalogue of ``seed``, in order.

    Kinds, styles, patterns and colours are spread evenly; about 40 % are plain, patterns found in
    nature come half the time in their natural colour, and every seventh phone case is leopard.
    Raises ``ValueError`` for a negative seed.
    """
    colours, printed = list(COLOURS), [name for name in PATTERNS if name != "plain"]
    kinds = _kinds(np.random.default_rng([seed, 20]))
    patterns = {
        kind: _deal(printed + ["plain"] * PLAIN_SHARE, np.random.default_rng([seed, 21, number]))
        for number, kind in enumerate(KINDS)
    }
    tints = {
        key: _deal(colours, np.random.default_rng([seed, 22, number]))
        for number, key in enumerate([*printed, *KINDS])  # plain things: one deck per kind
    }
    styles = {
        kind: _deal(range(KINDS[kind].styles), np.random.default_rng([seed, 23, number]))
        for number, kind in enumerate(KINDS)
    }
    nature = {name: count_from() for name in NATURAL}
    turns = {kind: count_from() for kind in KINDS}
    products: list[Product] = []
    known: set[Product] = set()
    for _ in range(count):
        kind = next(kinds)
        turn = next(turns[kind])
        staple = kind == FAVOURITE and turn % 7 == 0
        pattern = "leopard" if staple else next(patterns[kind])
        if (staple and turn % 2 == 0) or (pattern in nature and next(nature[pattern]) % 2 == 0):
            colour = PATTERNS[pattern].natural_colour
        else:
            colour = next(tints[kind if pattern == "plain" else pattern])
        product = Product(kind, next(styles[kind]), pattern, colour)
        every_style = 2 * KINDS[kind].styles  # so many cards hold each style at least once
        for attempt in range(every_style + 3 * len(colours)):
            if product not in known:  # prefer an article the shop does not have yet
                break
            if attempt >= every_style:
                colour = next(tints.get(pattern, tints[kind]))
            product = Product(kind, next(styles[kind]), pattern, colour)
        known.add(product)
        products.append(product)
    return products
