"""Plane geometry for product sketches: outlines, parts, and the sketch they make up.

Sketches use any convenient unit, x to the right and y down; ``Sketch.fitted`` brings them to
the square [-1, 1] x [-1, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (n, 2)
Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Part:
    """One piece of a product: filled outlines (or strokes when ``width`` > 0) of one material.

    role: "surface" (colour and pattern), "accent", "pale", "dark", "metal", "light", "glass",
    "screen", "lens", "glow", "timber", "fur", "ear", "amber", "nose" or "ink"; form: "flat",
    "cylinder" (upright), "barrel" (lying), "sphere" or "soft" (a sphere of fur); tone multiplies
    the brightness.
    """

    paths: tuple[Points, ...]
    role: str = "surface"
    form: str = "flat"
    holes: tuple[Points, ...] = ()
    width: float = 0.0
    tone: float = 1.0

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in sketch units, the stroke's width included."""
        points = np.concatenate(self.paths)
        low, high = points.min(axis=0) - self.width / 2, points.max(axis=0) + self.width / 2
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


@dataclass(frozen=True)
class Sketch:
    """A product's parts, back to front; ``standing`` on a table, or lying seen from above."""

    parts: tuple[Part, ...]
    standing: bool = True

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of all the parts in sketch units."""
        boxes = np.array([part.bounds for part in self.parts])
        low, high = boxes.min(axis=0), boxes.max(axis=0)
        return float(low[0]), float(low[1]), float(high[2]), float(high[3])

    def fitted(self) -> Sketch:
        """The same sketch centred on (0, 0), its larger side reaching from -1 to 1."""
        x0, y0, x1, y1 = self.bounds
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        scale = 2 / max(x1 - x0, y1 - y0)

        def move(paths: tuple[Points, ...]) -> tuple[Points, ...]:
            return tuple((path - centre) * scale for path in paths)

        parts = tuple(
            replace(p, paths=move(p.paths), holes=move(p.holes), width=p.width * scale)
            for p in self.parts
        )
        return Sketch(parts, self.standing)


class Jitter:
    """Small random changes of proportion: ``jitter(2.0)`` is 2.0 give or take 5 %."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def __call__(self, value: float, spread: float = 0.05) -> float:
        return value * (1 + spread * (2 * self._rng.random() - 1))


Draughtsman = Callable[[Jitter], Sketch]


def part(
    *paths: Points,
    role: str = "surface",
    form: str = "flat",
    tone: float = 1.0,
    holes: Sequence[Points] = (),
) -> Part:
    """A filled part; overlapping paths unite, holes are cut out."""
    return Part(paths, role, form, tuple(holes), 0.0, tone)


def stroke(path: Points, width: float, role: str = "accent", tone: float = 1.0) -> Part:
    """A line of the given width with round ends, shaded like a tube."""
    return Part((path,), role, "flat", (), width, tone)


def standing(*parts: Part) -> Sketch:
    """A sketch of something that stands upright."""
    return Sketch(parts, True)


def lying(*parts: Part) -> Sketch:
    """A sketch of something flat, seen from above."""
    return Sketch(parts, False)


def rounded(corners: Pairs, radius: float) -> Points:
    """A closed polygon with its corners rounded by ``radius`` (less on short edges)."""
    if radius <= 0:
        return np.array(corners, dtype=np.float64)
    points = np.array(corners, dtype=np.float64)
    t = np.linspace(0, 1, 7)[:, None]
    pieces = []
    for index, corner in enumerate(points):
        before, after = points[index - 1] - corner, points[(index + 1) % len(points)] - corner
        lengths = np.hypot(*before), np.hypot(*after)
        start = corner + before * min(radius / lengths[0], 0.5)
        end = corner + after * min(radius / lengths[1], 0.5)
        # weight 0.75 brings the quadratic close to a circular arc at a right angle
        control = corner
        weight = 0.75
        blend = (1 - t) ** 2 + 2 * weight * t * (1 - t) + t**2
        pieces.append(
            ((1 - t) ** 2 * start + 2 * weight * t * (1 - t) * control + t**2 * end) / blend
        )
    return np.concatenate(pieces)


def rect(cx: float, cy: float, width: float, height: float, radius: float = 0.0) -> Points:
    """A rectangle by its centre and sides."""
    x, y = width / 2, height / 2
    corners = [(cx - x, cy - y), (cx + x, cy - y), (cx + x, cy + y), (cx - x, cy + y)]
    return rounded(corners, radius)


def taper(
    cx: float, top: float, bottom: float, top_width: float, bottom_width: float, radius: float = 0.0
) -> Points:
    """An upright trapezoid between the heights ``top`` and ``bottom``."""
    a, b = top_width / 2, bottom_width / 2
    return rounded([(cx - a, top), (cx + a, top), (cx + b, bottom), (cx - b, bottom)], radius)


def oval(cx: float, cy: float, rx: float, ry: float | None = None) -> Points:
    """An ellipse, a circle when ``ry`` is left out."""
    return arc(cx, cy, rx, rx if ry is None else ry, 0, 360)


def arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> Points:
    """Points along an ellipse from angle ``start`` to ``end`` (degrees, clockwise from right)."""
    angle = np.radians(np.linspace(start, end, 40))
    return np.stack([cx + rx * np.cos(angle), cy + ry * np.sin(angle)], axis=1)


def curve(knots: Pairs, closed: bool = False) -> Points:
    """A smooth (Catmull-Rom) curve through ``knots``."""
    p = np.array(knots, dtype=np.float64)
    p = np.concatenate([p[-1:], p, p[:2]] if closed else [p[:1], p, p[-1:]])
    t = np.linspace(0, 1, 9)[:, None]
    pieces = []
    for a, b, c, d in zip(p, p[1:], p[2:], p[3:], strict=False):
        pieces.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    return np.concatenate(pieces)


def blob(*knots: tuple[float, float]) -> Points:
    """A smooth closed outline through ``knots``."""
    return curve(knots, closed=True)
