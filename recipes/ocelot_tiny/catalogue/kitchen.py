"""Sketches of small kitchen appliances."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.ocelot_tiny.catalogue.shapes import (
    Draughtsman,
    Jitter,
    Sketch,
    arc,
    blob,
    curve,
    oval,
    part,
    rect,
    rounded,
    standing,
    stroke,
    taper,
)


def _kettle_electric(j: Jitter) -> Sketch:
    top, bottom = j(1.0), j(1.36)
    return standing(
        stroke(
            curve([(0.5, -0.68), (0.95, -0.72), (1.08, -0.3), (1.0, 0.35), (0.68, 0.52)]),
            0.19,
            "dark",
        ),
        part(rounded([(-0.3, -0.82), (-0.84, -0.7), (-0.56, -0.3)], 0.08)),
        part(taper(0, -0.85, 0.82, top, bottom, 0.16), form="cylinder"),
        part(
            rounded([(-0.5, -0.84), (-0.36, -1.0), (0.36, -1.0), (0.5, -0.84)], 0.08),
            role="accent",
            form="cylinder",
        ),
        part(rect(0, -1.04, 0.2, 0.12, 0.05), role="dark"),
        part(rect(0, 0.9, bottom + 0.12, 0.18, 0.06), role="dark", form="cylinder"),
        part(rect(0.1, 0.1, 0.13, 0.72, 0.06), role="glass"),
    )


def _kettle_gooseneck(j: Jitter) -> Sketch:
    reach = j(1.16)
    return standing(
        stroke(
            curve(
                [(-0.4, 0.55), (-0.85, 0.42), (-0.86, -0.1), (-0.98, -0.55), (-reach - 0.1, -0.66)]
            ),
            0.13,
            "surface",
        ),
        stroke(
            curve([(0.36, -0.5), (0.78, -0.72), (1.12, -0.6), (1.12, -0.2), (1.05, 0.2)]),
            0.14,
            "dark",
        ),
        part(taper(0, -0.52, 0.8, j(0.92), 1.5, 0.14), form="cylinder"),
        part(taper(0, -0.68, -0.48, 0.74, 0.9, 0.06), role="accent", form="cylinder"),
        part(oval(0, -0.76, 0.12), role="timber", form="sphere"),
        part(rect(0, 0.84, 1.46, 0.12, 0.04), role="metal", form="cylinder"),
    )


def _kettle_whistling(j: Jitter) -> Sketch:
    belly = j(1.0)
    return standing(
        stroke(arc(0, -0.42, 0.74, j(0.72), 190, 350), 0.13, "timber"),
        part(rounded([(-0.55, -0.1), (-1.18, -0.52), (-1.3, -0.34), (-0.8, 0.45)], 0.08)),
        part(
            blob(
                (-belly, 0.42),
                (-0.86, -0.05),
                (-0.45, -0.38),
                (0, -0.46),
                (0.45, -0.38),
                (0.86, -0.05),
                (belly, 0.42),
                (0.84, 0.76),
                (0, 0.82),
                (-0.84, 0.76),
            ),
            form="sphere",
        ),
        part(oval(0, -0.42, 0.36, 0.1), role="accent"),
        part(oval(0, -0.54, 0.11), role="dark", form="sphere"),
        part(oval(-1.23, -0.44, 0.1), role="metal", form="sphere"),
    )


def _kettle_retro(j: Jitter) -> Sketch:
    waist = j(0.62)
    return standing(
        stroke(curve([(0.45, -0.7), (0.98, -0.74), (1.06, -0.2), (0.92, 0.3)]), 0.15, "metal"),
        part(
            rounded([(-0.35, -0.5), (-0.92, -0.62), (-0.98, -0.5), (-0.6, 0.05)], 0.06),
            role="metal",
        ),
        part(
            curve(
                [
                    (-0.44, -0.78),
                    (-waist, -0.3),
                    (-0.8, 0.35),
                    (-0.86, 0.82),
                    (0.86, 0.82),
                    (0.8, 0.35),
                    (waist, -0.3),
                    (0.44, -0.78),
                ]
            ),
            form="cylinder",
        ),
        part(arc(0, -0.76, 0.46, 0.24, 180, 360), role="metal", form="cylinder"),
        part(oval(0, -1.04, 0.1), role="dark", form="sphere"),
        part(rect(0, 0.88, 1.8, 0.15, 0.05), role="metal", form="cylinder"),
        part(oval(0, 0.1, 0.22), role="metal"),
        part(oval(0, 0.1, 0.17), role="light"),
        stroke(rounded([(0, 0.1), (0.08, 0.02)], 0), 0.03, "dark"),
    )


def _mug_straight(j: Jitter) -> Sketch:
    width = j(1.36)
    x = width / 2
    return standing(
        stroke(
            curve(
                [
                    (x - 0.1, -0.45),
                    (x + 0.4, -0.5),
                    (x + 0.52, 0),
                    (x + 0.35, 0.45),
                    (x - 0.1, 0.42),
                ]
            ),
            0.2,
            "surface",
        ),
        part(
            curve(
                [
                    (-x, -0.8),
                    (-x, 0.6),
                    (-x * 0.8, 0.86),
                    (0, 0.9),
                    (x * 0.8, 0.86),
                    (x, 0.6),
                    (x, -0.8),
                ]
            ),
            form="cylinder",
        ),
        part(oval(0, -0.8, x, 0.17), role="light"),
        part(oval(0, -0.78, x * 0.92, 0.135), role="timber", tone=0.42),
    )


def _mug_barista(j: Jitter) -> Sketch:
    x = j(0.92)
    return standing(
        part(oval(0, 0.84, 1.22, 0.17), role="accent"),
        stroke(arc(x - 0.06, -0.05, 0.34, 0.33, -110, 100), 0.16, "surface"),
        part(
            curve(
                [
                    (-x, -0.6),
                    (-x * 0.96, 0.05),
                    (-0.55, 0.66),
                    (-0.35, 0.78),
                    (0.35, 0.78),
                    (0.55, 0.66),
                    (x * 0.96, 0.05),
                    (x, -0.6),
                ]
            ),
            form="cylinder",
        ),
        part(oval(0, -0.6, x, 0.19), role="light"),
        part(oval(0, -0.58, x * 0.92, 0.15), role="timber", tone=0.5),
        part(
            blob((0, -0.5), (-0.24, -0.6), (-0.1, -0.66), (0, -0.62), (0.1, -0.66), (0.24, -0.6)),
            role="light",
        ),
    )


def _mug_travel(j: Jitter) -> Sketch:
    top = j(1.0)
    return standing(
        part(taper(0, -0.72, 1.0, top, 0.74, 0.08), form="cylinder"),
        part(rect(0, -0.78, top + 0.08, 0.18, 0.06), role="dark", form="cylinder"),
        part(taper(0, -1.0, -0.85, top * 0.72, top * 0.94, 0.05), role="dark", form="cylinder"),
        part(rect(0, 0.93, 0.78, 0.14, 0.04), role="metal", form="cylinder"),
    )


def _toaster_two(j: Jitter) -> Sketch:
    width = j(1.9)
    return standing(
        part(
            rounded([(-0.62, -0.4), (-0.6, -0.92), (-0.08, -0.92), (-0.06, -0.4)], 0.12),
            rounded([(0.06, -0.4), (0.08, -0.9), (0.6, -0.9), (0.62, -0.4)], 0.12),
            role="timber",
            tone=1.2,
        ),
        part(rect(0, 0.06, width, 1.24, 0.26), form="flat"),
        part(rect(0, -0.5, 1.5, 0.12, 0.05), role="dark"),
        part(rect(0.62, 0.12, 0.07, 0.6, 0.03), role="dark"),
        part(rect(0.62, -0.08, 0.26, 0.14, 0.05), role="metal"),
        part(oval(0.62, 0.5, 0.09), role="metal"),
        part(rect(-0.66, 0.7, 0.3, 0.12, 0.04), rect(0.66, 0.7, 0.3, 0.12, 0.04), role="dark"),
    )


def _toaster_long(j: Jitter) -> Sketch:
    height = j(1.02)
    return standing(
        part(
            rounded([(-0.8, -0.2), (-0.78, -0.74), (0.64, -0.74), (0.66, -0.2)], 0.2),
            role="timber",
            tone=1.2,
        ),
        part(
            rounded(
                [(-1.12, 0.62), (-1.0, 0.62 - height), (1.0, 0.62 - height), (1.12, 0.62)], 0.14
            ),
            form="barrel",
        ),
        part(rect(0, 0.6 - height, 1.8, 0.1, 0.04), role="metal"),
        part(rect(0.86, 0.12, 0.06, 0.5, 0.03), role="dark"),
        part(rect(0.86, 0.0, 0.22, 0.12, 0.05), role="dark"),
        part(oval(0.56, 0.36, 0.08), oval(0.3, 0.36, 0.08), role="dark"),
        part(rect(0, 0.68, 2.1, 0.12, 0.05), role="dark"),
    )


def _toaster_retro(j: Jitter) -> Sketch:
    crown = j(0.8)
    return standing(
        part(
            rounded([(-0.5, -0.5), (-0.46, -1.0), (0.4, -1.0), (0.44, -0.5)], 0.16),
            role="timber",
            tone=1.2,
        ),
        part(
            curve(
                [
                    (-1.05, 0.7),
                    (-1.02, 0.1),
                    (-0.86, -0.45),
                    (-0.4, -crown),
                    (0.4, -crown),
                    (0.86, -0.45),
                    (1.02, 0.1),
                    (1.05, 0.7),
                ]
            )
        ),
        part(
            rounded(
                [
                    (-0.52, -crown + 0.08),
                    (0.52, -crown + 0.08),
                    (0.6, -crown + 0.17),
                    (-0.6, -crown + 0.17),
                ],
                0.04,
            ),
            role="dark",
        ),
        part(rect(0, 0.62, 2.12, 0.13, 0.04), role="metal"),
        part(rect(0, 0.74, 1.96, 0.12, 0.04), role="dark"),
        part(oval(0, 0.28, 0.16), role="metal"),
        part(oval(0, 0.28, 0.10), role="dark"),
        part(rect(-1.1, 0.0, 0.2, 0.13, 0.05), role="dark"),
    )


def _coffee_drip(j: Jitter) -> Sketch:
    width = j(1.46)
    return standing(
        part(rect(-0.02, -0.05, width, 1.9, 0.14)),
        part(rect(-0.08, 0.18, width * 0.82, 0.9, 0.06), role="dark"),
        part(taper(-0.08, -0.32, -0.1, 0.7, 0.36, 0.05), role="accent"),
        stroke(curve([(0.24, 0.06), (0.58, 0.05), (0.6, 0.4), (0.3, 0.5)]), 0.09, "dark"),
        part(
            rounded([(-0.42, -0.02), (0.26, -0.02), (0.4, 0.56), (-0.56, 0.56)], 0.12), role="glass"
        ),
        part(
            rounded([(-0.5, 0.26), (0.34, 0.26), (0.4, 0.56), (-0.56, 0.56)], 0.1),
            role="timber",
            tone=0.36,
        ),
        part(rect(-0.08, -0.03, 0.72, 0.09, 0.03), role="dark"),
        part(rect(0, 0.86, width + 0.12, 0.28, 0.09), role="accent"),
        part(rect(-0.02, -0.62, 0.4, 0.17, 0.04), role="lens"),
        part(oval(0.44, -0.62, 0.08), role="metal"),
        part(rect(-0.02, -1.02, width * 0.9, 0.13, 0.05), role="dark"),
    )


def _coffee_capsule(j: Jitter) -> Sketch:
    head = j(0.62)
    return standing(
        part(
            rounded([(0.05, -0.95), (0.85, -0.95), (0.85, 0.9), (0.05, 0.9)], 0.26), form="cylinder"
        ),
        part(
            rounded(
                [(-0.8, -0.98), (0.6, -0.98), (0.6, -0.98 + head), (-0.72, -0.98 + head)], 0.22
            ),
            form="barrel",
        ),
        part(rect(-0.38, -0.25, 0.26, 0.24, 0.05), role="dark"),
        part(rect(-0.46, -1.02, 0.8, 0.13, 0.06), role="metal"),
        part(rect(-0.1, 0.88, 1.9, 0.18, 0.07), role="dark"),
        part(taper(-0.38, 0.32, 0.78, 0.52, 0.38, 0.08), role="light", form="cylinder"),
        stroke(arc(-0.66, 0.52, 0.1, 0.12, 60, 300), 0.06, "light"),
        part(rect(-0.38, -0.02, 0.045, 0.36, 0.02), role="timber", tone=0.5),
        part(oval(0.3, -0.66, 0.1), role="glow"),
    )


def _coffee_moka(j: Jitter) -> Sketch:
    waist = j(0.7)
    return standing(
        stroke(curve([(0.4, -0.72), (0.92, -0.78), (0.98, -0.4), (0.84, 0.1)]), 0.15, "dark"),
        part(rounded([(-0.5, -0.62), (-0.86, -0.74), (-0.6, -0.3)], 0.03)),
        part(taper(0, -0.72, 0.1, 1.2, waist, 0.03), form="cylinder"),
        part(taper(0, 0.22, 0.98, waist * 1.05, 1.36, 0.06), form="cylinder"),
        part(rect(0, 0.15, waist * 1.16, 0.18, 0.04), role="metal", form="cylinder"),
        part(
            rounded([(-0.62, -0.7), (-0.1, -0.92), (0.1, -0.92), (0.62, -0.7)], 0.03),
            role="accent",
            form="cylinder",
        ),
        part(oval(0, -1.0, 0.11), role="dark", form="sphere"),
        part(oval(0.42, 0.62, 0.06), role="metal", form="sphere"),
    )


def _blender_jug(j: Jitter) -> Sketch:
    top = j(1.0)
    return standing(
        stroke(curve([(0.4, -0.78), (0.78, -0.76), (0.8, -0.3), (0.42, -0.12)]), 0.12, "accent"),
        part(taper(0, -0.92, 0.1, top, 0.72, 0.06), role="glass"),
        part(taper(0, -0.42, 0.08, top * 0.84, 0.70, 0.05), role="pale"),
        part(rect(0, -0.96, top + 0.08, 0.16, 0.05), role="dark", form="cylinder"),
        part(rect(0, -1.08, 0.4, 0.14, 0.05), role="dark", form="cylinder"),
        part(rect(0, 0.14, 0.82, 0.14, 0.04), role="metal", form="cylinder"),
        part(taper(0, 0.2, 1.06, 0.94, 1.42, 0.14), form="cylinder"),
        part(oval(0, 0.68, 0.2), role="metal"),
        part(oval(0, 0.68, 0.13), role="dark"),
        part(rect(0, 1.04, 1.36, 0.1, 0.04), role="dark", form="cylinder"),
    )


def _blender_personal(j: Jitter) -> Sketch:
    width = j(0.84)
    return standing(
        part(rect(0, -0.45, width, 1.15, 0.24), role="glass", form="cylinder"),
        part(
            rounded(
                [
                    (-width * 0.44, -0.4),
                    (width * 0.44, -0.4),
                    (width * 0.44, 0.1),
                    (-width * 0.44, 0.1),
                ],
                0.08,
            ),
            role="pale",
        ),
        part(rect(0, 0.12, width + 0.08, 0.16, 0.05), role="accent", form="cylinder"),
        part(taper(0, 0.2, 1.0, width + 0.02, width + 0.24, 0.1), form="cylinder"),
        part(oval(0, 0.58, 0.12), role="metal"),
        part(oval(0, 0.58, 0.06), role="glow"),
    )


def _blender_stick(j: Jitter) -> Sketch:
    grip = j(0.5)
    return standing(
        part(taper(-0.35, -1.1, 0.05, grip, grip * 0.84, 0.2), form="cylinder"),
        part(rect(-0.35, -0.72, 0.13, 0.3, 0.06), role="dark"),
        part(taper(-0.35, 0.05, 0.72, 0.26, 0.2, 0.03), role="metal", form="cylinder"),
        part(
            curve(
                [
                    (-0.45, 0.66),
                    (-0.68, 0.86),
                    (-0.7, 1.0),
                    (0.0, 1.0),
                    (-0.02, 0.86),
                    (-0.25, 0.66),
                ]
            ),
            role="metal",
            form="cylinder",
        ),
        part(taper(0.55, -0.1, 1.0, 0.92, 0.72, 0.08), role="glass"),
        part(taper(0.55, 0.36, 0.98, 0.8, 0.7, 0.07), form="cylinder"),
        part(rect(0.55, -0.1, 0.98, 0.1, 0.04), role="accent"),
    )


SKETCHES: Mapping[str, tuple[Draughtsman, ...]] = {
    "kettle": (_kettle_electric, _kettle_gooseneck, _kettle_whistling, _kettle_retro),
    "mug": (_mug_straight, _mug_barista, _mug_travel),
    "toaster": (_toaster_two, _toaster_long, _toaster_retro),
    "coffee maker": (_coffee_drip, _coffee_capsule, _coffee_moka),
    "blender": (_blender_jug, _blender_personal, _blender_stick),
}
