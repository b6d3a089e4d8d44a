"""Where a product is photographed: camera, background, shadow and light."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from recipes.ocelot_tiny.catalogue.inks import RGB, colour_of, mix, rgb
from recipes.ocelot_tiny.catalogue.painter import Canvas, Cover, Map, Print, View
from recipes.ocelot_tiny.catalogue.shapes import Sketch

_PAPERS = tuple(
    rgb(*paper)
    for paper in (
        (246, 222, 214),
        (222, 234, 244),
        (226, 240, 226),
        (248, 240, 210),
        (232, 226, 244),
        (214, 218, 222),
        (240, 228, 212),
        (206, 226, 226),
        (188, 196, 204),
        (236, 208, 216),
    )
)
_WALLS = _PAPERS + tuple(rgb(*c) for c in ((238, 238, 236), (224, 226, 230), (236, 230, 222)))
_TABLES = tuple(
    rgb(*c)
    for c in (
        (250, 249, 247),
        (222, 212, 198),
        (206, 206, 206),
        (190, 160, 126),
        (236, 230, 220),
        (168, 174, 180),
    )
)


@dataclass(frozen=True)
class Light:
    """The lamp: ``side`` (1 right, -1 left) and the gain (3,) it puts on red, green and blue."""

    side: float
    gain: RGB


def camera(sketch: Sketch, size: int, light: Light, rng: np.random.Generator) -> View:
    """A view of a fitted sketch: slightly turned, sheared and tapered, standing things less."""
    luck: list[float] = rng.random(9).tolist()
    swing = [2 * value - 1 for value in luck]
    if sketch.standing:
        turn, shear, lean = 0.035 * swing[0], 0.05 * swing[1], 0.05 * swing[2]
    else:
        turn, shear, lean = 0.34 * swing[0] * abs(swing[0]) ** 0.3, 0.07 * swing[1], 0.08 * swing[2]
    flip = -1.0 if luck[3] < 0.5 else 1.0
    squeeze = 1 - 0.07 * luck[7]
    cos, sin = math.cos(turn), math.sin(turn)
    shape = np.array([[flip * squeeze, shear, 0], [0, 1, 0], [0.4 * lean * swing[8], lean, 1]])
    spin = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    posed = View(spin @ shape, 1.0, light.side, flip)
    # fit what the camera sees into the frame, whatever the pose made of it
    outline = posed.project(np.concatenate([path for p in sketch.parts for path in p.paths]))
    low, high = outline.min(axis=0), outline.max(axis=0)
    extent = (high - low) / 2
    # square-ish things fill the frame, so they are drawn a little smaller than slim ones
    crowd = float(extent.min() / extent.max())
    unit = float(size / 2 * (0.88 - 0.11 * crowd + 0.07 * swing[4]) / extent.max())
    room = np.maximum(0.48 * size - unit * extent, 0)
    wander = np.array([0.5 * swing[5], 0.4 * swing[6]])
    move = 0.5 * size + room * wander - unit * (low + high) / 2
    place = np.array([[unit, 0, move[0]], [0, unit, move[1]], [0, 0, 1]])
    return View(place @ spin @ shape, unit, light.side, flip)


def lamp(rng: np.random.Generator) -> Light:
    """A mild light: a little brighter or darker, warmer or cooler."""
    luck: list[float] = rng.uniform(-1, 1, 3).tolist()
    warmth = 0.035 * luck[0]
    bright = 1 + 0.06 * luck[1]
    gain = rgb(bright * (1 + warmth), bright, bright * (1 - warmth))
    return Light(1.0 if luck[2] > 0 else -1.0, gain)


def _choose(shades: tuple[RGB, ...], product: RGB, rng: np.random.Generator) -> RGB:
    """One of ``shades`` that the product stands out from."""
    order = [shades[int(i)] for i in rng.permutation(len(shades))]
    distances = [float(np.abs(shade - product).sum()) for shade in order]
    clear = [shade for shade, distance in zip(order, distances, strict=True) if distance > 110]
    return clear[0] if clear else order[distances.index(max(distances))]


def background(
    size: int, colour: str, standing: bool, floor: float, rng: np.random.Generator
) -> Canvas:
    """An empty set (size, size, 3) for a product of ``colour`` whose foot is at pixel ``floor``."""
    product = colour_of(colour)
    luck: list[float] = rng.random(8).tolist()
    y = np.linspace(0, 1, size, dtype=np.float32)[:, None]
    x = np.linspace(0, 1, size, dtype=np.float32)[None, :]
    glow = np.exp(-(((x - 0.3 - 0.4 * luck[0]) / 0.62) ** 2))
    glow = glow * np.exp(-(((y - 0.25 - 0.3 * luck[1]) / 0.62) ** 2))
    if luck[2] < 0.30:  # studio
        base = rgb(252, 252, 252)
        if colour == "white":
            base = rgb(216, 219, 224) if luck[3] < 0.6 else rgb(232, 234, 238)
        shade = 0.955 + 0.06 * glow
        out = base * shade[..., None]
    elif luck[2] < 0.55:  # soft gradient
        base = _choose(_WALLS, product, rng)
        far = (rgb(120, 126, 136), 0.3) if colour == "white" else (rgb(255, 255, 255), 0.65)
        other = mix(base, *far)
        blend = np.clip(y * (0.5 + luck[3]) + (x - 0.5) * (luck[4] - 0.5), 0, 1)[..., None]
        out = (base + blend * (other - base)) * (0.96 + 0.06 * glow)[..., None]
    elif standing:  # wall and table
        wall, table = _choose(_WALLS, product, rng), _choose(_TABLES, product, rng)
        line = min(floor / size - 0.05 - 0.16 * luck[3], 0.9)
        edge = np.clip((y - line) * size / 1.5 + 0.5, 0, 1)[..., None]
        top = _planks(size, table, luck, 0.30) if luck[4] < 0.35 else table
        near = (0.92 + 0.10 * (y - line) / (1 - line))[..., None]
        wall_side = wall * (0.93 + 0.09 * glow)[..., None]
        out = wall_side + edge * (top * near - wall_side)
    elif luck[3] < 0.30:  # a wooden or stone table top
        out = _planks(size, _choose(_TABLES, product, rng), luck, 0.5)
        out = out * (0.94 + 0.08 * glow)[..., None]
    else:  # paper, now and then in two colours
        paper = _choose(_PAPERS, product, rng)
        out = paper * (0.95 + 0.07 * glow)[..., None]
        if luck[4] < 0.35:
            other = _choose(_PAPERS, product, rng)
            slope = (luck[5] - 0.5) * 1.4
            side = np.clip((x + slope * (y - 0.5) - 0.35 - 0.3 * luck[6]) * size / 1.5, 0, 1)
            out = out + side[..., None] * (other * (0.95 + 0.07 * glow)[..., None] - out)
    return np.ascontiguousarray(out, dtype=np.float32)


def _planks(size: int, tone: RGB, luck: list[float], strength: float) -> Canvas:
    """A faintly veined board in ``tone``, weak enough not to pass for a printed pattern."""
    wood = Print("wood", "tan", 0, 2.6, 0.0, (luck[5], luck[6]))
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    u, v = np.meshgrid(axis, axis)
    grain = wood.sample(u, v, size / 2)[..., 1:2] / 180
    board: Canvas = tone * (1 - np.float32(strength) * (1 - np.minimum(grain, 1)))
    return board


def outline_of(covers: list[Cover], size: int) -> Map:
    """How much of each pixel (size, size) the product covers, 0 to 1."""
    outline: Map = np.zeros((size, size), np.float32)
    for piece in covers:
        x0, y0, x1, y1 = piece.box
        place = outline[y0:y1, x0:x1]
        np.maximum(place, piece.alpha, out=place)
    return outline


def cast_shadow(
    canvas: Canvas, covers: list[Cover], view: View, is_standing: bool, luck: float
) -> None:
    """Darken ``canvas`` (in place) under and beside the product."""
    size = len(canvas)
    outline = outline_of(covers, size)
    if is_standing:
        rows = np.flatnonzero(outline.max(axis=1) > 0.5)
        foot = float(rows[-1]) if len(rows) else size - 1.0
        band = outline[max(int(foot - 0.05 * size), 0) : int(foot) + 1].max(axis=0)
        columns = np.flatnonzero(band > 0.5)
        left, right = (float(columns[0]), float(columns[-1])) if len(columns) else (0.0, size - 1.0)
        middle, half = (left + right) / 2, (right - left) / 2
        shadow = Image.new("L", (size, size))
        pen = ImageDraw.Draw(shadow)
        drift = -view.light * (0.03 + 0.05 * luck) * size
        tall = 0.035 * size
        pen.ellipse(
            (middle - half * 1.08 + drift, foot - tall, middle + half * 1.08 + drift, foot + tall),
            fill=120,
        )
        shadow = shadow.filter(ImageFilter.GaussianBlur(0.025 * size))
        contact = Image.new("L", (size, size))
        ImageDraw.Draw(contact).ellipse(
            (middle - half, foot - 0.016 * size, middle + half, foot + 0.014 * size), fill=150
        )
        contact = contact.filter(ImageFilter.GaussianBlur(0.008 * size))
        dusk = np.asarray(shadow, np.float32) + np.asarray(contact, np.float32)
    else:
        mask = Image.fromarray(np.round(outline * 255).astype(np.uint8))
        far = mask.filter(ImageFilter.GaussianBlur((0.014 + 0.016 * luck) * size))
        reach = (0.014 + 0.02 * luck) * size
        moved = far.transform(
            far.size, Image.Transform.AFFINE, (1, 0, view.light * reach, 0, 1, -reach)
        )
        dusk = np.asarray(moved, np.float32) * 0.50
    canvas *= (1 - np.minimum(dusk, 190) * np.float32(1 / 255))[..., None]


def expose(canvas: Canvas, light: Light) -> Image.Image:
    """The finished photograph of ``canvas`` under ``light``."""
    return Image.fromarray(np.clip(canvas * light.gain + 0.5, 0, 255).astype(np.uint8))
