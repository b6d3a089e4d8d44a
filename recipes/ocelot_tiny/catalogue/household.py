"""Sketches of household appliances: cleaning, air, and ironing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from recipes.ocelot_tiny.catalogue.shapes import (
    Draughtsman,
    Jitter,
    Points,
    Sketch,
    arc,
    blob,
    curve,
    lying,
    oval,
    part,
    rect,
    rounded,
    standing,
    stroke,
)


def _vacuum_canister(j: Jitter) -> Sketch:
    return standing(
        stroke(
            curve([(0.0, 0.3), (-0.3, -0.35), (-0.1, -0.9), (0.35, -1.05), (0.62, -0.8)]),
            0.13,
            "dark",
        ),
        stroke(rounded([(0.6, -0.85), (1.12, 0.82)], 0), 0.09, "metal"),
        part(rounded([(0.86, 0.82), (1.3, 0.82), (1.42, 1.0), (0.74, 1.0)], 0.06), role="dark"),
        part(
            blob(
                (-1.1, 0.62),
                (-0.98, 0.1),
                (-0.5, -0.18),
                (0.05, -0.06),
                (0.4, 0.35),
                (0.46, 0.8),
                (0.1, 0.92),
                (-0.8, 0.92),
            ),
            form="sphere",
        ),
        part(oval(-0.66, 0.72, j(0.29)), role="dark"),
        part(oval(-0.66, 0.72, 0.14), role="metal"),
        part(oval(0.22, 0.84, 0.16), role="dark"),
        stroke(arc(-0.42, -0.06, 0.34, 0.22, 190, 350), 0.09, "accent"),
    )


def _vacuum_upright(j: Jitter) -> Sketch:
    width = j(0.62)
    return standing(
        stroke(curve([(0.1, -0.5), (0.18, -1.0), (0.3, -1.38), (0.56, -1.42)]), 0.1, "dark"),
        part(
            rounded(
                [
                    (-width / 2, -0.66),
                    (width / 2, -0.66),
                    (width / 2 + 0.08, 0.66),
                    (-width / 2 - 0.08, 0.66),
                ],
                0.22,
            ),
            form="cylinder",
        ),
        part(rect(0, -0.06, width * 0.62, 0.56, 0.12), role="glass"),
        part(oval(0, 0.12, width * 0.2, 0.1), role="dark"),
        part(rect(0, -0.58, 0.2, 0.09, 0.03), role="metal"),
        part(
            rounded([(-0.56, 0.62), (0.56, 0.62), (0.76, 0.98), (-0.76, 0.98)], 0.12), form="barrel"
        ),
        part(rect(0, 0.98, 1.46, 0.1, 0.04), role="dark"),
        part(oval(0.66, 0.92, 0.13), oval(-0.66, 0.92, 0.13), role="dark"),
    )


def _vacuum_robot(j: Jitter) -> Sketch:
    bumper = j(0.97)
    return lying(
        *[
            stroke(rounded([(-0.68, -0.7), (-0.68 + 0.36 * x, -0.7 + 0.36 * y)], 0), 0.035, "dark")
            for x, y in ((-1, 0), (0.3, -0.95), (-0.6, -0.8))
        ],
        part(oval(0, 0, 1), role="dark"),
        part(oval(0, 0.01, bumper)),
        stroke(arc(0, 0.01, 0.82, 0.82, 0, 360), 0.025, "accent"),
        part(oval(0, -0.32, 0.25), role="dark"),
        part(oval(0, -0.32, 0.17), role="metal"),
        part(rect(0, 0.46, 0.34, 0.13, 0.06), role="dark"),
        part(oval(-0.07, 0.46, 0.035), oval(0.07, 0.46, 0.035), role="glow"),
    )


def _blades(x: float, y: float, radius: float, count: int) -> list[Points]:
    blades = []
    for k in range(count):
        turn = 2 * np.pi * k / count + 0.4
        rim = turn + 0.95 * np.pi * 1.25 / count
        middle = (turn + rim) / 2
        blades.append(
            blob(
                (x, y),
                (x + radius * 0.7 * np.cos(turn), y + radius * 0.7 * np.sin(turn)),
                (x + radius * np.cos(middle), y + radius * np.sin(middle)),
                (x + radius * 0.75 * np.cos(rim), y + radius * 0.75 * np.sin(rim)),
            )
        )
    return blades


def _fan_classic(j: Jitter) -> Sketch:
    radius = j(0.78)
    spokes = [
        stroke(
            np.array(
                [
                    (0.2 * np.cos(a), -0.4 + 0.2 * np.sin(a)),
                    (radius * np.cos(a), -0.4 + radius * np.sin(a)),
                ]
            ),
            0.014,
            "metal",
        )
        for a in np.linspace(0, 2 * np.pi, 16, endpoint=False)
    ]
    return standing(
        part(rect(0, 0.62, 0.17, 0.7, 0.04), role="accent", form="cylinder"),
        part(
            rounded([(-0.34, 0.84), (0.34, 0.84), (0.62, 1.02), (-0.62, 1.02)], 0.08), form="barrel"
        ),
        part(oval(0, -0.4, radius), role="pale", tone=0.9),
        *[part(blade) for blade in _blades(0, -0.4, radius * 0.9, 3)],
        *spokes,
        stroke(arc(0, -0.4, radius, radius, 0, 360), 0.06, "surface"),
        stroke(arc(0, -0.4, radius * 0.62, radius * 0.62, 0, 360), 0.014, "metal"),
        part(oval(0, -0.4, 0.2), form="sphere"),
    )


def _fan_box(j: Jitter) -> Sketch:
    radius = j(0.66)
    return standing(
        part(rect(-0.6, 0.98, 0.3, 0.1, 0.03), rect(0.6, 0.98, 0.3, 0.1, 0.03), role="dark"),
        part(rect(0, 0, 1.9, 1.9, 0.16)),
        part(oval(0, 0.0, radius), role="dark"),
        part(*_blades(0, 0, radius * 0.92, 5), role="pale"),
        *[stroke(arc(0, 0, radius * r, radius * r, 0, 360), 0.02, "light") for r in (0.5, 0.75, 1)],
        part(oval(0, 0, 0.15), form="sphere"),
        part(oval(0.76, 0.78, 0.09), role="metal"),
    )


def _fan_tower(j: Jitter) -> Sketch:
    width = j(0.56)
    return standing(
        part(oval(0, 1.0, 0.56, 0.13), role="accent"),
        part(rect(0, -0.1, width, 2.1, 0.2), form="cylinder"),
        part(rect(0, -0.2, width * 0.36, 1.3, 0.06), role="dark"),
        part(*[rect(0, -0.78 + 0.105 * k, width * 0.36, 0.03) for k in range(12)], role="metal"),
        part(rect(0, -0.98, width * 0.4, 0.1, 0.04), role="lens"),
        part(rect(0, -0.98, width * 0.2, 0.04, 0.02), role="glow"),
    )


def _iron_steam(j: Jitter) -> Sketch:
    rise = j(0.56)
    return standing(
        stroke(curve([(0.92, 0.1), (1.2, -0.3), (1.12, -0.8), (0.8, -1.0)]), 0.06, "dark"),
        part(
            curve(
                [
                    (-1.15, 0.52),
                    (-0.8, 0.12),
                    (-0.3, -0.18),
                    (0.1, -rise),
                    (0.6, -rise - 0.14),
                    (0.98, -rise + 0.1),
                    (1.05, 0.1),
                    (1.05, 0.52),
                ]
            ),
            holes=(blob((-0.05, -0.02), (0.22, -0.26), (0.66, -0.3), (0.74, -0.14), (0.6, 0.02)),),
        ),
        part(
            curve([(-1.0, 0.42), (-0.7, 0.2), (-0.4, 0.1), (0.0, 0.28), (-0.2, 0.42)]), role="glass"
        ),
        part(oval(0.42, 0.2, 0.14), role="metal"),
        part(oval(0.42, 0.2, 0.08), role="dark"),
        part(rounded([(-1.24, 0.66), (-1.12, 0.5), (1.08, 0.5), (1.08, 0.66)], 0.05), role="metal"),
        part(oval(0.1, -rise - 0.05, 0.08, 0.05), role="dark"),
    )


def _iron_retro(j: Jitter) -> Sketch:
    arch = j(0.62)
    return standing(
        stroke(
            curve([(-0.5, 0.0), (-0.42, -arch), (0.1, -arch - 0.14), (0.62, -arch), (0.72, 0.0)]),
            0.17,
            "timber",
        ),
        part(
            curve(
                [(-1.15, 0.5), (-0.95, 0.12), (-0.5, -0.08), (0.9, -0.08), (1.0, 0.1), (1.0, 0.5)]
            )
        ),
        part(oval(0.12, 0.2, 0.16), role="metal"),
        part(oval(0.12, 0.2, 0.10), role="light"),
        part(
            rounded([(-1.24, 0.66), (-1.14, 0.48), (1.04, 0.48), (1.04, 0.66)], 0.05), role="metal"
        ),
    )


def _iron_travel(j: Jitter) -> Sketch:
    # the sole's shape from above, with the handle lengthwise
    wide = j(0.64)
    sole = curve(
        [
            (0, -1.15),
            (-0.36, -0.62),
            (-wide, 0.1),
            (-wide, 0.78),
            (-0.4, 0.96),
            (0.4, 0.96),
            (wide, 0.78),
            (wide, 0.1),
            (0.36, -0.62),
            (0, -1.15),
        ]
    )
    return lying(
        part(sole * 1.06, role="metal"),
        part(sole),
        stroke(rounded([(0, -0.3), (0, 0.66)], 0), 0.3, "dark"),
        stroke(rounded([(0, -0.24), (0, 0.58)], 0), 0.13, "accent"),
        part(oval(0, -0.66, 0.11), role="metal"),
        stroke(curve([(0, 0.9), (0.05, 1.12), (0.3, 1.2), (0.7, 1.1)]), 0.06, "dark"),
    )


SKETCHES: Mapping[str, tuple[Draughtsman, ...]] = {
    "vacuum cleaner": (_vacuum_canister, _vacuum_upright, _vacuum_robot),
    "desk fan": (_fan_classic, _fan_box, _fan_tower),
    "iron": (_iron_steam, _iron_retro, _iron_travel),
}
