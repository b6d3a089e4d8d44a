"""Pictures of products and of the patterns they bear."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image

from ocelot.catalogue import audio_video, electronics, household, kitchen, large_appliances, phones
from ocelot.catalogue.painter import cover, paint, random_print
from ocelot.catalogue.scene import background, camera, cast_shadow, check_request, expose, lamp
from ocelot.catalogue.shapes import Draughtsman, Jitter
from ocelot.catalogue.themes import render_leopard, render_theme
from ocelot.catalogue.vocabulary import Product

__all__ = ["SKETCHES", "render_leopard", "render_product", "render_theme"]

SKETCHES: Mapping[str, tuple[Draughtsman, ...]] = {
    kind: styles
    for room in (phones, kitchen, large_appliances, household, electronics, audio_video)
    for kind, styles in room.SKETCHES.items()
}


def render_product(product: Product, seed: int, size: int = 320) -> Image.Image:
    """A photograph of ``product``: RGB, ``size`` x ``size`` pixels.

    ``seed`` fixes view, background, light, small proportions and how the pattern falls; equal
    arguments give equal pixels. Raises ``ValueError`` for a negative seed or a size below 16.
    """
    check_request(seed, size)
    # one stream per concern, so that the same seed shows two products in the same setting
    shape, view_luck, light_luck, set_luck, print_luck = (
        np.random.default_rng([seed, stream]) for stream in range(5)
    )
    sketch = SKETCHES[product.kind][product.style](Jitter(shape)).fitted()
    light = lamp(light_luck)
    view = camera(sketch, size, light, view_luck)
    covers = [c for c in (cover(part, view, size) for part in sketch.parts) if c is not None]
    floor = max((c.box[3] for c in covers), default=size)
    canvas = background(size, product.colour, sketch.standing, floor, set_luck)
    cast_shadow(canvas, covers, view, sketch.standing, float(set_luck.random()))
    cloth = random_print(product.pattern, product.colour, print_luck, span=1.45)
    for piece in covers:
        paint(canvas, piece, view, cloth)
    return expose(canvas, light)
