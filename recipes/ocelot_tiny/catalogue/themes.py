"""Pictures of a pattern itself: a close-up of the stuff, or the animal that wears it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from recipes.ocelot_tiny.catalogue.animals import ANIMALS, Animal, sitting_cat
from recipes.ocelot_tiny.catalogue.inks import RGB, mix, rgb
from recipes.ocelot_tiny.catalogue.painter import (
    Canvas,
    Map,
    Print,
    View,
    cover,
    flat_colour,
    paint,
    random_print,
)
from recipes.ocelot_tiny.catalogue.scene import Light, expose, lamp
from recipes.ocelot_tiny.catalogue.shapes import Part

FUR = ("leopard", "tiger", "zebra", "giraffe")
CLOTH = ("stripes", "dots", "checks", "floral", "camouflage", "plain", "waves")

# sky above, sky at the horizon, hills, ground near, grass
_LANDS: tuple[tuple[RGB, RGB, RGB, RGB, RGB], ...] = (
    (
        rgb(250, 196, 120),
        rgb(255, 236, 190),
        rgb(206, 150, 92),
        rgb(226, 184, 104),
        rgb(176, 140, 60),
    ),
    (
        rgb(142, 196, 232),
        rgb(226, 240, 246),
        rgb(150, 176, 128),
        rgb(196, 190, 112),
        rgb(124, 142, 62),
    ),
    (
        rgb(178, 214, 190),
        rgb(232, 244, 222),
        rgb(96, 146, 104),
        rgb(136, 170, 96),
        rgb(70, 122, 62),
    ),
    (
        rgb(198, 206, 232),
        rgb(246, 226, 226),
        rgb(158, 150, 176),
        rgb(198, 188, 158),
        rgb(140, 140, 96),
    ),
)


def render_theme(pattern: str, colour: str, seed: int, size: int = 320) -> Image.Image:
    """A picture of ``pattern`` in ``colour`` for its own sake: RGB, ``size`` x ``size`` pixels.

    Most seeds give a full-frame close-up (fur, cloth, stone, planks, sky); of the four coats
    about a third show the animal in a landscape. Raises ``ValueError`` for an unknown word, a
    negative seed or a size below 16.
    """
    rng = np.random.default_rng([seed, 10])
    light = lamp(rng)
    if pattern in ANIMALS and rng.random() < 0.36:
        poses = ANIMALS[pattern]
        pose = poses[int(rng.integers(len(poses)))]()
        return expose(_animal_scene(pose, pattern, colour, size, light, rng), light)
    return expose(_swatch(pattern, colour, size, light, rng), light)


def render_leopard(size: int = 640) -> Image.Image:
    """The demo's query picture: a leopard sitting in the savannah, RGB, always the same."""
    rng = np.random.default_rng([7, 11])
    light = Light(-1.0, np.array((1.03, 1.0, 0.96), np.float32))
    return expose(_animal_scene(sitting_cat(), "leopard", "tan", size, light, rng, True), light)


def _swatch(pattern: str, colour: str, size: int, light: Light, rng: np.random.Generator) -> Canvas:
    luck: list[float] = rng.random(8).tolist()
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    lean = 0.35 * (luck[0] - 0.5)
    depth = 1 / (1 + lean * y)
    u, v = np.asarray(x * depth, np.float32), np.asarray(y * depth, np.float32)
    shade = np.ones_like(u)
    angle = 6.28 * luck[1]
    across = math.cos(angle) * x + math.sin(angle) * y
    if pattern in CLOTH and luck[2] < 0.65:  # soft folds
        bend = 1.3 * np.sin(2 * math.sin(angle) * x + 5 * luck[4])
        phase = np.asarray((3 + 4 * luck[3]) * across + bend, np.float32)
        u += 0.05 * np.sin(phase)
        v += 0.05 * np.sin(phase)
        shade += (0.13 + 0.05 * luck[5]) * np.sin(phase + 1)
    span = {"wood": 1.9, "galaxy": 2.2, "marble": 1.9}.get(pattern, 1.25)
    cloth = random_print(pattern, colour, rng, span * (0.7 + 0.9 * luck[6]))
    if pattern != "wood":
        cloth = replace(cloth, turn=cloth.turn + (luck[7] - 0.5) * 1.2)
    out = cloth.sample(u, v, size / 2)
    if pattern in FUR:
        shade *= _hairs(u, v, cloth, size)
    elif pattern in CLOTH:
        weave = np.sin(u * 170) * np.sin(v * 170) if size >= 200 else np.zeros_like(u)
        shade += 0.02 * weave
    elif pattern == "marble":
        shade += 0.12 * np.exp(-((across - 0.4 * light.side) ** 2) / 0.12)
    gloom = 1.03 - 0.10 * (x * x + y * y) / 2 + 0.05 * light.side * x - 0.04 * y
    return np.ascontiguousarray(out * (shade * gloom)[..., None], dtype=np.float32)


