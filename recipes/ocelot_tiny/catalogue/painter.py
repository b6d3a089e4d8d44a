"""The compositor: parts of a sketch to shaded, printed, anti-aliased pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from recipes.ocelot_tiny.catalogue.inks import RGB, inks, material
from recipes.ocelot_tiny.catalogue.noise import SIDE
from recipes.ocelot_tiny.catalogue.patterns import VARIANTS, tile
from recipes.ocelot_tiny.catalogue.shapes import Part, Points

Canvas = NDArray[np.float32]  # (size, size, 3), 0 to 255
Map = NDArray[np.float32]  # (h, w)


@dataclass(frozen=True)
class Print:
    """A pattern in a colour, laid onto a surface: turned, moved, one tile ``span`` units wide."""

    pattern: str
    colour: str
    variant: int
    span: float
    turn: float  # radians
    offset: tuple[float, float]

    def sample(self, u: Map, v: Map, unit: float) -> Canvas:
        """Colours (h, w, 3) at surface points ``u``, ``v``; ``unit`` is pixels per unit."""
        ground, *marks = inks(self.pattern, self.colour)
        if self.pattern == "plain":
            return np.broadcast_to(ground, (*u.shape, 3)).astype(np.float32)
        detail = SIDE / max(self.span * unit, 1.0)
        level = int(np.clip(np.floor(np.log2(max(detail, 1.0)) + 0.35), 0, 4))
        ink = tile(self.pattern, self.variant, level)
        side = len(ink)
        cos, sin = np.cos(self.turn) * side / self.span, np.sin(self.turn) * side / self.span
        x = (u * cos + v * sin + self.offset[0] * side).astype(np.float32)
        y = (v * cos - u * sin + self.offset[1] * side).astype(np.float32)
        weight = _bilinear(ink, x, y)
        out = ground + weight[..., :1] * (marks[0] - ground)
        out += weight[..., 1:2] * (marks[1] - out)
        out += weight[..., 2:] * (marks[2] - out)
        return out


def random_print(pattern: str, colour: str, rng: np.random.Generator, span: float) -> Print:
    """The print with a variant, turn, place and scale (about ``span``) drawn from ``rng``."""
    luck: list[float] = rng.random(6).tolist()
    scale = span * (0.78 + 0.5 * luck[0])
    turn = (luck[1] - 0.5) * 0.5
    if pattern in ("stripes", "zebra", "tiger", "wood", "waves") and luck[2] < 0.4:
        turn += np.pi / 2
    elif pattern in ("stripes", "checks") and luck[2] > 0.75:
        turn += np.pi / 4
    return Print(pattern, colour, int(luck[3] * VARIANTS), scale, turn, (luck[4], luck[5]))


def _bilinear(ink: NDArray[np.uint8], x: Map, y: Map) -> Canvas:
    """Weights 0 to 1 from a seamless tile at fractional pixels."""
    side = len(ink)
    flat = ink.reshape(-1, 3)
    left, top = np.floor(x), np.floor(y)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    x0, y0 = left.astype(np.int32) % side, top.astype(np.int32) % side
    x1, y1 = (x0 + 1) % side, (y0 + 1) % side
    y0, y1 = y0 * side, y1 * side
    a: Canvas = flat[y0 + x0].astype(np.float32)
    a += fx * (flat[y0 + x1] - a)
    b = flat[y1 + x0].astype(np.float32)
    b += fx * (flat[y1 + x1] - b)
    a += fy * (b - a)
    a *= np.float32(1 / 255)
    return a


@dataclass(frozen=True)
class View:
    """A plane seen by the camera: ``matrix`` (3, 3) takes sketch units to pixels."""

    matrix: NDArray[np.float64]
    unit: float  # pixels per sketch unit, about the middle
    light: float  # side the light comes from in the picture: 1 right, -1 left
    flip: float = 1.0  # -1 when the sketch is mirrored

    def project(self, points: Points) -> Points:
        """Pixel positions (n, 2) of sketch points (n, 2)."""
        m = self.matrix
        mapped = points @ m[:2, :2].T + m[:2, 2]
        scaled: Points = mapped / (points @ m[2, :2] + m[2, 2])[:, None]
        return scaled

    def surface(self, box: tuple[int, int, int, int]) -> tuple[Map, Map]:
        """Sketch coordinates u, v (h, w) of the pixels within ``box``."""
        inverse = np.linalg.inv(self.matrix)
        x = np.arange(box[0], box[2], dtype=np.float32)[None, :] + np.float32(0.5)
        y = np.arange(box[1], box[3], dtype=np.float32)[:, None] + np.float32(0.5)
        a, b, c = (row[0] * x + (row[1] * y + row[2]) for row in inverse.astype(np.float32))
        return a / c, b / c


@dataclass(frozen=True)
class Cover:
    """The pixels a part covers: ``alpha`` (h, w) in [0, 1] within ``box`` (x0, y0, x1, y1)."""

    part: Part
    box: tuple[int, int, int, int]
    alpha: Map
    edge: Map  # alpha, blurred: tells how near the rim a pixel is


def cover(part: Part, view: View, size: int) -> Cover | None:
    """Rasterise ``part`` with anti-aliasing; None when nothing of it is in the picture."""
    paths = [view.project(path) for path in part.paths]
    half = part.width * view.unit / 2
    blur = max(0.014 * size, 0.8)
    margin = half + 1.5 * blur + 1
    points = np.concatenate(paths)
    x0, y0 = np.maximum(np.floor(points.min(axis=0) - margin), 0).astype(int)
    x1, y1 = np.minimum(np.ceil(points.max(axis=0) + margin), size).astype(int)
    if x1 <= x0 or y1 <= y0:
        return None
    detail = 4
    mask = Image.new("L", ((x1 - x0) * detail, (y1 - y0) * detail))
    pen = ImageDraw.Draw(mask)
    corner = np.array([x0, y0])

    def place(path: Points) -> list[float]:
        flat: list[float] = ((path - corner) * detail).ravel().tolist()
        return flat

    for path in paths:
        flat = place(path)
        if not part.width:
            pen.polygon(flat, fill=255)
            continue
        radius = half * detail
        pen.line(flat, fill=255, width=max(round(2 * radius), 1), joint="curve")
        for x, y in (flat[:2], flat[-2:]):
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    for hole in part.holes:
        pen.polygon(place(view.project(hole)), fill=0)
    small = mask.reduce(detail)
    if half:
        blur = min(blur, max(half, 0.8))
    if blur > 2.5:  # a wide blur loses nothing at half the resolution
        soft = mask.reduce(2 * detail).filter(ImageFilter.GaussianBlur(blur / 2))
        soft = soft.resize(small.size, Image.Resampling.BILINEAR)
    else:
        soft = small.filter(ImageFilter.GaussianBlur(blur))
    scale = np.float32(1 / 255)
    return Cover(
        part,
        (int(x0), int(y0), int(x1), int(y1)),
        np.asarray(small, np.float32) * scale,
        np.asarray(soft, np.float32) * scale,
    )


def paint(canvas: Canvas, piece: Cover, view: View, cloth: Print) -> None:
    """Paint one part onto ``canvas``, in place."""
    part = piece.part
    x0, y0, x1, y1 = piece.box
    place = canvas[y0:y1, x0:x1]
    u, v = view.surface(piece.box)
    shade, shine, u, v = _form(part, u, v, view.light * view.flip)
    shade = shade + _rim(piece, view.light)
    alpha = piece.alpha
    if part.role == "surface":
        colour = cloth.sample(u, v, view.unit) * (shade * part.tone)[..., None]
    else:
        base = material(part.role, cloth.colour)
        shade, shine, alpha = _finish(part, u, v, shade, shine, alpha)
        colour = base * (shade * part.tone)[..., None]
    colour = colour + shine[..., None] * 255
    np.minimum(colour, 255, out=colour)
    place += alpha[..., None] * (colour - place)


def _form(part: Part, u: Map, v: Map, light: float) -> tuple[Map, Map, Map, Map]:
    """Shade (about 1), added highlight, and surface coordinates for the part's solid form."""
    x0, y0, x1, y1 = part.bounds
    width, height = max((x1 - x0) / 2, 1e-6), max((y1 - y0) / 2, 1e-6)
    s = np.clip((u - (x0 + x1) / 2) / width, -1, 1)
    t = np.clip((v - (y0 + y1) / 2) / height, -1, 1)
    gloss = 0.6 if part.role == "surface" else 1.0
    if part.form == "cylinder":
        depth = np.sqrt(1 - s * s)
        shade = 0.74 + 0.26 * depth + 0.11 * light * s
        shine = 0.26 * gloss * np.exp(-(((s - 0.52 * light) / 0.13) ** 2))
        u = (x0 + x1) / 2 + width * np.arcsin(s * 0.985) * 0.82
    elif part.form == "barrel":
        depth = np.sqrt(1 - t * t)
        shade = 0.74 + 0.26 * depth - 0.12 * t
        shine = 0.24 * gloss * np.exp(-(((t + 0.55) / 0.13) ** 2))
        v = (y0 + y1) / 2 + height * np.arcsin(t * 0.985) * 0.82
    elif part.form == "sphere":
        radius = np.minimum(s * s + t * t, 1)
        depth = np.sqrt(1 - radius)
        shade = 0.68 + 0.30 * depth + 0.10 * light * s - 0.13 * t
        shine = 0.45 * gloss * np.exp(-((s - 0.38 * light) ** 2 + (t + 0.45) ** 2) / 0.035)
        bulge = (1.25 - 0.45 * depth).astype(np.float32)
        u, v = (
            (x0 + x1) / 2 + (u - (x0 + x1) / 2) * bulge,
            (y0 + y1) / 2 + (v - (y0 + y1) / 2) * bulge,
        )
    elif part.form == "soft":
        depth = np.sqrt(1 - np.minimum(s * s + t * t, 1))
        shade = 0.80 + 0.20 * depth + 0.08 * light * s - 0.13 * t
        shine = np.zeros_like(shade)
    else:
        shade = 0.985 + 0.05 * light * s - 0.055 * t
        shine = np.zeros_like(shade)
    return shade.astype(np.float32), shine.astype(np.float32), u, v


