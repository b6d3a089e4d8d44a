"""Sketches of the animals whose coats the patterns are named after."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from recipes.ocelot_tiny.catalogue.shapes import (
    Part,
    Points,
    Sketch,
    blob,
    curve,
    oval,
    part,
    rounded,
    stroke,
)


@dataclass(frozen=True)
class Animal:
    """A sketch whose parts from ``head`` on bear the coat in a finer print."""

    sketch: Sketch
    head: int

    def fitted(self) -> Animal:
        """The animal in the square [-1, 1] x [-1, 1]."""
        return Animal(self.sketch.fitted(), self.head)


def _animal(body: list[Part], head: list[Part]) -> Animal:
    return Animal(Sketch((*body, *head)), len(body))


def _cat_head(x: float, y: float, r: float) -> list[Part]:
    """A big cat's face seen from the front, its half width ``r``."""

    def at(*points: tuple[float, float]) -> list[tuple[float, float]]:
        return [(x + r * a, y + r * b) for a, b in points]

    def both(a: float, b: float, rx: float, ry: float) -> tuple[Points, Points]:
        left = oval(x - r * a, y + r * b, r * rx, r * ry)
        return left, oval(x + r * a, y + r * b, r * rx, r * ry)

    eyes = [
        blob(
            *at(
                (s * 0.19, 0.01),
                (s * 0.27, -0.15),
                (s * 0.41, -0.22),
                (s * 0.55, -0.13),
                (s * 0.54, -0.01),
                (s * 0.38, 0.06),
            )
        )
        for s in (-1, 1)
    ]
    whiskers = [
        stroke(
            curve(
                at(
                    (s * 0.30, 0.42 + 0.07 * k),
                    (s * 0.75, 0.34 + 0.12 * k),
                    (s * 1.22, 0.34 + 0.22 * k),
                )
            ),
            0.018 * r,
            "light",
        )
        for s in (-1, 1)
        for k in range(3)
    ]
    return [
        part(*both(0.68, -0.70, 0.30, 0.30), form="soft"),
        part(*both(0.66, -0.66, 0.17, 0.18), role="ear"),
        part(
            blob(
                *at(
                    (0, -0.80),
                    (0.55, -0.70),
                    (0.90, -0.25),
                    (0.98, 0.25),
                    (0.72, 0.66),
                    (0.34, 0.86),
                    (0, 0.92),
                    (-0.34, 0.86),
                    (-0.72, 0.66),
                    (-0.98, 0.25),
                    (-0.90, -0.25),
                    (-0.55, -0.70),
                )
            ),
            form="soft",
        ),
        part(oval(x, y + 0.68 * r, 0.30 * r, 0.26 * r), role="fur", tone=0.94),
        part(*both(0.22, 0.44, 0.31, 0.25), role="fur", form="soft"),
        part(*both(0.39, -0.31, 0.14, 0.05), role="fur"),
        part(*both(0.40, 0.13, 0.16, 0.05), role="fur"),
        part(*[(e - e.mean(axis=0)) * 1.2 + e.mean(axis=0) for e in eyes], role="ink"),
        part(*eyes, role="amber"),
        part(*both(0.385, -0.085, 0.085, 0.10), role="ink"),
        part(*both(0.36, -0.12, 0.03, 0.03), role="light"),
        part(
            rounded(at((-0.19, 0.16), (0.19, 0.16), (0.07, 0.33), (-0.07, 0.33)), 0.07 * r),
            role="nose",
        ),
        stroke(
            curve(at((-0.36, 0.47), (-0.20, 0.585), (0, 0.50), (0.20, 0.585), (0.36, 0.47))),
            0.035 * r,
            "ink",
        ),
        stroke(np.array(at((0, 0.32), (0, 0.50))), 0.035 * r, "ink"),
        part(
            *[
                oval(x + s * r * (0.22 + 0.1 * k), y + r * (0.40 + 0.07 * (k % 2)), 0.018 * r)
                for s in (-1, 1)
                for k in range(3)
            ],
            role="ink",
        ),
        *whiskers,
    ]


def _leg(
    x: float, top: float, foot: float, width: float, tone: float, bend: float = 0.0
) -> list[Part]:
    w = width / 2
    middle = (top + foot) / 2
    outline = blob(
        (x - w * 1.4, top),
        (x + w * 1.4, top),
        (x + w * 0.9 + bend, middle),
        (x + w * 0.8, foot - 0.08),
        (x + w * 0.75, foot),
        (x - w * 1.4, foot),
        (x - w * 0.9, foot - 0.1),
        (x - w * 0.8 + bend, middle),
    )
    return [part(outline, tone=tone)]


