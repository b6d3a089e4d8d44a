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

from recipes.ocelot_tiny.catalogue import (
    COLOURS,
    KINDS,
    PATTERNS,
    Product,
    render_leopard,
    render_product,
    render_theme,
)

CASE = Product("phone case", 1, "leopard", "tan")


def pixels(picture: Image.Image) -> NDArray[np.float64]:
    return np.asarray(picture, np.float64)


def test_pictures_do_not_depend_on_the_process() -> None:
    code = (
        "import hashlib\n"
        "from recipes.ocelot_tiny.catalogue import Product, render_product, render_theme\n"
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


def test_seed_changes_the_view() -> None:
    pictures = {render_product(CASE, seed, 64).tobytes() for seed in range(6)}
    assert len(pictures) == 6


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
    for kind in KINDS:
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


def test_patterns_differ_from_each_other_on_a_product() -> None:
    pictures = [
        pixels(render_product(Product("tablet sleeve", 0, pattern, "blue"), 8, 96))
        for pattern in PATTERNS
    ]
    for index, first in enumerate(pictures):
        for second in pictures[:index]:
            assert np.abs(first - second).mean() > 4


@pytest.mark.parametrize("pattern", PATTERNS)
def test_themes_render_in_every_colour(pattern: str) -> None:
    pictures = [render_theme(pattern, colour, 2, 48) for colour in COLOURS]
    assert {(picture.mode, picture.size) for picture in pictures} == {("RGB", (48, 48))}
    assert len({picture.tobytes() for picture in pictures}) == len(COLOURS)


def test_some_coats_are_shown_on_the_animal() -> None:
    """A landscape behind the animal makes the top row of the picture even."""
    even = [
        pixels(render_theme("leopard", "tan", seed, 48))[0].std(axis=0).max() < 6
        for seed in range(40)
    ]
    assert 5 < sum(even) < 25


def test_leopard_is_one_fixed_picture_of_any_size() -> None:
    assert render_leopard(128).tobytes() == render_leopard(128).tobytes()
    assert (render_leopard(96).mode, render_leopard(96).size) == ("RGB", (96, 96))


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="seed must be 0 or more, not -1"):
        render_product(CASE, -1)
    with pytest.raises(ValueError, match="size must be at least 16 pixels, not 0"):
        render_theme("plain", "red", 0, 0)
    with pytest.raises(ValueError, match="unknown pattern 'paisley'"):
        render_theme("paisley", "red", 0)
    with pytest.raises(ValueError, match="unknown colour 'mauve'"):
        render_theme("plain", "mauve", 0)
