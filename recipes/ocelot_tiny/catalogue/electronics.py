"""Sketches of electronics to work and play with."""

from __future__ import annotations

from collections.abc import Mapping

from recipes.ocelot_tiny.catalogue.shapes import (
    Draughtsman,
    Jitter,
    Part,
    Points,
    Sketch,
    blob,
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


def _keys(
    x: float, y: float, columns: int, rows: int, width: float, height: float, gap: float = 0.16
) -> list[Points]:
    dx, dy = width / columns, height / rows
    return [
        rect(
            x - width / 2 + dx * (c + 0.5),
            y - height / 2 + dy * (r + 0.5),
            dx * (1 - gap),
            dy * (1 - gap),
            min(dx, dy) * 0.16,
        )
        for r in range(rows)
        for c in range(columns)
    ]


def _laptop_slim(j: Jitter) -> Sketch:
    height = j(1.42)
    return lying(
        part(rect(0, 0.05, 2.06, height, 0.13), role="dark"),
        part(rect(0, 0, 2.06, height, 0.13)),
        part(oval(0, 0, 0.13), role="metal"),
        part(rect(0, -height / 2 + 0.02, 1.2, 0.05, 0.02), role="dark"),
    )


def _laptop_wide(j: Jitter) -> Sketch:
    # open, its desktop picture and its palm rest in the colour of the product
    lid = j(1.2)
    return standing(
        part(rect(0, 0.3 - lid / 2, 1.9, lid, 0.08), role="dark"),
        part(rect(0, 0.28 - lid / 2, 1.76, lid - 0.18, 0.02)),
        part(rounded([(-0.95, 0.3), (0.95, 0.3), (1.2, 0.86), (-1.2, 0.86)], 0.05)),
        part(rounded([(-0.86, 0.35), (0.86, 0.35), (1.0, 0.64), (-1.0, 0.64)], 0.02), role="dark"),
        part(
            rounded([(-0.3, 0.68), (0.3, 0.68), (0.33, 0.82), (-0.33, 0.82)], 0.02), role="accent"
        ),
        part(rounded([(-1.2, 0.85), (1.2, 0.85), (1.14, 0.93), (-1.14, 0.93)], 0.03), role="metal"),
    )


def _laptop_studio(j: Jitter) -> Sketch:
    # the open lid from behind
    top = j(1.92)
    return standing(
        part(
            rounded([(-1.04, 0.62), (1.04, 0.62), (1.16, 0.84), (-1.16, 0.84)], 0.05), role="dark"
        ),
        part(taper(0, -0.72, 0.68, top, 2.1, 0.1)),
        part(rect(0, -0.06, 0.3, 0.3, 0.08), role="metal"),
        part(rect(0, 0.7, 1.5, 0.08, 0.03), role="dark"),
    )


def _pad_buttons(x: float, y: float) -> list[Part]:
    spots = [(x, y - 0.13), (x + 0.13, y), (x, y + 0.13), (x - 0.13, y)]
    return [
        part(*[oval(a, b, 0.068) for a, b in spots], role="dark"),
        part(oval(x + 0.13, y, 0.035), oval(x - 0.13, y, 0.035), role="glow"),
    ]


def _cross(x: float, y: float) -> Part:
    return part(rect(x, y, 0.36, 0.12, 0.03), rect(x, y, 0.12, 0.36, 0.03), role="dark")


def _stick(x: float, y: float) -> list[Part]:
    return [
        part(oval(x, y, 0.19), role="accent"),
        part(oval(x, y, 0.15), role="dark", form="sphere"),
    ]


def _pad_wireless(j: Jitter) -> Sketch:
    grip = j(0.74)
    half = [
        (0.0, -0.46),
        (0.42, -0.48),
        (0.72, -0.58),
        (0.98, -0.34),
        (1.14, 0.2),
        (1.1, grip),
        (0.86, grip - 0.02),
        (0.62, 0.34),
        (0.3, 0.22),
        (0.0, 0.22),
    ]
    return lying(
        part(blob(*half, *[(-x, y) for x, y in half[-2:0:-1]])),
        _cross(-0.68, -0.16),
        *_pad_buttons(0.68, -0.16),
        *_stick(-0.32, 0.1),
        *_stick(0.32, 0.1),
        part(rect(0, -0.28, 0.4, 0.2, 0.05), role="dark"),
        part(oval(0, 0.02, 0.06), role="metal"),
    )


def _pad_retro(j: Jitter) -> Sketch:
    height = j(0.98)
    return lying(
        stroke(curve([(0, -0.45), (0.05, -0.72), (0.3, -0.82), (0.5, -0.98)]), 0.07, "dark"),
        part(rect(0, 0, 2.2, height, 0.14)),
        part(rect(0, 0.1, 0.56, 0.34, 0.06), role="light"),
        part(rect(-0.13, 0.1, 0.2, 0.08, 0.04), rect(0.13, 0.1, 0.2, 0.08, 0.04), role="dark"),
        _cross(-0.7, 0.06),
        part(rect(0.7, 0.1, 0.62, 0.34, 0.08), role="light"),
        part(oval(0.56, 0.1, 0.12), oval(0.84, 0.1, 0.12), role="dark", form="sphere"),
    )


def _pad_pro(j: Jitter) -> Sketch:
    width = j(1.1)
    half = [
        (0.0, -0.52),
        (0.5, -0.56),
        (0.9, -0.42),
        (width, 0.06),
        (width - 0.06, 0.5),
        (0.84, 0.68),
        (0.62, 0.5),
        (0.4, 0.42),
        (0.0, 0.42),
    ]
    return lying(
        part(rect(-0.66, -0.52, 0.5, 0.2, 0.08), rect(0.66, -0.52, 0.5, 0.2, 0.08), role="dark"),
        part(blob(*half, *[(-x, y) for x, y in half[-2:0:-1]])),
        *_stick(-0.64, -0.14),
        _cross(-0.34, 0.2),
        *_stick(0.34, 0.2),
        *_pad_buttons(0.66, -0.14),
        part(oval(0, -0.28, 0.11), role="metal"),
        part(oval(-0.2, -0.1, 0.04), oval(0.2, -0.1, 0.04), role="light"),
    )


def _keyboard_full(j: Jitter) -> Sketch:
    height = j(0.86)
    return lying(
        part(rect(0, 0, 2.4, height, 0.09), role="accent", tone=0.9),
        part(
            *_keys(-0.3, 0, 13, 4, 1.66, height - 0.14),
        ),
        part(*_keys(0.87, 0, 4, 4, 0.52, height - 0.14)),
    )


def _keyboard_compact(j: Jitter) -> Sketch:
    height = j(0.98)
    return lying(
        part(rect(0, 0, 2.1, height, 0.16), role="dark"),
        part(*_keys(0, -0.1, 10, 3, 1.94, height * 0.70, 0.13)),
        part(
            *_keys(-0.7, height * 0.36, 3, 1, 0.54, height * 0.20, 0.1),
            *_keys(0.7, height * 0.36, 3, 1, 0.54, height * 0.20, 0.1),
            rect(0, height * 0.36, 0.8, height * 0.18, 0.04),
        ),
    )


def _keyboard_ergonomic(j: Jitter) -> Sketch:
    dip = j(0.2, 0.2)
    halves: list[Points] = []
    for side in (-1, 1):
        for row in range(4):
            for column in range(6):
                x = side * (0.24 + 0.165 * column)
                y = -0.34 + 0.165 * row + dip * (1 - abs(x)) * 0.6
                halves.append(rect(x, y, 0.145, 0.14, 0.03))
    return lying(
        part(
            blob(
                (-1.2, -0.42),
                (-0.6, -0.44),
                (0, -0.34),
                (0.6, -0.44),
                (1.2, -0.42),
                (1.26, 0.3),
                (0.8, 0.56),
                (0, 0.64),
                (-0.8, 0.56),
                (-1.26, 0.3),
            )
        ),
        part(*halves, role="dark"),
        part(rect(0, 0.42, 0.7, 0.12, 0.04), role="dark"),
    )


SKETCHES: Mapping[str, tuple[Draughtsman, ...]] = {
    "laptop": (_laptop_slim, _laptop_wide, _laptop_studio),
    "keyboard": (_keyboard_full, _keyboard_compact, _keyboard_ergonomic),
    "game controller": (_pad_wireless, _pad_retro, _pad_pro),
}