def _rim(piece: Cover, light: float) -> Map:
    """Light caught by edges that face it, and the dusk of those that do not."""
    edge = piece.edge
    rim = np.zeros_like(edge)
    rim[1:-1, :] = 0.9 * (edge[2:, :] - edge[:-2, :])
    rim[:, 1:-1] += 0.6 * light * (edge[:, :-2] - edge[:, 2:])
    limit = 0.14 if piece.part.width else 0.20
    out: Map = (np.clip(rim * 1.3, -limit, limit * 0.8) - 0.12 * (1 - edge)).astype(np.float32)
    return out


def _finish(part: Part, u: Map, v: Map, shade: Map, shine: Map, alpha: Map) -> tuple[Map, Map, Map]:
    """What metal, glass and screens do with light: shade, shine and alpha, changed."""
    x0, y0, x1, y1 = part.bounds
    s = (u - x0) / max(x1 - x0, 1e-6)
    t = (v - y0) / max(y1 - y0, 1e-6)
    if part.role == "metal":
        shade = shade * (0.94 + 0.10 * np.cos(7.0 * s + 2.0 * t + 0.8)).astype(np.float32)
    elif part.role in ("screen", "lens"):
        glare = np.clip(1.15 - 1.3 * (s + 0.8 * t), 0, 1) * (np.sin(9 * (s + 0.6 * t)) > -0.2)
        shine = shine + (0.16 * glare).astype(np.float32)
    elif part.role == "glass":
        streak = np.exp(-(((s - 0.2) / 0.07) ** 2)) + 0.5 * np.exp(-(((s - 0.82) / 0.05) ** 2))
        shine = shine + (0.30 * streak).astype(np.float32)
        alpha = alpha * np.float32(0.55)
    elif part.role == "glow":
        shade = np.ones_like(shade)
    return shade, shine, alpha


def flat_colour(canvas: Canvas, piece: Cover, colour: RGB, strength: float = 1.0) -> None:
    """Lay one even ``colour`` over the part's pixels, in place."""
    x0, y0, x1, y1 = piece.box
    place = canvas[y0:y1, x0:x1]
    place += (piece.alpha * np.float32(strength))[..., None] * (colour - place)
