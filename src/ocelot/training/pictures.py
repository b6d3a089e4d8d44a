"""The pictures of the catalogue as one array on disk, and their augmentation as tensors.

Rendering costs more than a training step, so every trainable article is drawn a few times
beforehand; each use then sees it cropped, turned, mirrored and lit in another way.
"""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from ocelot.catalogue.render import render_product, render_theme
from ocelot.catalogue.split import held_out
from ocelot.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product
from ocelot.errors import ConfigurationError
from ocelot.model.preprocess import Pixels
from ocelot.training.triplets import PRINTS, Theme

__all__ = ["PicturePool", "augment", "draw", "render"]

Subject = Product | Theme


class PicturePool:
    """Several drawn views of every article and theme.

    Args:
        file: Where the drawn pictures are kept; drawn first if it is not there.
        size: Pixels along one side.
        views, theme_views: Drawings of each article and of each theme; with no views, every
            use draws afresh and no file is kept.
        seed: Decides the drawings.
        workers: Processes that draw.
    """

    def __init__(
        self, file: Path, *, size: int, views: int, theme_views: int, seed: int, workers: int = 0
    ) -> None:
        self.size, self.views, self.theme_views = size, views, theme_views
        if not views:
            return
        products = [product for product in _every_product() if not held_out(product)]
        themes = [Theme(pattern, colour) for pattern in PRINTS for colour in COLOURS]
        self._first: dict[Subject, int] = {}
        jobs: list[tuple[Subject, int, int]] = []
        subjects: list[Subject] = [*products, *themes]
        for subject in subjects:
            self._first[subject] = len(jobs)
            count = views if isinstance(subject, Product) else theme_views
            jobs += [(subject, (seed << 20) + len(jobs) + view, size) for view in range(count)]
        if not file.is_file():
            _draw_all(file, jobs, size, workers or os.cpu_count() or 1)
        self._pictures = np.load(file, mmap_mode="r")
        if self._pictures.shape != (len(jobs), 3, size, size):
            raise ConfigurationError(f"{file} holds other pictures: delete it and run again.")

    def choose(self, rng: random.Random, subject: Subject) -> Pixels:
        """One view of a subject: uint8, shape (3, size, size)."""
        if not self.views:
            return draw(subject, rng.getrandbits(48), self.size)
        views = self.views if isinstance(subject, Product) else self.theme_views
        picture: Pixels = self._pictures[self._first[subject] + rng.randrange(views)]
        return picture


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


def _draw_all(
    file: Path, jobs: Sequence[tuple[Subject, int, int]], size: int, workers: int
) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part.npy")
    array = np.lib.format.open_memmap(
        partial, mode="w+", dtype=np.uint8, shape=(len(jobs), 3, size, size)
    )
    with ProcessPoolExecutor(workers) as pool:
        for number, picture in enumerate(pool.map(_draw_job, jobs, chunksize=64)):
            array[number] = picture
    array.flush()
    partial.replace(file)


def augment(pixels: Tensor, generator: torch.Generator, *, strength: float = 1.0) -> Tensor:
    """Crop, turn, mirror and relight a batch of pictures.

    Args:
        pixels: uint8, shape (batch, 3, size, size).
        strength: 0 leaves them as they are.

    Returns:
        float32 from 0 to 255, the same shape.
    """
    n = len(pixels)

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(n, generator=generator)

    angle = uniform(-0.14, 0.14) * strength
    scale = 1 + (uniform(0.72, 1.08) - 1) * strength
    shift = [uniform(-0.12, 0.12) * strength for _ in range(2)]
    mirror = torch.where(uniform(0, 1) < 0.5 * strength, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    matrix = torch.stack(
        [
            torch.stack([cos * mirror, -sin, shift[0]], 1),
            torch.stack([sin * mirror, cos, shift[1]], 1),
        ],
        dim=1,
    )
    grid = F.affine_grid(matrix, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels.float(), grid, padding_mode="border", align_corners=False)
    gain = torch.exp(uniform(-0.16, 0.16) * strength)[:, None, None, None]
    tint = 1 + 0.05 * strength * torch.randn(n, 3, 1, 1, generator=generator).clamp(-2, 2)
    offset = (uniform(-14, 14) * strength)[:, None, None, None]
    return (moved * gain * tint + offset).clamp(0, 255)
