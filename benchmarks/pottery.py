"""A drawn shop of glazed pottery, in a style that no encoder was trained on.

Eight forms under their trade names, seven decors, ten glazes. Each piece is a surface of
revolution, lit from one side; the drawings of training have nothing like it. Its metadata is what a
shop has: title, type, glaze, decor, and the number of the design.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["draw"]

Grid = NDArray[np.float64]

SIZE, GLAZES_OF_EACH = 160, 4

# Half widths from the mouth to the foot, and the height, in shares of the picture.
FORMS: Mapping[str, tuple[tuple[float, ...], float]] = {
    "amphora": ((0.14, 0.09, 0.08, 0.17, 0.25, 0.25, 0.2, 0.13, 0.08, 0.1), 0.84),
    "carafe": ((0.09, 0.06, 0.06, 0.06, 0.09, 0.17, 0.23, 0.24, 0.22, 0.19), 0.8),
    "beaker": ((0.19, 0.185, 0.18, 0.175, 0.17, 0.165, 0.16, 0.155, 0.15, 0.15), 0.5),
    "goblet": ((0.2, 0.21, 0.2, 0.16, 0.08, 0.04, 0.03, 0.04, 0.09, 0.17), 0.66),
    "tureen": ((0.04, 0.03, 0.14, 0.27, 0.36, 0.38, 0.37, 0.33, 0.24, 0.2), 0.46),
    "jardiniere": ((0.34, 0.35, 0.33, 0.3, 0.27, 0.24, 0.22, 0.2, 0.2, 0.23), 0.5),
    "albarello": ((0.17, 0.13, 0.18, 0.18, 0.15, 0.14, 0.15, 0.18, 0.18, 0.14), 0.7),
    "flask": ((0.06, 0.05, 0.05, 0.18, 0.27, 0.31, 0.31, 0.27, 0.19, 0.12), 0.68),
}
HANDLES = {"amphora": (-1, 1), "tureen": (-1, 1), "carafe": (1,)}
GLAZES = {
    "cobalt": (34, 60, 150),
    "celadon": (148, 190, 160),
    "oxblood": (112, 20, 26),
    "ochre": (200, 146, 44),
    "ivory": (236, 228, 204),
    "tenmoku": (44, 32, 28),
    "rust": (176, 84, 40),
    "plum": (96, 48, 92),
    "slate": (100, 112, 124),
    "rose": (222, 150, 156),
}
# Where the second colour lies, by the angle around the axis and the height, each times `n`.
DECORS: Mapping[str, Callable[[Grid, Grid, float], NDArray[np.bool_]]] = {
    "plain": lambda angle, height, n: np.zeros(angle.shape, bool),
    "banded": lambda angle, height, n: height * n % 2 < 0.5,
    "fluted": lambda angle, height, n: angle * n % 2 < 0.7,
    "chequered": lambda angle, height, n: (np.floor(angle * n) + np.floor(height * n)) % 2 < 1,
    "wavy": lambda angle, height, n: (height * n + 0.5 * np.sin(3 * angle)) % 2 < 0.6,
    "zigzag": lambda angle, height, n: (height * n + np.abs(angle * n % 2 - 1)) % 2 < 0.6,
    "dotted": lambda angle, height, n: (
        (angle * n % 1 - 0.5) ** 2 + (height * n % 1 - 0.5) ** 2 < 0.09
    ),
}


def piece(
    rng: np.random.Generator,
    form: str,
    shape: Grid,
    decor: str,
    number: float,
    glaze: str,
) -> Image.Image:
    """A photograph of a piece, 160 x 160, each time a little elsewhere and in other light.

    Args:
        shape: How much wider than usual it is at ten heights.
        number: Of the decor's repeats.
    """
    widths, tall = FORMS[form]
    x, y = np.meshgrid(np.linspace(-0.5, 0.5, SIZE), np.linspace(0, 1, SIZE))
    zoom = rng.uniform(0.8, 1.1)
    x, y = (x + rng.uniform(-0.05, 0.05)) / zoom, (y - 0.94 + rng.uniform(0, 0.08)) / zoom + 1
    height = (y - 1 + tall) / tall  # 0 at the mouth, 1 at the foot
    fine = np.interp(np.linspace(0, 9, 200), range(10), np.array(widths) * shape)
    smooth = np.convolve(np.pad(fine, 12, "edge"), np.ones(25) / 25, "valid")
    radius = np.interp(height, np.linspace(0, 1, 200), smooth)
    body = (height >= 0) & (height <= 1) & (np.abs(x) < radius)
    across = np.clip(x / radius, -1, 1)
    light = rng.uniform(-0.6, 0.6)
    lit = 0.45 + 0.55 * np.clip(np.cos(np.arcsin(across) - light), 0, 1)
    shine = np.exp(-(((across - light) / 0.12) ** 2)) * 0.35

    base = np.array(GLAZES[glaze], float)
    second = np.array((240, 234, 216) if base.mean() < 150 else (60, 44, 40), float)
    pattern = DECORS[decor](np.arcsin(across) + 2, height, number) & (height > 0.05)
    colour = np.where(pattern[..., None], second, base)
    picture = np.empty((SIZE, SIZE, 3))
    picture[:] = rng.uniform(200, 250) - 40 * np.clip(y, 0, 1)[..., None] ** 3
    shadow = np.exp(-((x / (1.4 * radius.max())) ** 2) - ((y - 1) / 0.03) ** 2)
    picture *= 1 - 0.5 * shadow[..., None]
    for side in HANDLES.get(form, ()):
        ring = np.hypot((x - side * radius.max() * 0.8) / 0.11, (height - 0.3) / 0.2)
        picture = np.where((np.abs(ring - 1) < 0.18)[..., None], base * 0.75, picture)
    glazed = colour * lit[..., None] + 255 * shine[..., None]
    picture = np.where(body[..., None], glazed, picture) + rng.normal(0, 2, picture.shape)
    return Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))


def draw(folder: Path, designs: int, seed: int = 7) -> None:
    """Draw the shop with its `metadata.csv`: four pictures of each design."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "metadata.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("file_name", "title", "type", "glaze", "decor", "design"))
        for design in range(designs):
            form, decor = rng.choice([*FORMS]), rng.choice([*DECORS])
            shape, number = rng.uniform(0.82, 1.2, 10), rng.uniform(5, 12)
            for glaze in rng.choice([*GLAZES], GLAZES_OF_EACH, replace=False):
                name = f"{design:03}-{glaze}.jpg"
                piece(rng, form, shape, decor, number, glaze).save(folder / name, quality=90)
                table.writerow((name, f"{decor} {form} {glaze}", form, glaze, decor, design))
