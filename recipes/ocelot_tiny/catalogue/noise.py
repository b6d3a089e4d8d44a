"""Seamless fields to make patterns of: noise, and things strewn on a grid."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]

SIDE = 512  # pixels of a tile at full detail


def smooth(field: NDArray[np.floating], low: float, high: float) -> Field:
    """0 below ``low``, 1 above ``high``, and a smooth step between."""
    t = np.clip((field - low) / (high - low), 0, 1).astype(np.float32)
    step: Field = t * t * (3 - 2 * t)
    return step


def spectrum_noise(
    rng: np.random.Generator, centre: tuple[float, float], spread: tuple[float, float]
) -> Field:
    """Seamless noise of unit variance whose frequencies (x, y, per tile) lie about ``centre``."""
    fy = np.fft.fftfreq(SIDE, 1 / SIDE)[:, None]
    fx = np.fft.rfftfreq(SIDE, 1 / SIDE)[None, :]
    lobes = [
        np.exp(
            -0.5
            * (
                ((fx - sign * centre[0]) / spread[0]) ** 2
                + ((fy - sign * centre[1]) / spread[1]) ** 2
            )
        )
        for sign in (1, -1)
    ]
    weight = lobes[0] + lobes[1]
    weight[0, 0] = 0
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((SIDE, SIDE))) * weight, (SIDE, SIDE))
    scaled: Field = (noise / noise.std()).astype(np.float32)
    return scaled


def clouds(rng: np.random.Generator, frequency: float) -> Field:
    """Seamless soft noise of unit variance with about ``frequency`` lumps per side."""
    return spectrum_noise(rng, (0, 0), (frequency / 2, frequency / 2))


def grid() -> tuple[Field, Field]:
    """The tile's coordinates x, y in [0, 1), as (1, n) and (n, 1)."""
    axis = ((np.arange(SIDE) + 0.5) / SIDE).astype(np.float32)
    return axis[None, :], axis[:, None]


def mesh() -> tuple[Field, Field]:
    """The tile's coordinates x, y in [0, 1), both (n, n)."""
    x, y = grid()
    return x + 0 * y, y + 0 * x


def blank() -> Field:
    """A tile's worth of zeros, (n, n)."""
    return np.zeros((SIDE, SIDE), np.float32)


def warped(rng: np.random.Generator, frequency: float, amount: float) -> tuple[Field, Field]:
    """Coordinates x, y (n, n) pushed about by noise, to make ruled things look grown."""
    x, y = grid()
    return x + amount * clouds(rng, frequency), y + amount * clouds(rng, frequency)


Window = tuple[NDArray[np.intp], ...]


def stamps(
    rng: np.random.Generator, x: Field, y: Field, count: int, wander: float, reach: float = 0.7
) -> Iterator[tuple[Window, Field, Field, list[float]]]:
    """Scattered seeds, one per square of a count x count grid with odd rows shifted by half.

    Yields for each seed the window of the tile within ``reach`` squares, the offsets dx, dy of
    its pixels from the seed in squares, and four random numbers. ``x``, ``y`` are (n, n).
    """
    for row in range(count):
        for column in range(count):
            luck = rng.random(6).tolist()
            left = column + 0.5 + 0.5 * (row % 2) + wander * (luck[0] - 0.5)
            top = row + 0.5 + wander * (luck[1] - 0.5)
            pixels = [
                np.arange(int((c - reach) * SIDE / count), int((c + reach) * SIDE / count)) % SIDE
                for c in (top, left)
            ]
            window = np.ix_(*pixels)
            # the nearest of the tile's repetitions
            dx = (x[window] * count - left + count / 2) % count - count / 2
            dy = (y[window] * count - top + count / 2) % count - count / 2
            yield window, dx.astype(np.float32), dy.astype(np.float32), luck[2:]