def _cat_walking() -> Animal:
    body = [
        stroke(
            curve([(0.95, -0.2), (1.28, 0.05), (1.36, 0.45), (1.58, 0.62), (1.8, 0.5)]),
            0.14,
            "surface",
            0.94,
        ),
        *_leg(-0.48, 0.1, 0.92, 0.20, 0.72, 0.03),
        *_leg(0.72, 0.1, 0.92, 0.22, 0.72, 0.08),
        part(
            blob(
                (-1.0, -0.25),
                (-0.6, -0.46),
                (-0.1, -0.40),
                (0.5, -0.44),
                (0.92, -0.36),
                (1.08, -0.05),
                (0.98, 0.3),
                (0.6, 0.36),
                (0.1, 0.34),
                (-0.4, 0.42),
                (-0.9, 0.35),
                (-1.1, 0.05),
            ),
            form="soft",
        ),
        *_leg(-0.82, 0.1, 0.98, 0.23, 1.0),
        *_leg(0.92, 0.05, 0.98, 0.25, 1.0, 0.07),
    ]
    return _animal(body, _cat_head(-1.12, -0.38, 0.44))


def _cat_sitting() -> Animal:
    paws = [oval(s * 0.21, 0.95, 0.19, 0.10) for s in (-1, 1)]
    body = [
        stroke(
            curve([(0.55, 0.78), (0.95, 0.86), (1.12, 0.5), (0.98, 0.12), (1.14, -0.16)]),
            0.15,
            "surface",
            0.92,
        ),
        part(
            blob(
                (-0.42, -0.42),
                (0, -0.5),
                (0.42, -0.42),
                (0.55, 0.05),
                (0.74, 0.55),
                (0.64, 0.94),
                (0, 0.98),
                (-0.64, 0.94),
                (-0.74, 0.55),
                (-0.55, 0.05),
            ),
            form="soft",
        ),
        part(oval(-0.58, 0.66, 0.27, 0.34), form="soft"),
        part(oval(0.58, 0.66, 0.27, 0.34), form="soft"),
        part(oval(-0.62, 0.95, 0.24, 0.09), oval(0.62, 0.95, 0.24, 0.09), form="soft", tone=0.95),
        part(
            blob((0, -0.3), (0.25, -0.14), (0.20, 0.12), (0, 0.30), (-0.20, 0.12), (-0.25, -0.14)),
            role="fur",
            tone=0.96,
        ),
        *[
            part(
                blob(
                    (s * 0.30, 0.02),
                    (s * 0.42, 0.22),
                    (s * 0.37, 0.6),
                    (s * 0.37, 0.95),
                    (s * 0.07, 0.95),
                    (s * 0.07, 0.6),
                    (s * 0.14, 0.2),
                ),
                form="soft",
            )
            for s in (-1, 1)
        ],
        part(*paws, form="soft"),
        *[
            stroke(np.array([(s * 0.21 + d, 0.93), (s * 0.21 + d, 1.0)]), 0.014, "ink")
            for s in (-1, 1)
            for d in (-0.06, 0.06)
        ],
    ]
    return _animal(body, _cat_head(0, -0.62, 0.52))


def _cat_portrait() -> Animal:
    body = [
        part(
            blob(
                (-0.75, 0.1),
                (0, -0.3),
                (0.75, 0.1),
                (1.15, 0.75),
                (1.2, 1.5),
                (-1.2, 1.5),
                (-1.15, 0.75),
            ),
            form="soft",
        ),
        part(
            blob((0, 0.5), (0.34, 0.75), (0.3, 1.2), (0, 1.5), (-0.3, 1.2), (-0.34, 0.75)),
            role="fur",
            tone=0.95,
        ),
    ]
    return _animal(body, _cat_head(0, 0, 0.92))


def _hooves(spots: list[tuple[float, float, float]]) -> Part:
    return part(
        *[
            rounded(
                [(x - w, y - 0.09), (x + w, y - 0.09), (x + w * 1.3, y), (x - w * 1.3, y)], 0.02
            )
            for x, y, w in spots
        ],
        role="ink",
    )