def _hairs(u: Map, v: Map, cloth: Print, size: int) -> Map:
    """Brightness of combed fur: the wood's fibres, drawn fine and along one direction."""
    comb = Print("wood", "tan", cloth.variant, 0.8, cloth.turn + 1.3, cloth.offset)
    wavy = np.asarray(u + 0.03 * np.sin(5 * v), np.float32)
    grain = comb.sample(wavy, v, size)[..., 1] / 180
    hairs: Map = (0.80 + 0.20 * np.clip(grain, 0, 1.1)).astype(np.float32)
    return hairs


def _landscape(size: int, rng: np.random.Generator, savannah: bool) -> tuple[Canvas, RGB]:
    """A simple country scene, slightly out of focus, and the colour of its grass."""
    sky, haze, hills, ground, grass = _LANDS[1 if savannah else int(rng.integers(len(_LANDS)))]
    luck: list[float] = rng.random(10).tolist()
    horizon = 0.56 + 0.08 * luck[0]
    y = np.linspace(0, 1, size, dtype=np.float32)[:, None, None]
    above = sky + np.clip(y / horizon, 0, 1) * (haze - sky)
    below = ground * (1.08 - 0.30 * (y - horizon))
    base = np.where(y < horizon, above, below) + np.zeros((1, size, 1), np.float32)
    picture = Image.fromarray(np.clip(base, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)

    def ink(colour: RGB) -> tuple[int, int, int]:
        red, green, blue = (int(c) for c in np.clip(colour, 0, 255))
        return red, green, blue

    def disc(x: float, top: float, rx: float, ry: float, colour: RGB) -> None:
        box = ((x - rx) * size, (top - ry) * size, (x + rx) * size, (top + ry) * size)
        pen.ellipse(box, fill=ink(colour))

    sun = 0.1 + 0.8 * luck[1]
    disc(sun, horizon * (0.3 + 0.4 * luck[2]), 0.07, 0.07, mix(haze, rgb(255, 255, 240), 0.8))
    for layer in range(2):
        tone = mix(hills, haze, 0.55 - 0.4 * layer)
        steps = np.linspace(0, 1, 24)
        ridge = horizon - (0.09 - 0.045 * layer) * (
            0.7 + 0.5 * np.sin(6.3 * (steps * (1 + layer) + luck[3 + layer]))
        )
        points = [(float(a) * size, float(b) * size) for a, b in zip(steps, ridge, strict=True)]
        foot = (horizon + 0.01) * size
        pen.polygon([*points, (size, foot), (0, foot)], fill=ink(tone))
    for x in (0.06 + 0.2 * luck[5], 0.78 + 0.2 * luck[6]):  # acacias
        tone = mix(grass, rgb(40, 50, 30), 0.45)
        top = horizon - 0.20 - 0.10 * luck[7]
        trunk = max(int(0.016 * size), 1)
        pen.line(
            (x * size, (horizon + 0.02) * size, x * size, top * size),
            ink(mix(tone, rgb(70, 44, 30), 0.6)),
            trunk,
        )
        for dx, dy, r in ((0, 0, 0.13), (-0.08, 0.03, 0.08), (0.09, 0.025, 0.09)):
            disc(x + dx, top + dy, r, 0.035, tone)
    picture = picture.filter(ImageFilter.GaussianBlur(0.005 * size))
    return np.asarray(picture, np.float32).copy(), grass


def _blades(rng: np.random.Generator, count: int, low: float, tall: float) -> Part:
    """Tufts of grass as thin triangles, x from -1 to 1 and the foot at about ``low``."""
    luck = rng.random((count, 4))
    foot = luck[:, 0] * 2.2 - 1.1
    lean = (luck[:, 1] - 0.5) * tall
    width = 0.012 + 0.012 * luck[:, 2]
    top = low - tall * (0.4 + 0.6 * luck[:, 3])
    blades = tuple(
        np.array([(f - w, low + 0.3), (f + d, t), (f + w, low + 0.3)])
        for f, d, w, t in zip(foot, lean, width, top, strict=True)
    )
    return Part(blades)


def _animal_scene(
    animal: Animal,
    pattern: str,
    colour: str,
    size: int,
    light: Light,
    rng: np.random.Generator,
    savannah: bool = False,
) -> Canvas:
    canvas, grass = _landscape(size, rng, savannah)
    figure = animal.fitted()
    luck: list[float] = rng.random(6).tolist()
    portrait = len(animal.sketch.parts) - animal.head > animal.head * 4
    scale = 1.05 if portrait else 0.84 + 0.1 * (luck[0] - 0.5)
    flip = 1.0 if savannah or luck[1] < 0.5 else -1.0
    unit = size / 2 * scale
    bottom = figure.sketch.bounds[3]
    foot = size * (1.02 if portrait else 0.93)
    matrix = np.array(
        [
            [flip * unit, 0, size * (0.5 + (0 if savannah else 0.06 * (luck[2] - 0.5)))],
            [0, unit, foot - bottom * unit],
            [0, 0, 1],
        ]
    )
    view = View(matrix, unit, light.side, flip)
    variant, offset = int(luck[3] * 3), (luck[4], luck[5])
    # stripes run round the body, so they stand upright on an animal seen from the side
    turn = 0.0 if pattern in ("leopard", "giraffe") else np.pi / 2
    head_turn = 0.0 if len(ANIMALS[pattern]) > 1 else turn
    x0, _, x1, _ = animal.sketch.bounds
    breadth = 2 / max(x1 - x0, animal.sketch.bounds[3] - animal.sketch.bounds[1])
    body_span = {"giraffe": 1.3, "zebra": 1.25}.get(pattern, 1.7 if portrait else 1.35) * breadth
    coat = Print(pattern, colour, variant, body_span, turn, offset)
    finer = 0.62 if portrait else 0.55
    face = Print(pattern, colour, variant, body_span * finer, head_turn, offset)
    pieces = [cover(p, view, size) for p in figure.sketch.parts]
    shadow = Image.new("L", (size, size))
    half = 0.44 * size * scale
    ImageDraw.Draw(shadow).ellipse(
        (size / 2 - half, foot - 0.05 * size, size / 2 + half, foot + 0.03 * size), fill=110
    )
    dusk = np.asarray(shadow.filter(ImageFilter.GaussianBlur(0.02 * size)), np.float32)
    canvas *= (1 - dusk / 255)[..., None]
    for index, piece in enumerate(pieces):
        if piece is not None:
            paint(canvas, piece, view, face if index >= figure.head else coat)
    meadow = View(
        np.array([[size / 2, 0, size / 2], [0, size / 2, size / 2], [0, 0, 1.0]]), size / 2, 1.0
    )
    for tone, low, tall in ((0.0, 0.93, 0.16), (0.25, 1.0, 0.14)):
        blades = cover(_blades(rng, 46, low, tall), meadow, size)
        if blades is not None and not portrait:
            flat_colour(canvas, blades, mix(grass, rgb(255, 240, 170), tone))
    return canvas
