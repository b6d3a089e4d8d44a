"""Pictures of products, with a pattern on them or ready for one, and of the patterns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recipes.ocelot_tiny.catalogue import (
    audio_video,
    electronics,
    household,
    kitchen,
    large_appliances,
    phones,
)
from recipes.ocelot_tiny.catalogue.painter import (
    Canvas,
    Cover,
    Map,
    Print,
    View,
    cover,
    paint,
    random_print,
)
from recipes.ocelot_tiny.catalogue.scene import (
    Light,
    background,
    camera,
    cast_shadow,
    expose,
    lamp,
    outline_of,
)
from recipes.ocelot_tiny.catalogue.shapes import Draughtsman, Jitter
from recipes.ocelot_tiny.catalogue.themes import render_leopard, render_theme
from recipes.ocelot_tiny.catalogue.vocabulary import Product

__all__ = [
    "SKETCHES",
    "Stencil",
    "render_leopard",
    "render_product",
    "render_stencil",
    "render_theme",
]

SKETCHES: Mapping[str, tuple[Draughtsman, ...]] = {
    kind: styles
    for room in (phones, kitchen, large_appliances, household, electronics, audio_video)
    for kind, styles in room.SKETCHES.items()
}


@dataclass(frozen=True)
class Stencil:
    """A product's picture with an empty surface: ``base + gain[..., None] * print`` fills it.

    The print is any picture (size, size, 3) or colour (3,) of 0 to 255; clip the sum to 0 to 255.
    The parts that bear no print, such as handles and screens, are in ``base``. ``gain`` is the
    mean over red, green and blue, so the print misses the lamp's tint: at most 4% of a channel.
    A highlight that clips in ``render_product`` may come out brighter here, as nothing clips
    before the lamp's gain or under the edge of another part: rare, and only on pale prints.
    """

    base: NDArray[np.float32]  # (size, size, 3), 0 to 255: a black surface, lit, on its background
    gain: NDArray[np.float32]  # (size, size): what one unit of the print's colour adds to a pixel
    outline: NDArray[np.float32]  # (size, size): 1 the product, 0 its background


@dataclass(frozen=True)
class _Scene:
    """Everything about a photograph but the product's paint: ``canvas`` is the shadowed set."""

    canvas: Canvas
    covers: list[Cover]
    view: View
    light: Light


@dataclass(frozen=True)
class _Dye(Print):
    """A cloth of one even grey, whatever the product's colour."""

    level: float  # 0 to 255

    def sample(self, u: Map, v: Map, unit: float) -> Canvas:
        return np.full((*u.shape, 3), self.level, np.float32)


def render_product(product: Product, seed: int, size: int = 320) -> Image.Image:
    """A photograph of ``product``: RGB, ``size`` x ``size`` pixels.

    ``seed`` fixes view, background, light, small proportions and how the pattern falls; equal
    arguments give equal pixels.
    """
    scene = _arrange(product, seed, size)
    cloth = random_print(product.pattern, product.colour, _stream(seed, 4), span=1.45)
    return expose(_painted(scene, cloth), scene.light)


def render_stencil(kind: str, style: int, colour: str, seed: int, size: int = 320) -> Stencil:
    """The picture that ``render_product`` takes with the same ``seed``, ready for any print.

    ``colour`` chooses the background and the parts that bear no print; equal arguments give equal
    arrays.
    """
    scene = _arrange(Product(kind, style, "plain", colour), seed, size)
    # a picture is linear in its print until it clips, so two prints tell all; 100 never clips
    dark, pale = (
        _painted(scene, _Dye("plain", colour, 0, 1.0, 0.0, (0.0, 0.0), level))
        for level in (0.0, 100.0)
    )
    gain = np.maximum(pale[..., 0] - dark[..., 0], 0) * (scene.light.gain.mean() / np.float32(100))
    return Stencil(np.clip(dark * scene.light.gain, 0, 255), gain, outline_of(scene.covers, size))


def _stream(seed: int, number: int) -> np.random.Generator:
    """One stream per concern, so that the same seed shows two products in the same setting."""
    return np.random.default_rng([seed, number])


def _arrange(product: Product, seed: int, size: int) -> _Scene:
    """The product's parts as the camera sees them, and the set they stand in."""
    shape, view_luck, light_luck, set_luck = (_stream(seed, number) for number in range(4))
    sketch = SKETCHES[product.kind][product.style](Jitter(shape)).fitted()
    light = lamp(light_luck)
    view = camera(sketch, size, light, view_luck)
    covers = [c for c in (cover(part, view, size) for part in sketch.parts) if c is not None]
    floor = max((c.box[3] for c in covers), default=size)
    canvas = background(size, product.colour, sketch.standing, floor, set_luck)
    cast_shadow(canvas, covers, view, sketch.standing, float(set_luck.random()))
    return _Scene(canvas, covers, view, light)


def _painted(scene: _Scene, cloth: Print) -> Canvas:
    """The set with the product in it, (size, size, 3), before the lamp's gain."""
    canvas: Canvas = scene.canvas.copy()
    for piece in scene.covers:
        paint(canvas, piece, scene.view, cloth)
    return canvas
