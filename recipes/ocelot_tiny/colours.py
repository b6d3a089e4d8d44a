"""The names of colours: what RGB a shade has, and which name a colour measured in a photo has.

The families are the catalogue's thirteen colours; a shade is a finer name within one.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS

__all__ = [
    "CLEAR",
    "FAMILIES",
    "LUMA",
    "SHADES",
    "measure_colour",
    "name_of",
    "random_rgb",
    "to_lab",
]

RGB = tuple[float, float, float]
Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]

CLEAR = 40.0  # nearer to the main colour of an article than this is of that colour
LUMA: RGB = (0.299, 0.587, 0.114)  # shares of red, green and blue in lightness (BT.601)

FAMILIES: tuple[str, ...] = tuple(COLOURS)

# family -> shade -> RGB; the shade of the family's own name is what people mean by it.
SHADES: Mapping[str, Mapping[str, tuple[int, int, int]]] = MappingProxyType(
    {
        "white": {"white": (236, 236, 234), "cream": (236, 228, 208), "ivory": (240, 236, 222)},
        "grey": {
            "grey": (132, 133, 136),
            "light grey": (182, 184, 188),
            "dark grey": (82, 83, 87),
            "charcoal": (66, 68, 72),
        },
        "black": {"black": (34, 34, 37)},
        "red": {
            "red": (192, 34, 42),
            "dark red": (126, 26, 34),
            "burgundy": (104, 28, 44),
            "maroon": (110, 30, 38),
        },
        "orange": {"orange": (232, 120, 40), "coral": (238, 122, 96)},
        "yellow": {"yellow": (242, 208, 62), "mustard": (206, 158, 48)},
        "green": {
            "green": (52, 132, 72),
            "dark green": (32, 78, 52),
            "light green": (140, 196, 130),
            "olive": (98, 98, 54),
            "khaki green": (112, 108, 72),
        },
        "teal": {"teal": (28, 140, 144), "turquoise": (60, 184, 186), "mint": (164, 218, 200)},
        "blue": {
            "blue": (44, 88, 178),
            "navy": (34, 42, 74),
            "dark blue": (32, 48, 98),
            "light blue": (140, 178, 218),
            "sky blue": (124, 178, 226),
            "royal blue": (40, 72, 190),
        },
        "purple": {
            "purple": (112, 62, 150),
            "lavender": (172, 152, 206),
            "plum": (94, 46, 88),
        },
        "pink": {
            "pink": (232, 146, 176),
            "light pink": (240, 196, 206),
            "hot pink": (222, 58, 130),
            "magenta": (196, 44, 120),
        },
        "brown": {"brown": (104, 70, 48), "dark brown": (68, 48, 38), "rust": (150, 80, 46)},
        "tan": {"tan": (204, 174, 136), "beige": (214, 196, 168), "camel": (182, 142, 94)},
    }
)

_NAMES = [(family, shade) for family, shades in SHADES.items() for shade in shades]


def to_lab(rgb: Floats) -> Floats:
    """CIE L*a*b* (D65) of sRGB colours 0…255, shape (…, 3)."""
    value = np.asarray(rgb, np.float64) / 255
    linear = np.where(value > 0.04045, ((value + 0.055) / 1.055) ** 2.4, value / 12.92)
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = linear @ matrix.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


_ANCHORS = to_lab(np.array([SHADES[family][shade] for family, shade in _NAMES]))


def name_of(rgb: Floats, farthest: float = 18.0) -> str | None:
    """The family of a colour, or None where it lies between families or near none.

    >>> name_of(np.array([30.0, 70.0, 170.0]))
    'blue'
    >>> name_of(np.array([120.0, 100.0, 20.0])) is None
    True

    Args:
        rgb: 0…255, shape (3,).
        farthest: Distance in L*a*b* beyond which nothing is named.
    """
    distances = np.linalg.norm(_ANCHORS - to_lab(rgb), axis=1)
    best: dict[str, float] = {}
    for (family, _), distance in zip(_NAMES, distances.tolist(), strict=True):
        best[family] = min(distance, best.get(family, np.inf))
    (family, nearest), (_, second), *_ = sorted(best.items(), key=lambda pair: pair[1])
    return family if nearest < farthest and second - nearest > 5 else None


def random_rgb(rng: random.Random, family: str, shade: str) -> RGB:
    """A colour that a shop would call so: the shade's, a little lighter, duller or turned."""
    base = SHADES[family][shade]
    mean = sum(base) / 3
    vivid = rng.uniform(0.8, 1.15)
    light = rng.uniform(0.88, 1.12) if family != "black" else rng.uniform(0.7, 1.3)
    shift = [rng.uniform(-7, 7) for _ in base]
    red, green, blue = (
        min(250.0, max(4.0, (mean + (value - mean) * vivid) * light + move))
        for value, move in zip(base, shift, strict=True)
    )
    return red, green, blue


def measure_colour(
    colours: Pixels, mask: Pixels
) -> tuple[tuple[float, float, float], float, str | None]:
    """Main colour of an article, how far around it recolouring reaches, and the colour's name.

    Args:
        colours: RGB, uint8, shape (height, width, 3).
        mask: uint8, shape (height, width), above 127 somewhere.

    Returns:
        RGB 0…255; a distance as `recipes.ocelot_tiny.edits.recolour` measures it; a family, or
        None for an article of several colours, or of one without a clear name.
    """
    inside = colours[mask > 127].astype(np.float32)
    luma_weights = np.array(LUMA, np.float32)
    luma = inside @ luma_weights
    chroma = inside - luma[:, None]
    bins = np.round(np.stack([luma / 24, chroma[:, 0] / 14, chroma[:, 2] / 14], 1)).astype(int)
    places, inverse, counts = np.unique(bins, axis=0, return_inverse=True, return_counts=True)
    # The fullest bin together with those that touch it, so that folds do not split a colour.
    near = (np.abs(places[:, None] - places[None]).max(2) <= 1).astype(np.float32) @ counts
    mode = places[near.argmax()]
    chosen = (np.abs(places - mode).max(1) <= 1)[inverse.ravel()]
    main = inside[chosen].mean(0)
    main_luma = float(main @ luma_weights)
    distance = np.sqrt(0.25 * (luma - main_luma) ** 2 + ((chroma - (main - main_luma)) ** 2).sum(1))
    share = float((distance < CLEAR).mean())
    reach = CLEAR if share > 0.5 else min(110.0, max(CLEAR, float(np.quantile(distance, 0.55))))
    name = name_of(main) if share > 0.6 else None
    if name == "grey" and not 95 < main_luma < 160:
        name = None  # white in poor light, or a faded black
    red, green, blue = main.tolist()
    return (red, green, blue), reach, name
