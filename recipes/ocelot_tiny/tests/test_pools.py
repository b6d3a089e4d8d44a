"""Drawn pictures and stencils, kept in files."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from ocelot.errors import ConfigurationError
from recipes.ocelot_tiny import pools
from recipes.ocelot_tiny.catalogue.render import render_stencil
from recipes.ocelot_tiny.catalogue.split import held_out
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, Product
from recipes.ocelot_tiny.drawings import Theme
from recipes.ocelot_tiny.pools import GAIN, DrawingPool, StencilPool, draw

FEW = [Product("mug", style, "plain", colour) for style in range(3) for colour in COLOURS]
SIZE = 16


@pytest.fixture
def few_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue has thousands, whose drawing takes minutes."""
    monkeypatch.setattr(pools, "_every_product", lambda: FEW)
    monkeypatch.setattr(pools, "PRINTS", ("zebra", "dots"))


def pool(folder: Path, views: int = 2) -> DrawingPool:
    file = folder / "drawings.npy"
    return DrawingPool(file, size=SIZE, views=views, theme_views=1, seed=5, workers=1)


def test_every_article_and_theme_is_drawn(tmp_path: Path, few_products: None) -> None:
    made = pool(tmp_path)
    kept = [product for product in FEW if not held_out(product)]
    assert 0 < len(kept) < len(FEW)
    assert made.pixels.shape == (2 * len(kept) + 2 * len(COLOURS), 3, SIZE, SIZE)
    rng = random.Random(0)
    rows = {subject: {made.choose(rng, subject) for _ in range(20)} for subject in kept}
    assert all(len(of) == 2 for of in rows.values())
    assert len(set().union(*rows.values())) == 2 * len(kept)
    for subject in (kept[3], Theme("zebra", "red")):
        row = made.choose(rng, subject)
        assert np.array_equal(made.pixels[row], draw(subject, (5 << 20) + row, SIZE))
    with pytest.raises(KeyError):
        made.choose(rng, next(product for product in FEW if held_out(product)))


def test_drawings_are_kept_and_others_refused(tmp_path: Path, few_products: None) -> None:
    first = pool(tmp_path)
    changed = np.load(tmp_path / "drawings.npy", mmap_mode="r+")
    changed[7] = 123
    changed.flush()
    assert (pool(tmp_path).pixels[7] == 123).all() and first.pixels.shape == changed.shape
    with pytest.raises(ConfigurationError, match=r"drawings\.npy holds other pictures"):
        pool(tmp_path, views=3)


def test_stencils_are_of_every_style(stencils: StencilPool) -> None:
    styles = [(kind.name, style) for kind in KINDS.values() for style in range(kind.styles)]
    assert list(stencils.products) == styles
    assert stencils.pixels.shape == (len(styles), 5, 32, 32)
    number = 40
    kind, style = styles[number]
    # The base shows the product in some colour; print and outline do not depend on it.
    expected = render_stencil(kind, style, "red", (3 << 20) + number, 32)
    layers = stencils.pixels[number].astype(float)
    np.testing.assert_allclose(layers[3] / GAIN, expected.gain.clip(0, 255 / GAIN), atol=0.004)
    np.testing.assert_allclose(layers[4] / 255, expected.outline, atol=0.003)
