"""The pictures: alike for alike arguments, and showing what the product's words say."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from recipes.ocelot_tiny.catalogue.render import SKETCHES, render_product, render_theme
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, Product

CASE = Product("phone case", 1, "leopard", "tan")


def pixels(picture: Image.Image) -> NDArray[np.float64]:
    return np.asarray(picture, np.float64)


def test_pictures_do_not_depend_on_the_process() -> None:
    code = (
        "import hashlib\n"
        "from recipes.ocelot_tiny.catalogue.render import *\n"
        "from recipes.ocelot_tiny.catalogue.vocabulary import Product\n"
        "case = render_product(Product('phone case', 1, 'leopard', 'tan'), 5, 96)\n"
        "print(hashlib.sha256(case.tobytes() + render_theme('tiger', 'blue', 4, 96).tobytes())"
        ".hexdigest())\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    content = render_product(CASE, 5, 96).tobytes() + render_theme("tiger", "blue", 4, 96).tobytes()
    assert other.stdout.strip() == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_styles_of_a_kind_all_render_and_differ(kind: str) -> None:
    pictures = [
        render_product(Product(kind, style, "plain", "red"), 3, 64)
        for style in range(KINDS[kind].styles)
    ]
    assert {(picture.mode, picture.size) for picture in pictures} == {("RGB", (64, 64))}
    for index, first in enumerate(pictures):
        for second in pictures[:index]:
            assert np.abs(pixels(first) - pixels(second)).mean() > 1.5


def test_plain_products_show_their_colour() -> None:
    """The parts of the picture that change with the colour are of that colour."""
    names = list(COLOURS)
    palette = np.array([COLOURS[name] for name in names], np.float64)
    right = []
    for kind in list(KINDS)[::4]:
        for number, colour in enumerate(names):
            seed = 10 + number
            picture = pixels(render_product(Product(kind, 0, "plain", colour), seed, 64))
            other = "black" if colour != "black" else "yellow"
            changed = np.abs(
                picture - pixels(render_product(Product(kind, 0, "plain", other), seed, 64))
            ).sum(axis=2)
            # the background may be chosen anew for the other colour, so look at the middle only
            middle = np.zeros((64, 64), bool)
            middle[18:48, 18:46] = True
            seen = np.median(picture[middle & (changed > 60)], axis=0)
            right.append(int(np.argmin(np.abs(palette - seen).sum(axis=1))) == number)
    assert np.mean(right) > 0.85


def test_there_are_as_many_sketches_as_styles() -> None:
    assert {name: len(styles) for name, styles in SKETCHES.items()} == {
        name: kind.styles for name, kind in KINDS.items()
    }


def test_title_names_pattern_kind_and_colour() -> None:
    assert Product("phone case", 0, "leopard", "tan").title == "Leopard Print Slim Phone Case, Tan"
    assert Product("kettle", 1, "plain", "blue").title == "Gooseneck Kettle, Blue"