def _zebra() -> Animal:
    body = [
        stroke(curve([(0.92, -0.15), (1.1, 0.1), (1.08, 0.42)]), 0.06, "surface"),
        part(oval(1.07, 0.5, 0.06, 0.13), role="ink"),
        *_leg(-0.38, 0.2, 1.05, 0.15, 0.72),
        *_leg(0.60, 0.2, 1.05, 0.16, 0.72, 0.05),
        part(
            blob(
                (-0.72, -0.2),
                (-0.2, -0.22),
                (0.4, -0.28),
                (0.85, -0.24),
                (1.0, 0.1),
                (0.85, 0.38),
                (0.2, 0.42),
                (-0.4, 0.42),
                (-0.8, 0.3),
                (-0.9, 0.0),
            ),
            form="soft",
        ),
        *_leg(-0.64, 0.2, 1.1, 0.17, 1.0),
        *_leg(0.80, 0.15, 1.1, 0.19, 1.0, 0.06),
        _hooves([(-0.41, 1.05, 0.07), (0.58, 1.05, 0.07), (-0.67, 1.1, 0.08), (0.77, 1.1, 0.08)]),
    ]
    head = [
        part(
            blob(
                (-0.5, -0.16),
                (-0.72, -0.62),
                (-0.98, -0.98),
                (-1.16, -0.86),
                (-1.1, -0.5),
                (-0.94, 0.05),
                (-0.7, 0.24),
            )
        ),
        stroke(curve([(-0.44, -0.2), (-0.66, -0.66), (-0.92, -1.04)]), 0.12, "ink"),
        part(
            blob(
                (-0.98, -1.0),
                (-1.16, -1.02),
                (-1.42, -0.72),
                (-1.62, -0.48),
                (-1.6, -0.34),
                (-1.42, -0.32),
                (-1.16, -0.48),
                (-0.98, -0.64),
            )
        ),
        part(
            blob((-1.50, -0.56), (-1.63, -0.48), (-1.62, -0.33), (-1.45, -0.32), (-1.40, -0.44)),
            role="ink",
        ),
        part(
            blob((-0.98, -1.0), (-0.92, -1.24), (-0.86, -1.06), (-0.9, -0.94)),
            blob((-1.06, -1.02), (-1.08, -1.26), (-0.98, -1.12), (-0.98, -0.98)),
        ),
        part(oval(-1.22, -0.78, 0.045), role="ink"),
        part(oval(-1.23, -0.795, 0.014), role="light"),
    ]
    return _animal(body, head)


def _giraffe() -> Animal:
    body = [
        stroke(curve([(0.66, 0.3), (0.82, 0.5), (0.8, 0.78)]), 0.045, "surface"),
        part(oval(0.8, 0.84, 0.05, 0.1), role="ink"),
        *_leg(-0.22, 0.5, 1.5, 0.13, 0.75),
        *_leg(0.42, 0.5, 1.5, 0.13, 0.75, 0.04),
        part(
            blob(
                (-0.5, 0.0),
                (-0.1, 0.1),
                (0.4, 0.22),
                (0.68, 0.34),
                (0.7, 0.6),
                (0.4, 0.74),
                (-0.1, 0.74),
                (-0.5, 0.6),
                (-0.62, 0.3),
            ),
            form="soft",
        ),
        *_leg(-0.42, 0.5, 1.56, 0.14, 1.0),
        *_leg(0.58, 0.5, 1.56, 0.15, 1.0, 0.04),
        _hooves([(-0.24, 1.5, 0.06), (0.4, 1.5, 0.06), (-0.44, 1.56, 0.065), (0.56, 1.56, 0.065)]),
        part(
            blob(
                (-0.14, 0.1),
                (-0.42, -0.5),
                (-0.66, -1.22),
                (-0.86, -1.2),
                (-0.76, -0.5),
                (-0.62, 0.3),
                (-0.4, 0.42),
            ),
            form="cylinder",
        ),
        stroke(curve([(-0.16, 0.06), (-0.40, -0.5), (-0.64, -1.24)]), 0.05, "timber", 0.7),
    ]
    head = [
        stroke(np.array([(-0.72, -1.36), (-0.70, -1.56)]), 0.045, "accent"),
        stroke(np.array([(-0.82, -1.36), (-0.82, -1.56)]), 0.045, "accent"),
        part(oval(-0.70, -1.58, 0.045), oval(-0.82, -1.58, 0.045), role="ink"),
        part(blob((-0.62, -1.34), (-0.42, -1.42), (-0.5, -1.3), (-0.62, -1.26))),
        part(
            blob(
                (-0.62, -1.2),
                (-0.66, -1.38),
                (-0.86, -1.42),
                (-1.12, -1.22),
                (-1.22, -1.08),
                (-1.12, -1.0),
                (-0.86, -1.08),
            )
        ),
        part(blob((-1.08, -1.22), (-1.22, -1.09), (-1.12, -1.0), (-0.98, -1.06)), role="fur"),
        part(oval(-0.84, -1.29, 0.04), role="ink"),
        part(oval(-0.85, -1.305, 0.013), role="light"),
        part(oval(-1.14, -1.12, 0.018), role="ink"),
    ]
    return _animal(body, head)


ANIMALS: Mapping[str, tuple[Callable[[], Animal], ...]] = {
    "leopard": (_cat_walking, _cat_sitting, _cat_portrait),
    "tiger": (_cat_walking, _cat_sitting, _cat_portrait),
    "zebra": (_zebra,),
    "giraffe": (_giraffe,),
}

sitting_cat = _cat_sitting
