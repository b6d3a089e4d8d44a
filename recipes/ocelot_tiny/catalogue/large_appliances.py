"""Sketches of the large appliances of kitchen and laundry, and the microwave."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.ocelot_tiny.catalogue.shapes import (
    Draughtsman,
    Jitter,
    Part,
    Sketch,
    arc,
    oval,
    part,
    rect,
    rounded,
    standing,
    stroke,
)


def _porthole(x: float, y: float, radius: float) -> list[Part]:
    return [
        part(oval(x, y, radius), role="metal"),
        part(oval(x, y, radius * 0.84), role="dark"),
        part(oval(x, y, radius * 0.74), role="lens", tone=2.0),
        part(arc(x, y, radius * 0.7, radius * 0.7, 20, 160), role="glass"),
    ]


def _washer_front(j: Jitter) -> Sketch:
    width = j(1.62)
    return standing(
        part(rect(0, 0.98, width * 0.92, 0.12, 0.03), role="dark"),
        part(rect(0, 0, width, 1.92, 0.09)),
        part(rect(0, -0.78, width * 0.94, 0.26, 0.05), role="light"),
        part(rect(-width * 0.3, -0.78, 0.36, 0.14, 0.03), role="accent"),
        part(oval(0.1, -0.78, 0.1), role="metal"),
        part(rect(width * 0.3, -0.78, 0.32, 0.13, 0.03), role="lens"),
        *_porthole(0, 0.16, j(0.52)),
    )


def _washer_compact(j: Jitter) -> Sketch:
    return standing(
        part(rect(0, 0.86, 1.4, 0.12, 0.03), role="dark"),
        part(rect(0, 0, j(1.7), 1.7, 0.34)),
        part(rect(0.42, -0.62, 0.5, 0.15, 0.07), role="lens"),
        part(oval(-0.52, -0.62, 0.1), oval(-0.26, -0.62, 0.1), role="metal"),
        *_porthole(0, 0.14, j(0.56)),
        stroke(rounded([(0.52, 0.02), (0.52, 0.28)], 0), 0.08, "accent"),
    )


def _washer_top(j: Jitter) -> Sketch:
    width = j(1.5)
    return standing(
        part(rect(0, -0.82, width * 0.94, 0.44, 0.1), role="light"),
        part(oval(-0.4, -0.86, 0.1), oval(-0.12, -0.86, 0.1), role="metal"),
        part(rect(0.36, -0.86, 0.44, 0.14, 0.03), role="lens"),
        part(
            rounded(
                [
                    (-width * 0.46, -0.72),
                    (width * 0.46, -0.72),
                    (width * 0.52, -0.42),
                    (-width * 0.52, -0.42),
                ],
                0.05,
            ),
            role="accent",
        ),
        part(
            rounded(
                [
                    (-width * 0.34, -0.68),
                    (width * 0.34, -0.68),
                    (width * 0.38, -0.48),
                    (-width * 0.38, -0.48),
                ],
                0.05,
            ),
            role="glass",
        ),
        part(rect(0, 0.28, width, 1.46, 0.09)),
        part(rect(0, 0.98, width * 0.94, 0.1, 0.03), role="dark"),
        part(rect(0, -0.24, 0.34, 0.06, 0.02), role="metal"),
    )


def _microwave_digital(j: Jitter) -> Sketch:
    height = j(1.24)
    return standing(
        part(
            rect(-0.8, height / 2, 0.2, 0.12, 0.03),
            rect(0.8, height / 2, 0.2, 0.12, 0.03),
            role="dark",
        ),
        part(rect(0, 0, 2.1, height, 0.08)),
        part(rect(-0.3, 0, 1.02, height * 0.58, 0.08), role="lens", tone=1.4),
        stroke(rounded([(0.42, -height * 0.34), (0.42, height * 0.34)], 0), 0.08, "metal"),
        part(rect(0.76, -height * 0.28, 0.4, 0.16, 0.03), role="lens"),
        part(rect(0.76, -height * 0.28, 0.22, 0.06, 0.02), role="glow"),
        part(
            *[
                rect(0.63 + 0.13 * (k % 3), -0.08 + 0.15 * (k // 3), 0.09, 0.09, 0.02)
                for k in range(9)
            ],
            role="light",
        ),
    )


def _microwave_retro(j: Jitter) -> Sketch:
    height = j(1.3)
    return standing(
        part(
            rect(-0.75, height / 2 + 0.02, 0.12, 0.16, 0.03),
            rect(0.75, height / 2 + 0.02, 0.12, 0.16, 0.03),
            role="metal",
        ),
        part(rect(0, 0, 2.1, height, 0.38)),
        part(rect(-0.3, 0, 1.04, height * 0.6, 0.28), role="metal"),
        part(rect(-0.3, 0, 0.92, height * 0.5, 0.22), role="lens", tone=1.4),
        stroke(rounded([(0.4, -0.28), (0.4, 0.28)], 0), 0.08, "metal"),
        part(oval(0.74, -0.22, 0.16), oval(0.74, 0.24, 0.16), role="metal"),
        part(oval(0.74, -0.22, 0.10), oval(0.74, 0.24, 0.10), role="light"),
        stroke(rounded([(0.74, -0.22), (0.74, -0.31)], 0), 0.03, "dark"),
        stroke(rounded([(0.74, 0.24), (0.81, 0.19)], 0), 0.03, "dark"),
    )


def _microwave_drawer(j: Jitter) -> Sketch:
    height = j(1.2)
    return standing(
        part(rect(0, 0, 2.0, height, 0.05)),
        part(rect(0, -height / 2 + 0.13, 2.0, 0.26, 0.05), role="dark"),
        part(rect(0.1, -height / 2 + 0.13, 0.5, 0.11, 0.03), role="glow", tone=0.7),
        part(*[oval(0.55 + 0.14 * k, -height / 2 + 0.13, 0.04) for k in range(3)], role="light"),
        stroke(
            rounded([(-0.75, -height / 2 + 0.38), (0.75, -height / 2 + 0.38)], 0), 0.075, "metal"
        ),
        part(rect(0, 0.16, 0.9, height * 0.36, 0.06), role="lens", tone=1.4),
        part(rect(0, height / 2 + 0.03, 1.8, 0.09, 0.02), role="dark"),
    )


def _fridge_retro(j: Jitter) -> Sketch:
    width, split = j(1.06), j(-0.42)
    return standing(
        part(rect(-0.3, 1.06, 0.14, 0.14, 0.03), rect(0.3, 1.06, 0.14, 0.14, 0.03), role="dark"),
        part(rect(0, 0, width, 2.08, 0.26)),
        part(rect(0, split, width * 0.99, 0.03), role="dark"),
        stroke(
            rounded([(-width * 0.36, split - 0.32), (-width * 0.36, split - 0.12)], 0),
            0.06,
            "metal",
        ),
        stroke(
            rounded([(-width * 0.36, split + 0.14), (-width * 0.36, split + 0.5)], 0), 0.06, "metal"
        ),
        part(rect(0.14, split - 0.36, 0.3, 0.05, 0.02), role="metal"),
    )


def _fridge_double(j: Jitter) -> Sketch:
    width = j(1.5)
    return standing(
        part(rect(0, 1.0, width * 0.9, 0.14, 0.03), role="dark"),
        part(rect(0, 0, width, 1.98, 0.07)),
        part(rect(0, 0, 0.03, 1.96), role="dark"),
        stroke(rounded([(-0.09, -0.5), (-0.09, 0.42)], 0), 0.055, "metal"),
        stroke(rounded([(0.09, -0.5), (0.09, 0.42)], 0), 0.055, "metal"),
        part(rect(-width * 0.27, -0.24, 0.36, 0.52, 0.05), role="lens"),
        part(rect(-width * 0.27, -0.38, 0.16, 0.05, 0.02), role="glow"),
    )


def _fridge_mini(j: Jitter) -> Sketch:
    height = j(1.5)
    return standing(
        part(
            rect(-0.42, height / 2 + 0.05, 0.16, 0.16, 0.03),
            rect(0.42, height / 2 + 0.05, 0.16, 0.16, 0.03),
            role="dark",
        ),
        part(rect(0, 0, 1.3, height, 0.1)),
        part(rect(0, -height / 2 + 0.05, 1.36, 0.13, 0.05), role="accent"),
        stroke(rounded([(0.5, -0.4), (0.5, 0.05)], 0), 0.075, "metal"),
        part(rect(-0.42, -height / 2 + 0.24, 0.24, 0.06, 0.02), role="metal"),
    )


SKETCHES: Mapping[str, tuple[Draughtsman, ...]] = {
    "fridge": (_fridge_retro, _fridge_double, _fridge_mini),
    "washing machine": (_washer_front, _washer_compact, _washer_top),
    "microwave": (_microwave_digital, _microwave_retro, _microwave_drawer),
}
