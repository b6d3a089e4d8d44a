"""Sketches of electronics to listen to, watch, and take pictures with."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.ocelot_tiny.catalogue.shapes import (
    Draughtsman,
    Jitter,
    Part,
    Sketch,
    arc,
    curve,
    oval,
    part,
    rect,
    rounded,
    standing,
    stroke,
)


def _headphones_over(j: Jitter) -> Sketch:
    cup, rise = j(0.34), j(1.0)
    cups: list[Part] = []
    for side in (-1, 1):
        cups += [
            part(rect(side * 0.56, 0.42, 0.26, 0.86, 0.12), role="dark"),
            part(rect(side * 0.80, 0.42, cup, 0.98, 0.17)),
        ]
    return standing(
        stroke(arc(0, 0.1, 0.80, rise, 180, 360), 0.24, "surface"),
        stroke(arc(0, 0.1, 0.67, rise - 0.14, 200, 340), 0.07, "dark"),
        *cups,
    )


def _headphones_on(j: Jitter) -> Sketch:
    radius = j(0.44)
    pads: list[Part] = []
    for side in (-1, 1):
        pads += [
            part(oval(side * 0.72, 0.45, radius + 0.05), role="dark"),
            part(oval(side * 0.72, 0.45, radius), form="sphere"),
            stroke(arc(side * 0.72, 0.45, radius * 0.62, radius * 0.62, 0, 360), 0.035, "accent"),
        ]
    return standing(
        stroke(arc(0, 0.35, 0.74, j(1.15), 180, 360), 0.15, "surface"),
        *pads,
    )


def _headphones_gaming(j: Jitter) -> Sketch:
    cups: list[Part] = []
    for side in (-1, 1):
        cups += [
            part(oval(side * 0.60, 0.4, 0.24, 0.5), role="dark"),
            part(
                rounded(
                    [
                        (side * 0.6, -0.14),
                        (side * 0.98, -0.06),
                        (side * 1.06, 0.4),
                        (side * 0.98, 0.88),
                        (side * 0.6, 0.94),
                    ],
                    0.14,
                )
            ),
            stroke(
                rounded([(side * 0.82, 0.2), (side * 0.9, 0.42), (side * 0.82, 0.64)], 0),
                0.055,
                "glow",
            ),
        ]
    return standing(
        stroke(arc(0, 0.15, 0.82, j(1.05), 180, 360), 0.26, "surface"),
        stroke(arc(0, 0.3, 0.68, 0.95, 205, 335), 0.12, "dark"),
        *cups,
        stroke(curve([(-0.9, 0.72), (-0.82, 1.08), (-0.5, 1.2), (-0.22, 1.16)]), 0.055, "dark"),
        part(oval(-0.2, 1.15, 0.1, 0.075), role="dark"),
    )


def _cone(x: float, y: float, radius: float) -> list[Part]:
    return [
        part(oval(x, y, radius), role="metal"),
        part(oval(x, y, radius * 0.90), role="dark"),
        part(oval(x, y, radius * 0.42), role="accent", form="sphere"),
    ]


def _speaker_cylinder(j: Jitter) -> Sketch:
    width = j(1.06)
    return standing(
        part(rect(0, 0, width, 2.0, 0.24), form="cylinder"),
        part(oval(0, -0.9, width * 0.46, 0.12), role="dark"),
        part(oval(0, -0.91, width * 0.22, 0.05), role="glow"),
        part(rect(0, 0.92, width * 0.98, 0.17, 0.08), role="dark", form="cylinder"),
        stroke(
            curve([(width / 2 - 0.02, -0.5), (width / 2 + 0.14, -0.34), (width / 2 + 0.14, 0.0)]),
            0.06,
            "dark",
        ),
    )


def _speaker_bookshelf(j: Jitter) -> Sketch:
    width = j(1.3)
    return standing(
        part(rect(0, 0, width, 2.0, 0.07)),
        *_cone(0, 0.36, width * 0.33),
        *_cone(0, -0.52, width * 0.17),
        part(
            rect(-width * 0.3, 1.02, 0.2, 0.08, 0.02),
            rect(width * 0.3, 1.02, 0.2, 0.08, 0.02),
            role="dark",
        ),
    )


def _speaker_ball(j: Jitter) -> Sketch:
    return standing(
        part(rounded([(-0.4, 0.78), (0.4, 0.78), (0.52, 1.0), (-0.52, 1.0)], 0.06), role="dark"),
        part(oval(0, 0, 1, j(0.97)), form="sphere"),
        *_cone(0, 0.1, 0.40),
        part(oval(-0.1, -0.74, 0.05), oval(0.1, -0.74, 0.05), role="dark"),
    )


def _speaker_boombox(j: Jitter) -> Sketch:
    height = j(1.16)
    return standing(
        stroke(
            rounded([(-0.7, -0.4), (-0.7, -0.82), (0.7, -0.82), (0.7, -0.4)], 0.16), 0.11, "dark"
        ),
        part(rect(0, 0.1, 2.2, height, 0.2)),
        *_cone(-0.66, 0.16, 0.35),
        *_cone(0.66, 0.16, 0.35),
        part(rect(0, 0.02, 0.46, 0.28, 0.04), role="lens"),
        part(rect(0, 0.02, 0.3, 0.05, 0.02), role="glow"),
        part(*[rect(-0.18 + 0.12 * k, 0.34, 0.09, 0.1, 0.02) for k in range(4)], role="light"),
    )


def _objective(x: float, y: float, radius: float) -> list[Part]:
    return [
        part(oval(x, y, radius), role="metal"),
        part(oval(x, y, radius * 0.9), role="dark"),
        part(oval(x, y, radius * 0.64), role="lens"),
        part(oval(x, y, radius * 0.4), role="screen", tone=1.6),
        part(oval(x - radius * 0.2, y - radius * 0.22, radius * 0.11), role="light"),
    ]


def _camera_compact(j: Jitter) -> Sketch:
    height = j(1.2)
    return standing(
        part(rect(-0.6, -height / 2 - 0.04, 0.4, 0.16, 0.05), role="metal"),
        part(oval(0.66, -height / 2, 0.17, 0.1), role="dark"),
        part(rect(0, 0, 2.1, height, 0.2)),
        part(rect(0, -height / 2 + 0.12, 2.06, 0.2, 0.09), role="metal"),
        *_objective(0.16, 0.1, 0.46),
        part(rect(-0.68, -0.3, 0.34, 0.17, 0.04), role="light"),
        part(oval(0.84, -0.3, 0.05), role="glow"),
    )


def _camera_reflex(j: Jitter) -> Sketch:
    hump = j(0.86)
    return standing(
        part(rounded([(-0.42, -0.4), (-0.3, -hump), (0.3, -hump), (0.42, -0.4)], 0.1)),
        part(rect(-0.72, -0.56, 0.3, 0.16, 0.04), rect(0.7, -0.56, 0.36, 0.14, 0.04), role="dark"),
        part(rounded([(-1.08, -0.52), (1.08, -0.52), (1.08, 0.72), (-1.08, 0.72)], 0.18)),
        part(rect(-0.9, 0.12, 0.32, 1.06, 0.12), role="dark"),
        *_objective(0.1, 0.12, 0.56),
        part(rect(0, -hump + 0.17, 0.3, 0.1, 0.03), role="dark"),
        part(oval(0.82, -0.3, 0.05), role="metal"),
    )


def _camera_instant(j: Jitter) -> Sketch:
    width = j(1.8)
    return standing(
        part(rect(0, 0.86, width * 0.66, 0.4, 0.02), role="light"),
        part(
            rounded(
                [
                    (-width / 2, -0.5),
                    (-width * 0.34, -0.9),
                    (width * 0.34, -0.9),
                    (width / 2, -0.5),
                    (width / 2, 0.76),
                    (-width / 2, 0.76),
                ],
                0.18,
            )
        ),
        part(rect(0, 0.66, width * 0.78, 0.09, 0.03), role="dark"),
        *_objective(0, 0.02, 0.44),
        part(rect(0.54, -0.6, 0.34, 0.24, 0.06), role="light"),
        part(rect(-0.5, -0.6, 0.26, 0.2, 0.05), role="lens"),
        part(oval(-0.62, -0.1, 0.1), role="accent", form="sphere"),
    )


def _tv_flat(j: Jitter) -> Sketch:
    height = j(1.3)
    return standing(
        part(
            rounded(
                [
                    (-0.22, height / 2 - 0.05),
                    (0.22, height / 2 - 0.05),
                    (0.3, height / 2 + 0.2),
                    (-0.3, height / 2 + 0.2),
                ],
                0.03,
            ),
            role="dark",
        ),
        part(rect(0, height / 2 + 0.2, 1.1, 0.08, 0.04), role="metal"),
        part(rect(0, 0, 2.2, height, 0.04), role="dark"),
        part(rect(0, -0.01, 2.12, height - 0.1, 0.01)),
        part(
            rounded(
                [
                    (-1.06, -height / 2 + 0.04),
                    (-0.5, -height / 2 + 0.04),
                    (-0.9, height / 2 - 0.06),
                    (-1.06, height / 2 - 0.06),
                ],
                0.01,
            ),
            role="glass",
        ),
    )


def _tv_retro(j: Jitter) -> Sketch:
    width = j(2.0)
    return standing(
        stroke(rounded([(0, -0.6), (-0.5, -1.16)], 0), 0.04, "metal"),
        stroke(rounded([(0, -0.6), (0.5, -1.16)], 0), 0.04, "metal"),
        part(arc(0, -0.62, 0.24, 0.16, 180, 360), role="dark"),
        part(
            rounded([(-0.7, 0.7), (-0.56, 0.7), (-0.74, 1.02), (-0.84, 1.02)], 0.02),
            rounded([(0.7, 0.7), (0.56, 0.7), (0.74, 1.02), (0.84, 1.02)], 0.02),
            role="timber",
        ),
        part(rect(0, 0.06, width, 1.36, 0.22)),
        part(rect(-0.24, 0.06, 1.08, 0.94, 0.26), role="metal"),
        part(rect(-0.24, 0.06, 0.98, 0.84, 0.22), role="screen", tone=1.3),
        part(oval(0.66, -0.26, 0.13), oval(0.66, 0.08, 0.13), role="metal"),
        part(*[rect(0.66, 0.36 + 0.08 * k, 0.28, 0.035) for k in range(3)], role="dark"),
    )


def _tv_portable(j: Jitter) -> Sketch:
    height = j(1.5)
    return standing(
        stroke(arc(0, -height / 2 + 0.04, 0.52, 0.28, 180, 360), 0.1, "dark"),
        part(rect(0, 0, 1.7, height, 0.34)),
        part(rect(0, -0.16, 1.22, height * 0.56, 0.2), role="dark"),
        part(rect(0, -0.16, 1.1, height * 0.49, 0.16), role="screen", tone=1.3),
        part(oval(-0.5, 0.5, 0.1), oval(-0.22, 0.5, 0.1), role="metal"),
        part(*[rect(0.3 + 0.11 * k, 0.5, 0.05, 0.2, 0.02) for k in range(4)], role="dark"),
    )


SKETCHES: Mapping[str, tuple[Draughtsman, ...]] = {
    "headphones": (_headphones_over, _headphones_on, _headphones_gaming),
    "speaker": (_speaker_cylinder, _speaker_bookshelf, _speaker_ball, _speaker_boombox),
    "camera": (_camera_compact, _camera_reflex, _camera_instant),
    "television": (_tv_flat, _tv_retro, _tv_portable),
}
