"""What the drawn catalogue lends to training, as arrays on disk: pictures and stencils.

Rendering costs more than a training step, so every trainable article is drawn a few times
beforehand; each use then sees it cropped, turned, mirrored and lit in another way.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from ocelot.errors import ConfigurationError
from ocelot.model.preprocess import Pixels
from recipes.ocelot_tiny.catalogue.render import render_product, render_stencil, render_theme
from recipes.ocelot_tiny.catalogue.split import held_out
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product
from recipes.ocelot_tiny.drawings import PRINTS, Theme

__all__ = ["GAIN", "DrawingPool", "StencilPool", "draw", "render"]

GAIN = 160.0  # a stencil's gain of 1 in its uint8 channel

Subject = Product | Theme


class DrawingPool:
    """Several drawn views of every article and theme that is not held out.

    Args:
        file: Where the drawn pictures are kept; drawn first if it is not there.
        size: Pixels along one side.
        views, theme_views: Drawings of each article and of each theme.
        seed: Decides the drawings.
        workers: Processes that draw.
    """

    def __init__(
        self, file: Path, *, size: int, views: int, theme_views: int, seed: int, workers: int = 0
    ) -> None:
        self.views, self.theme_views = views, theme_views
        products = [product for product in _every_product() if not held_out(product)]
        themes = [Theme(pattern, colour) for pattern in PRINTS for colour in COLOURS]
        self._first: dict[Subject, int] = {}
        jobs: list[tuple[Subject, int, int]] = []
        subjects: list[Subject] = [*products, *themes]
        for subject in subjects:
            self._first[subject] = len(jobs)
            count = views if isinstance(subject, Product) else theme_views
            jobs += [(subject, (seed << 20) + len(jobs) + view, size) for view in range(count)]
        self.pixels = _kept(file, _draw_job, jobs, (3, size, size), workers)

    def choose(self, rng: random.Random, subject: Subject) -> int:
        """The row in `pixels` of one view of a subject."""
        views = self.views if isinstance(subject, Product) else self.theme_views
        return self._first[subject] + rng.randrange(views)


class StencilPool:
    """Products with an empty surface, on which any picture can be printed as tensors.

    Args:
        file: Where they are kept; drawn first if it is not there.
        views: Drawings of each style of each kind.

    Attributes:
        products: Kind and style of each stencil.
        pixels: uint8, shape (n, 5, size, size): red, green, blue of the picture with a black
            surface; `GAIN` times the print's share in a pixel; the product's outline, 0 to 255.
    """

    def __init__(self, file: Path, *, size: int, views: int, seed: int, workers: int = 0) -> None:
        colours = random.Random(f"stencils/{seed}")
        jobs = [
            (kind.name, style, colours.choice(list(COLOURS)), view, size)
            for kind in KINDS.values()
            for style in range(kind.styles)
            for view in range(views)
        ]
        jobs = [(*job[:3], (seed << 20) + n, size) for n, job in enumerate(jobs)]
        self.products = tuple((kind, style) for kind, style, *_ in jobs)
        self.pixels = _kept(file, _stencil_job, jobs, (5, size, size), workers)


def _every_product() -> list[Product]:
    return [
        Product(kind.name, style, pattern, colour)
        for kind in KINDS.values()
        for style in range(kind.styles)
        for pattern in PATTERNS
        for colour in COLOURS
    ]


def render(subject: Subject, seed: int, size: int) -> Image.Image:
    """Draw one view as an RGB image of size x size pixels."""
    if isinstance(subject, Product):
        return render_product(subject, seed, size)
    return render_theme(subject.pattern, subject.colour, seed, size)


def draw(subject: Subject, seed: int, size: int) -> Pixels:
    """Draw one view: uint8, shape (3, size, size)."""
    image = render(subject, seed, size)
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))


def _draw_job(job: tuple[Subject, int, int]) -> Pixels:
    return draw(*job)


def _stencil_job(job: tuple[str, int, str, int, int]) -> Pixels:
    stencil = render_stencil(*job)
    layers = np.dstack([stencil.base, GAIN * stencil.gain, 255 * stencil.outline])
    return np.ascontiguousarray(layers.clip(0, 255).round().astype(np.uint8).transpose(2, 0, 1))


Job = TypeVar("Job")


def _kept(
    file: Path,
    make: Callable[[Job], Pixels],
    jobs: Sequence[Job],
    shape: tuple[int, ...],
    workers: int,
) -> Pixels:
    """The pictures of `jobs`, made on all cores unless the file has them."""
    if not file.is_file():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(".part.npy")
        array = np.lib.format.open_memmap(
            partial, mode="w+", dtype=np.uint8, shape=(len(jobs), *shape)
        )
        with ProcessPoolExecutor(workers or os.cpu_count() or 1) as pool:
            for number, picture in enumerate(pool.map(make, jobs, chunksize=64)):
                array[number] = picture
        array.flush()
        partial.replace(file)
    pictures: Pixels = np.load(file, mmap_mode="r")
    if pictures.shape != (len(jobs), *shape):
        raise ConfigurationError(f"{file} holds other pictures: delete it and run again.")
    return pictures
