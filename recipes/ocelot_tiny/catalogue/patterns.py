"""Patterns as seamless tiles of ink weights, and the inks that print them in a colour.

A tile is (n, n, 3) float32 in [0, 1]: how far the ground is covered by the first, second and
third ink. Keeping inks apart from tiles lets every pattern be printed in every colour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from recipes.ocelot_tiny.catalogue.noise import (
    SIDE,
    Field,
    blank,
    clouds,
    grid,
    mesh,
    smooth,
    spectrum_noise,
    stamps,
    warped,
)
from recipes.ocelot_tiny.catalogue.vocabulary import PATTERNS

VARIANTS = 3  # different tiles per pattern

Weights = NDArray[np.floating] | float


def stack(first: Weights, second: Weights = 0.0, third: Weights = 0.0) -> Field:
    """Three ink weights as one tile."""
    tile = np.zeros((SIDE, SIDE, 3), dtype=np.float32)
    for channel, weight in enumerate((first, second, third)):
        tile[..., channel] = weight
    return np.clip(tile, 0, 1)


def _plain(rng: np.random.Generator, variant: int) -> Field:
    return stack(blank())


def _leopard(rng: np.random.Generator, variant: int) -> Field:
    x, y = warped(rng, 9, 0.008)
    ring, heart = blank(), blank()
    for at, dx, dy, luck in stamps(rng, x, y, 6, 0.34):
        size, stretch = 0.29 + 0.09 * luck[0], 0.86 + 0.3 * luck[3]
        angle = np.arctan2(dy, dx)
        distance = np.hypot(dx * stretch, dy / stretch) / size
        lobes = 3 + (luck[1] > 0.5)
        gap = np.cos(lobes * angle + 6.28 * luck[2]) + 0.45 * np.cos(angle + 9 * luck[1])
        thickness = 0.33 + 0.13 * gap - 0.55 * (gap < -0.75)
        ring[at] = np.maximum(ring[at], smooth(thickness - abs(distance - 0.78), 0, 0.1))
        heart[at] = np.maximum(heart[at], smooth(0.8 - distance, 0, 0.25))
    for at, dx, dy, luck in stamps(rng, x, y + 0.5 / 6, 6, 0.5, 0.3):
        spot = 0.075 + 0.05 * luck[0] - np.hypot(dx, dy)
        ring[at] = np.maximum(ring[at], smooth(spot, 0, 0.03))
    return stack(ring, heart * 0.75)


def _zebra(rng: np.random.Generator, variant: int) -> Field:
    field = spectrum_noise(rng, (0, 6.5), (1.4, 0.9)) + 0.12 * clouds(rng, 20)
    return stack(smooth(field, 0.02, 0.22))


def _tiger(rng: np.random.Generator, variant: int) -> Field:
    field = spectrum_noise(rng, (0, 7), (2.0, 1.2)) + 0.12 * clouds(rng, 24)
    pale = smooth(clouds(rng, 3), 0.6, 2.2)
    return stack(smooth(field, 0.78, 0.98), 0.0, 0.35 * pale)


def _giraffe(rng: np.random.Generator, variant: int) -> Field:
    x, y = warped(rng, 12, 0.006)
    near, second = blank() + 9, blank() + 9
    for at, dx, dy, _ in stamps(rng, x, y, 5, 0.75, 1.6):
        distance = np.hypot(dx, dy)
        second[at] = np.minimum(second[at], np.maximum(near[at], distance))
        near[at] = np.minimum(near[at], distance)
    return stack(smooth(second - near, 0.20, 0.12), 0.35 * smooth(near, 0.45, 0.0))


def _snakeskin(rng: np.random.Generator, variant: int) -> Field:
    x, y = grid()
    p, q = 14 * x + 10 * y, 14 * x - 10 * y
    along, beside = abs(p % 1 - 0.5) * 2, abs(q % 1 - 0.5) * 2
    edge = smooth(np.maximum(along, beside), 0.66, 0.92)
    # whole scales are dark or pale, so the large diamonds have stepped edges as on a python
    column, row = (np.floor(p) + np.floor(q) + 1) / 28, (np.floor(p) - np.floor(q)) / 20
    across = abs((2 * column) % 1 - 0.5) * 2
    down = abs((2 * row) % 1 - 0.5) * 2
    ring = across + down
    blotch = ((ring > 0.42) & (ring < 0.92)) | (ring > 1.82)
    shine = smooth(1.2 - np.hypot(along - 0.1, beside - 0.1), 0, 1.2)
    return stack(0.6 * edge, 0.9 * blotch.astype(np.float32), 0.28 * shine * (1 - edge))


def _stripes(rng: np.random.Generator, variant: int) -> Field:
    x, y = grid()
    phase = (y * (5, 7, 4)[variant]) % 1
    band = smooth(abs(phase - 0.5), 0.29, 0.27)
    if variant == 2:
        band = np.maximum(
            smooth(abs(phase - 0.3), 0.15, 0.135),
            smooth(abs(phase - 0.72), 0.06, 0.045),
        )
    return stack(band + 0 * x)


def _dots(rng: np.random.Generator, variant: int) -> Field:
    x, y = mesh()
    count, radius = (6, 8, 6)[variant], (0.25, 0.27, 0.33)[variant]
    dot = blank()
    for at, dx, dy, _ in stamps(rng, x, y, count, 0.0, 0.4):
        dot[at] = np.maximum(dot[at], smooth(np.hypot(dx, dy), radius + 0.02, radius - 0.02))
    return stack(dot)


def _checks(rng: np.random.Generator, variant: int) -> Field:
    x, y = grid()
    count = (5, 6, 4)[variant]
    across = smooth(abs((x * count) % 1 - 0.5), 0.26, 0.24)
    down = smooth(abs((y * count) % 1 - 0.5), 0.26, 0.24)
    if variant == 1:
        return stack(across + down - 2 * across * down)
    return stack(0.5 * across + 0.5 * down)


def _floral(rng: np.random.Generator, variant: int) -> Field:
    x, y = mesh()
    petals, hearts, leaves = blank(), blank(), blank()
    for at, dx, dy, luck in stamps(rng, x, y, 4, 0.28):
        size = 0.33 + 0.10 * luck[0]
        distance = np.hypot(dx, dy) / size
        angle = np.arctan2(dy, dx) + 6.28 * luck[1]
        bloom = 0.70 + 0.30 * abs(np.cos(2.5 * angle)) ** 0.7
        petal = smooth(bloom - distance, 0, 0.05)
        # a darker line between petals
        petal *= 1 - 0.45 * smooth(abs(np.cos(2.5 * angle)), 0.16, 0.0)
        petals[at] = np.maximum(petals[at], petal)
        hearts[at] = np.maximum(hearts[at], smooth(distance, 0.30, 0.24))
        for turn in (0.7, 2.9):
            cos, sin = np.cos(6.28 * luck[2] + turn), np.sin(6.28 * luck[2] + turn)
            leaf = 0.085 - 2.5 * (dx * cos + dy * sin - 0.44) ** 2 - abs(dy * cos - dx * sin)
            leaves[at] = np.maximum(leaves[at], smooth(leaf, 0, 0.02))
    leaves *= 1 - np.maximum(petals, hearts)
    return stack(petals, leaves, hearts)


def _marble(rng: np.random.Generator, variant: int) -> Field:
    base = clouds(rng, 3.5) + 0.30 * clouds(rng, 10) + 0.10 * clouds(rng, 30)
    fine = clouds(rng, 6) + 0.25 * clouds(rng, 18)
    strength = smooth(clouds(rng, 5), -1.0, 1.2)
    veins = smooth(abs(base), 0.15, 0.01) * (0.45 + 0.55 * strength)
    threads = smooth(abs(fine - 0.2), 0.08, 0.0) * 0.55 * strength
    mist = 0.45 * smooth(abs(base), 0.8, 0.05)
    return stack(np.maximum(veins, threads), mist)


def _camouflage(rng: np.random.Generator, variant: int) -> Field:
    layers = [
        smooth(clouds(rng, 8) + 0.25 * clouds(rng, 22), level, level + 0.05)
        for level in (0.25, 0.75, 1.05)
    ]
    return stack(*layers)


def _wood(rng: np.random.Generator, variant: int) -> Field:
    x, y = grid()
    planks = 4
    board = np.floor(y * planks).astype(int)[:, 0]
    offset = rng.integers(0, SIDE, planks)
    figure = spectrum_noise(rng, (0, 0), (1.1, 4.5))
    fibre = spectrum_noise(rng, (0, 0), (5, 90))
    columns = (np.arange(SIDE)[None, :] + offset[board][:, None]) % SIDE
    figure = np.take_along_axis(figure, columns, axis=1)
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (2.1 * figure + 0.10 * fibre))
    grain = 0.75 * smooth(rings, 0.35, 1.0) + 0.16 * fibre
    tint = rng.random(planks)[board][:, None] * np.ones_like(x)
    seam = smooth(abs((y * planks + 0.5) % 1 - 0.5), 0.03, 0.012) + 0 * x
    joint = blank()
    for index in range(planks):
        gap = abs((x - rng.random() + 0.5) % 1 - 0.5) + 0 * y
        joint = np.where((board == index)[:, None], smooth(gap, 0.008, 0.003), joint)
    return stack(0.62 * grain, 0.5 * tint.astype(np.float32), np.maximum(seam, joint))


def _galaxy(rng: np.random.Generator, variant: int) -> Field:
    nebula = clouds(rng, 3) + 0.5 * clouds(rng, 7) + 0.22 * clouds(rng, 20)
    dark, bright = smooth(nebula, 0.25, -1.5), smooth(nebula, 0.4, 2.4)
    x, y = mesh()
    stars = blank()
    for count, radius in ((6, 0.10), (14, 0.15)):
        for at, dx, dy, luck in stamps(rng, x, y, count, 0.95, 0.3):
            distance = np.hypot(dx, dy)
            star = smooth(distance / (radius * (0.35 + luck[0])), 1.0, 0.35)
            if count == 6 and luck[0] > 0.4:  # the large ones twinkle
                star = np.maximum(star, np.exp(-abs(dx * dy) * 1500 - 9 * distance))
            stars[at] = np.maximum(stars[at], star)
    return stack(0.92 * dark, 0.75 * bright, stars)


def _waves(rng: np.random.Generator, variant: int) -> Field:
    x, y = grid()
    crest = (0.055, 0.075, 0.045)[variant] * np.sin(2 * np.pi * (3, 2, 4)[variant] * x)
    phase = ((y + crest) * 4) % 1
    pale = smooth(abs(phase - 0.36), 0.15, 0.13)
    dark = smooth(abs(phase - 0.60), 0.10, 0.08)
    return stack(pale, dark)


_MAKERS: Mapping[str, Callable[[np.random.Generator, int], Field]] = {
    "plain": _plain,
    "leopard": _leopard,
    "zebra": _zebra,
    "tiger": _tiger,
    "giraffe": _giraffe,
    "snakeskin": _snakeskin,
    "stripes": _stripes,
    "dots": _dots,
    "checks": _checks,
    "floral": _floral,
    "marble": _marble,
    "camouflage": _camouflage,
    "wood": _wood,
    "galaxy": _galaxy,
    "waves": _waves,
}


@cache
def tile(pattern: str, variant: int, level: int = 0) -> NDArray[np.uint8]:
    """The tile of ``pattern`` as (n, n, 3) bytes, n = ``SIDE`` / 2**level; read-only."""
    if level == 0:
        order = list(PATTERNS).index(pattern)
        weights = _MAKERS[pattern](np.random.default_rng([20, order, variant]), variant)
        out = np.round(weights * 255).astype(np.uint8)
    else:
        fine = tile(pattern, variant, level - 1).astype(np.uint16)
        quads = fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2]
        out = ((quads + 2) // 4).astype(np.uint8)
    out.setflags(write=False)
    return out
