"""Which combinations of the catalogue are kept from training, so that evaluation is honest."""

from __future__ import annotations

from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product

__all__ = ["held_out"]

_KIND = {name: number for number, name in enumerate(KINDS)}
_COLOUR = {name: number for number, name in enumerate(COLOURS)}
_PATTERN = {name: number for number, name in enumerate(PATTERNS)}


def held_out(product: Product) -> bool:
    """Whether no picture of this combination may be trained on.

    For a patterned product the pair (kind, pattern) decides, whatever its colour and style;
    for a plain one the pair (kind, colour). About one pair in eleven is held out, and every
    kind, pattern and colour keeps others to be learned from.
    """
    kind = _KIND[product.kind]
    if product.pattern == "plain":
        return (3 * kind + 4 * _COLOUR[product.colour]) % 11 == 1
    return (2 * kind + 5 * _PATTERN[product.pattern]) % 11 == 3
