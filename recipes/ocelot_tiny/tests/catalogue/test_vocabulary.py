"""The words of the catalogue and the products they describe."""

from __future__ import annotations

import pytest

from recipes.ocelot_tiny.catalogue import COLOURS, KINDS, PATTERNS, Product
from recipes.ocelot_tiny.catalogue.render import SKETCHES


def test_every_kind_is_of_one_of_the_three_categories() -> None:
    categories = {kind.category for kind in KINDS.values()}
    assert categories == {"Appliances", "Cell_Phones_and_Accessories", "Electronics"}
    assert len(KINDS) >= 18


def test_there_are_as_many_sketches_as_styles() -> None:
    assert {name: len(styles) for name, styles in SKETCHES.items()} == {
        name: kind.styles for name, kind in KINDS.items()
    }


def test_natural_colours_are_colours() -> None:
    assert all(pattern.natural_colour in COLOURS for pattern in PATTERNS.values())


def test_colours_are_well_apart() -> None:
    names = list(COLOURS)
    for index, first in enumerate(names):
        for second in names[:index]:
            distance = sum(abs(a - b) for a, b in zip(COLOURS[first], COLOURS[second], strict=True))
            assert distance > 80, (first, second)


def test_title_names_pattern_kind_and_colour() -> None:
    assert Product("phone case", 0, "leopard", "tan").title == "Leopard Print Slim Phone Case, Tan"
    assert Product("kettle", 1, "plain", "blue").title == "Gooseneck Kettle, Blue"


@pytest.mark.parametrize(
    ("kind", "style", "pattern", "colour", "message"),
    [
        ("sofa", 0, "plain", "red", "unknown kind 'sofa'"),
        ("mug", 0, "tartan", "red", "unknown pattern 'tartan'"),
        ("mug", 0, "plain", "mauve", "unknown colour 'mauve'"),
        ("mug", 3, "plain", "red", "style of a mug must be 0 to 2, not 3"),
        ("mug", -1, "plain", "red", "style of a mug must be 0 to 2, not -1"),
    ],
)
def test_bad_products_are_refused(
    kind: str, style: int, pattern: str, colour: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Product(kind, style, pattern, colour)
