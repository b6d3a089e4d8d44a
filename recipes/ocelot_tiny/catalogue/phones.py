"""Sketches of cell phone accessories."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.ocelot_tiny.catalogue.shapes import (
    Draughtsman,
    Jitter,
    Part,
    Points,
    Sketch,
    arc,
    curve,
    lying,
    oval,
    part,
    rect,
    rounded,
    standing,
    stroke,
    taper,
)


def _lenses(radius: float, *centres: tuple[float, float]) -> list[Part]:
    rings = tuple(oval(x, y, radius) for x, y in centres)
    glass = tuple(oval(x, y, radius * 0.72) for x, y in centres)
    glint = tuple(oval(x - radius * 0.25, y - radius * 0.25, radius * 0.17) for x, y in centres)
    return [part(*rings, role="metal"), part(*glass, role="lens"), part(*glint, role="light")]


def _case(j: Jitter, window: Points, *camera: Part) -> Sketch:
    height, radius = j(2.08, 0.03), j(0.24, 0.2)
    return lying(
        part(
            rect(0.54, -0.35, 0.06, 0.30, 0.03),
            rect(-0.54, -0.5, 0.06, 0.16, 0.03),
            rect(-0.54, -0.22, 0.06, 0.24, 0.03),
            role="accent",
        ),
        part(rect(0, 0, 1.0, height - 0.04, radius), role="dark"),
        part(rect(0, 0, 1.06, height, radius), holes=(window,)),
        *camera,
    )


def _case_slim(j: Jitter) -> Sketch:
    x, y = -0.24, -0.70
    return _case(
        j,
        rect(x, y, 0.44, 0.46, 0.13),
        *_lenses(j(0.088), (x - 0.10, y - 0.11), (x - 0.10, y + 0.11), (x + 0.10, y)),
        part(oval(x + 0.11, y - 0.15, 0.03), role="light"),
    )


def _case_classic(j: Jitter) -> Sketch:
    x, y = -0.31, -0.60
    return _case(
        j,
        rect(x, y, 0.25, j(0.64), 0.125),
        *_lenses(0.09, (x, y - 0.20), (x, y), (x, y + 0.20)),
    )


def _case_round(j: Jitter) -> Sketch:
    y, radius = -0.52, j(0.31)
    return _case(
        j,
        oval(0, y, radius),
        part(oval(0, y, radius * 0.9), role="dark"),
        *_lenses(0.095, (-0.12, y - 0.1), (0.12, y - 0.1), (0, y + 0.13)),
    )


def _case_ring(j: Jitter) -> Sketch:
    y, ring = -0.76, j(0.21)
    return _case(
        j,
        rect(0, y, 0.84, 0.22, 0.11),
        *_lenses(0.082, (-0.28, y), (-0.06, y)),
        part(oval(0.16, y, 0.03), role="light"),
        part(oval(0, 0.22, ring * 0.62), role="metal"),
        stroke(arc(0, 0.22, ring, ring, 0, 360), 0.055, "metal"),
    )


def _sleeve_zip(j: Jitter) -> Sketch:
    width, height = j(1.62), j(2.1)
    return lying(
        part(rect(0, 0, width, height, 0.14)),
        stroke(
            rounded(
                [(-width / 2 + 0.07, -height / 2 + 0.16), (width / 2 - 0.07, -height / 2 + 0.16)], 0
            ),
            0.045,
            "dark",
        ),
        part(rect(width / 2 - 0.22, -height / 2 + 0.16, 0.14, 0.07, 0.02), role="metal"),
        part(rect(width / 2 - 0.34, -height / 2 + 0.17, 0.16, 0.05, 0.025), role="accent"),
        part(rect(0.0, height / 2 - 0.24, 0.34, 0.13, 0.03), role="accent"),
    )


def _sleeve_envelope(j: Jitter) -> Sketch:
    flap = j(0.62)
    return lying(
        part(rect(0, 0, 2.1, 1.5, 0.1)),
        part(
            rounded(
                [
                    (-1.05, -0.75),
                    (1.05, -0.75),
                    (0.98, -0.45),
                    (0.16, flap - 0.45),
                    (-0.16, flap - 0.45),
                    (-0.98, -0.45),
                ],
                0.16,
            ),
            tone=1.04,
        ),
        part(oval(0, flap - 0.58, 0.075), role="metal", form="sphere"),
    )


def _sleeve_folio(j: Jitter) -> Sketch:
    band = j(0.62)
    return lying(
        part(rect(0.03, 0.02, 1.64, 2.1, 0.08), role="light"),
        part(rect(0, 0, 1.64, 2.1, 0.12)),
        part(rect(-0.76, 0, 0.12, 2.1, 0.05), role="accent"),
        part(rect(band, 0, 0.10, 2.14, 0.02), role="dark"),
        stroke(curve([(0.85, -0.3), (0.93, -0.1), (0.93, 0.1), (0.85, 0.3)]), 0.05, "dark"),
    )


def _earbuds_compact(j: Jitter) -> Sketch:
    width = j(1.9)
    return standing(
        part(rect(0, 0, width, 1.55, 0.56), form="barrel"),
        part(rect(0, -0.26, width * 0.995, 0.035), role="dark"),
        part(rect(0, -0.26, 0.34, 0.13, 0.05), role="metal"),
        part(oval(0, 0.16, 0.05), role="glow"),
    )


def _earbuds_round(j: Jitter) -> Sketch:
    squash = j(0.94)
    return standing(
        part(oval(0, 0, 1, squash), form="sphere"),
        stroke(
            curve([(-0.985, -0.12), (-0.5, -0.02), (0, 0.02), (0.5, -0.02), (0.985, -0.12)]),
            0.035,
            "dark",
        ),
        part(oval(0, 0.22, 0.05), role="glow"),
        stroke(arc(1.02, -0.28, 0.15, 0.17, -150, 120), 0.05, "metal"),
    )


def _earbuds_open(j: Jitter) -> Sketch:
    lid = j(0.72)
    buds: list[Part] = []
    for side in (-1, 1):
        x = side * 0.42
        buds += [
            part(rect(x, -0.26, 0.17, 0.6, 0.08), role="light", form="cylinder"),
            part(oval(x - side * 0.05, -0.50, 0.19, 0.22), role="light", form="sphere"),
            part(oval(x - side * 0.19, -0.46, 0.06, 0.12), role="metal", tone=0.7),
            part(rect(x + side * 0.03, -0.36, 0.035, 0.13, 0.015), role="dark"),
        ]
    return standing(
        part(rect(0, -lid, 1.9, 0.95, 0.42)),
        part(rect(0, -lid + 0.05, 1.66, 0.72, 0.32), role="accent", tone=0.75),
        part(rect(0, -0.16, 1.74, 0.34, 0.16), role="dark"),
        *buds,
        part(
            rounded([(-0.95, -0.18), (0.95, -0.18), (0.92, 0.92), (-0.92, 0.92)], 0.4),
            form="barrel",
        ),
        part(oval(0, 0.22, 0.05), role="glow"),
    )


def _bank_slim(j: Jitter) -> Sketch:
    width = j(1.14)
    return lying(
        part(rect(0.03, -1.02, 0.26, 0.1, 0.02), role="metal"),
        part(rect(0, 0, width, 2.0, 0.17)),
        part(rect(0, -0.86, width * 0.92, 0.10, 0.05), role="dark"),
        part(*[oval(-0.18 + 0.12 * k, -0.86, 0.028) for k in range(4)], role="glow"),
        stroke(
            curve([(0.1, -1.06), (0.1, -1.22), (0.3, -1.28), (0.72, -1.0), (0.78, -0.5)]),
            0.07,
            "dark",
        ),
        part(rect(0.78, -0.42, 0.14, 0.26, 0.03), role="metal"),
    )


def _bank_stick(j: Jitter) -> Sketch:
    width = j(0.74)
    return standing(
        part(rect(0, 0, width, 1.9, 0.16), form="cylinder"),
        part(rect(0, -0.92, width, 0.22, 0.09), role="metal", form="cylinder"),
        part(rect(0, 0.94, width, 0.14, 0.06), role="accent", form="cylinder"),
        part(rect(0, -0.93, 0.26, 0.09, 0.02), role="lens"),
        part(oval(0, -0.62, 0.07), role="metal"),
        part(oval(0, -0.62, 0.035), role="glow"),
    )


def _bank_rugged(j: Jitter) -> Sketch:
    bumper = j(0.36)
    corners = [rect(x * 0.82, y * 0.52, bumper, bumper, 0.12) for x in (-1, 1) for y in (-1, 1)]
    return lying(
        part(*corners, role="dark"),
        part(rect(0, 0, 1.8, 1.2, 0.16)),
        part(rect(0.62, 0, 0.26, 0.86, 0.06), role="dark"),
        part(*[rect(0.62, -0.27 + 0.18 * k, 0.12, 0.08, 0.02) for k in range(4)], role="glow"),
        stroke(arc(-0.98, -0.2, 0.22, 0.22, 90, 300), 0.06, "accent"),
    )


def _stand_easel(j: Jitter) -> Sketch:
    lean = j(0.10, 0.5)
    return standing(
        part(rounded([(-0.1, -0.8), (0.95, -0.2), (1.0, 0.95), (0.55, 0.95)], 0.08), role="accent"),
        part(
            rounded([(-0.66 + lean, -1.0), (0.66 + lean, -1.0), (0.78, 0.88), (-0.78, 0.88)], 0.2)
        ),
        part(rect(lean, -0.30, 0.44, 0.14, 0.07), role="dark"),
        part(rect(0, 0.80, 1.86, 0.30, 0.13), form="barrel"),
        part(rect(-0.5, 0.66, 0.2, 0.22, 0.06), rect(0.5, 0.66, 0.2, 0.22, 0.06), role="dark"),
    )


def _stand_desk(j: Jitter) -> Sketch:
    return standing(
        part(oval(0, 0.92, j(0.8), 0.2), role="accent"),
        part(oval(0, 0.86, 0.8, 0.2)),
        part(rect(0, 0.28, 0.2, 1.16, 0.05), role="metal", form="cylinder"),
        part(rect(0, -0.42, j(1.24), 1.3, 0.2)),
        part(rect(0, 0.22, 1.36, 0.2, 0.09), role="accent", form="barrel"),
        part(oval(0, -0.42, 0.17), role="dark"),
        part(oval(0, -0.42, 0.10), role="metal"),
    )


def _stand_grip(j: Jitter) -> Sketch:
    # a stand that holds a phone on its broad pad, arms to the sides
    pad = j(0.74)
    return standing(
        part(taper(0, 0.1, 0.9, 0.36, 0.62, 0.08), role="dark"),
        part(taper(0, 0.72, 1.0, 1.3, 1.6, 0.12), form="barrel"),
        part(rect(0, -0.30, 1.9, 0.26, 0.1), role="dark"),
        part(
            rect(-0.93, -0.34, 0.17, 0.6, 0.07), rect(0.93, -0.34, 0.17, 0.6, 0.07), role="accent"
        ),
        part(oval(0, -0.26, pad, 0.76)),
        stroke(arc(0, -0.26, pad * 0.82, 0.62, 0, 360), 0.03, "accent"),
    )


def _strap(top: float, bottom: float, near: float, far: float) -> list[Part]:
    return [
        part(taper(0, -1.6, -top, far, near, 0.12)),
        part(taper(0, bottom, 1.6, near, far, 0.12)),
        part(*[oval(0, 1.02 + 0.15 * k, 0.035) for k in range(4)], role="dark"),
        part(rect(0, -1.4, far * 1.12, 0.08, 0.03), role="metal"),
    ]


def _watch_square(j: Jitter) -> Sketch:
    size = j(1.12)
    return lying(
        *_strap(0.45, 0.45, 0.84, j(0.74)),
        part(rect(size / 2 + 0.02, -0.12, 0.12, 0.22, 0.05), role="metal"),
        part(rect(0, 0, size, 1.26, 0.30), role="accent"),
        part(rect(0, 0, size - 0.13, 1.13, 0.25), role="lens"),
        part(
            rect(-0.1, -0.22, 0.5, 0.12, 0.03), rect(-0.16, -0.02, 0.38, 0.06, 0.02), role="light"
        ),
        stroke(arc(0.14, 0.28, 0.15, 0.15, -90, 170), 0.06, "glow"),
    )


def _watch_round(j: Jitter) -> Sketch:
    radius = j(0.66)
    ticks = [arc(0, 0, radius * 0.72, radius * 0.72, a, a + 3) for a in range(0, 360, 30)]
    return lying(
        *_strap(0.4, 0.4, 0.80, j(0.66)),
        part(rect(radius + 0.03, 0, 0.12, 0.18, 0.04), role="metal"),
        part(oval(0, 0, radius), role="metal"),
        part(oval(0, 0, radius * 0.88), role="lens"),
        *[stroke(tick, 0.035, "light") for tick in ticks],
        stroke(rounded([(0, 0), (0.02, -0.38)], 0), 0.045, "light"),
        stroke(rounded([(0, 0), (0.26, 0.1)], 0), 0.055, "light"),
        part(oval(0, 0, 0.05), role="glow"),
    )


def _watch_sport(j: Jitter) -> Sketch:
    width = j(0.82)
    return lying(
        *_strap(0.5, 0.5, width * 0.98, width * 0.86),
        part(
            rounded(
                [
                    (-width / 2 - 0.06, -0.75),
                    (width / 2 + 0.06, -0.75),
                    (width / 2 + 0.06, 0.75),
                    (-width / 2 - 0.06, 0.75),
                ],
                0.3,
            )
        ),
        part(rect(0, 0, width * 0.78, 1.22, 0.2), role="lens"),
        part(rect(0, -0.3, 0.34, 0.12, 0.03), role="light"),
        part(
            *[
                rect(-0.18 + 0.12 * k, 0.26 - h / 2, 0.07, h, 0.02)
                for k, h in enumerate((0.18, 0.32, 0.24, 0.4))
            ],
            role="glow",
        ),
    )


SKETCHES: Mapping[str, tuple[Draughtsman, ...]] = {
    "phone case": (_case_slim, _case_classic, _case_round, _case_ring),
    "tablet sleeve": (_sleeve_zip, _sleeve_envelope, _sleeve_folio),
    "earbuds case": (_earbuds_compact, _earbuds_round, _earbuds_open),
    "power bank": (_bank_slim, _bank_stick, _bank_rugged),
    "phone stand": (_stand_easel, _stand_desk, _stand_grip),
    "smart watch": (_watch_square, _watch_round, _watch_sport),
}
