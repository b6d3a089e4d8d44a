"""Stencils: what is printed on one looks like the product that bears the print."""

from __future__ import annotations

import numpy as np
import pytest

from recipes.ocelot_tiny.catalogue.render import render_product, render_stencil
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, Product

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
