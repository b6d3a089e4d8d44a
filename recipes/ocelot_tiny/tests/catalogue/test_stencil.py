"""Stencils: what is printed on one looks like the product that bears the print."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.ocelot_tiny.catalogue import COLOURS, KINDS, Product, render_product, render_stencil

STYLES = [(kind, style) for kind in KINDS for style in range(KINDS[kind].styles)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_plain_print_gives_the_plain_product(kind: str) -> None:
    # no channel of a grey product clips, and the lamp's tint leaves its mean channel alone
    colour = np.array(COLOURS["grey"], np.float32)
    for style in range(KINDS[kind].styles):
        seed = 20 + style
        stencil = render_stencil(kind, style, "grey", seed, 64)
        printed = np.clip(stencil.base + stencil.gain[..., None] * colour, 0, 255)
        product = render_product(Product(kind, style, "plain", "grey"), seed, 64)
        error = printed - np.asarray(product, np.float32)
        assert np.abs(error.mean(axis=2)).max() < 1
        assert np.abs(error).max() < 0.04 * 1.2 * max(COLOURS["grey"]) + 1


@pytest.mark.parametrize("colour", ["red", "white", "blue"])
def test_any_colour_can_be_printed(colour: str) -> None:
    stencil = render_stencil("phone case", 1, colour, 4, 64)
    printed = np.clip(stencil.base + stencil.gain[..., None] * np.array(COLOURS[colour]), 0, 255)
    product = np.asarray(render_product(Product("phone case", 1, "plain", colour), 4, 64), float)
    assert np.abs(printed - product).max() < (0.04 * 1.2 + 0.07) * 255
    assert np.abs(printed - product).mean() < 2


def test_arrays_are_of_the_picture_and_within_range() -> None:
    for seed, (kind, style) in enumerate(STYLES):
        stencil = render_stencil(kind, style, "teal", seed, 48)
        assert {stencil.base.dtype, stencil.gain.dtype, stencil.outline.dtype} == {
            np.dtype(np.float32)
        }
        assert stencil.base.shape == (48, 48, 3)
        assert stencil.gain.shape == stencil.outline.shape == (48, 48)
        assert stencil.base.min() >= 0 and stencil.base.max() <= 255
        assert stencil.gain.min() >= 0
        assert 0.5 < stencil.gain.max() < 1.5


def test_outline_tells_the_product_from_its_background() -> None:
    empty_corners = []
    for seed, (kind, style) in enumerate(STYLES):
        stencil = render_stencil(kind, style, "orange", seed, 64)
        corners = stencil.outline[[0, 0, -1, -1], [0, -1, 0, -1]]
        empty_corners.append(corners.max() == 0)
        assert stencil.outline.min() >= 0 and stencil.outline.max() == 1
        assert (stencil.outline == 1).mean() > 0.02
        assert stencil.gain[stencil.outline == 0].max(initial=0) == 0
    assert np.mean(empty_corners) > 0.9


def test_equal_arguments_give_equal_arrays_and_other_seeds_others() -> None:
    first, again, other = (render_stencil("kettle", 0, "pink", seed, 48) for seed in (3, 3, 4))
    for name in ("base", "gain", "outline"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="seed must be 0 or more, not -1"):
        render_stencil("kettle", 0, "red", -1)
    with pytest.raises(ValueError, match="size must be at least 16 pixels, not 15"):
        render_stencil("kettle", 0, "red", 0, 15)
    with pytest.raises(ValueError, match="unknown kind 'boat'"):
        render_stencil("boat", 0, "red", 0)
    with pytest.raises(ValueError, match="unknown colour 'mud'"):
        render_stencil("kettle", 0, "mud", 0)
    with pytest.raises(ValueError, match="style of a kettle must be 0 to"):
        render_stencil("kettle", 99, "red", 0)
