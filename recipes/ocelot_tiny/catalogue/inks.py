"""The inks that print a pattern's tile in a colour, and the materials of a product's parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS

RGB = NDArray[np.float32]  # (3,), 0 to 255

WHITE = np.array((252, 251, 248), np.float32)
NIGHT = np.array((26, 19, 17), np.float32)
CHARCOAL = np.array((52, 50, 54), np.float32)


def rgb(red: float, green: float, blue: float) -> RGB:
    """A colour from its three channels, 0 to 255."""
    return np.array((red, green, blue), np.float32)


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """``first`` with ``share`` (0 to 1) of it replaced by ``second``."""
    mixed: RGB = (first + (second - first) * np.float32(share)).astype(np.float32)
    return mixed


def colour_of(name: str) -> RGB:
    """The RGB value of a colour of the vocabulary."""
    return np.array(COLOURS[name], np.float32)


def _coat(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    """Marks, ground within the marks, and pale fur."""
    marks = rgb(158, 156, 160) if colour == "black" else NIGHT
    inner = mix(ground, rgb(150, 78, 22) if colour in ("tan", "orange") else NIGHT, 0.34)
    if colour == "black":
        inner = rgb(66, 64, 68)
    return marks, inner, mix(ground, WHITE, 0.75)


def _zebra(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    return (WHITE if colour == "black" else NIGHT), ground, ground


def _giraffe(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    net = rgb(126, 92, 58) if colour in ("white", "yellow") else rgb(254, 241, 214)
    return net, mix(ground, NIGHT, 0.55), ground


def _snakeskin(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    if colour == "black":
        return rgb(4, 4, 6), rgb(112, 112, 116), rgb(170, 170, 175)
    return mix(ground, NIGHT, 0.75), mix(ground, NIGHT, 0.62), mix(ground, WHITE, 0.75)


def _contrast(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    other = CHARCOAL if colour in ("white", "yellow") else WHITE
    return other, other, other


def _floral(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    petals = rgb(232, 92, 122) if colour == "white" else WHITE
    leaves = rgb(40, 104, 60)
    if colour in ("green", "black", "brown", "blue", "purple"):
        leaves = rgb(158, 212, 130)
    elif colour == "teal":
        leaves = rgb(8, 82, 84)
    return petals, leaves, rgb(214, 112, 30) if colour == "yellow" else rgb(250, 200, 58)


def _marble(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    if colour in ("white", "yellow", "tan", "pink"):
        vein = mix(ground, CHARCOAL, 0.72)
        return vein, mix(ground, vein, 0.35), ground
    return mix(ground, WHITE, 0.9), mix(ground, WHITE, 0.5), ground


def _camouflage(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    if colour == "white":
        return rgb(206, 208, 210), rgb(166, 170, 175), rgb(112, 116, 122)
    if colour == "black":
        return rgb(76, 77, 80), rgb(132, 133, 136), rgb(8, 8, 10)
    return mix(ground, NIGHT, 0.42), mix(ground, rgb(240, 228, 200), 0.55), mix(ground, NIGHT, 0.8)


def _wood(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    if colour == "white":
        return rgb(176, 166, 152), rgb(226, 219, 208), rgb(128, 118, 106)
    if colour == "black":
        return rgb(104, 101, 100), rgb(52, 51, 53), rgb(4, 4, 4)
    return mix(ground, NIGHT, 0.62), mix(ground, NIGHT, 0.22), mix(ground, NIGHT, 0.85)


def _galaxy(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    if colour == "white":
        return rgb(160, 164, 182), rgb(255, 255, 255), rgb(66, 70, 110)
    if colour == "black":
        return rgb(4, 4, 10), rgb(104, 100, 122), rgb(255, 255, 255)
    return mix(ground, rgb(14, 6, 40), 0.82), mix(ground, WHITE, 0.62), rgb(255, 255, 250)


def _waves(colour: str, ground: RGB) -> tuple[RGB, RGB, RGB]:
    if colour == "white":
        return rgb(172, 182, 192), rgb(96, 108, 122), ground
    if colour == "black":
        return rgb(222, 222, 224), rgb(122, 122, 128), ground
    return mix(ground, WHITE, 0.80), mix(ground, NIGHT, 0.45), ground


_MIXERS: Mapping[str, Callable[[str, RGB], tuple[RGB, RGB, RGB]]] = {
    "leopard": _coat,
    "tiger": _coat,
    "zebra": _zebra,
    "giraffe": _giraffe,
    "snakeskin": _snakeskin,
    "stripes": _contrast,
    "dots": _contrast,
    "checks": _contrast,
    "plain": _contrast,
    "floral": _floral,
    "marble": _marble,
    "camouflage": _camouflage,
    "wood": _wood,
    "galaxy": _galaxy,
    "waves": _waves,
}


@cache
def inks(pattern: str, colour: str) -> tuple[RGB, RGB, RGB, RGB]:
    """Ground and the three inks of ``pattern`` in ``colour``, in order of printing."""
    ground = colour_of(colour)
    return (ground, *_MIXERS[pattern](colour, ground))


@cache
def material(role: str, colour: str) -> RGB:
    """What a part of ``role`` other than "surface" is made of, on a product of ``colour``."""
    ground = colour_of(colour)
    if role == "accent":
        if colour == "black":
            return rgb(70, 70, 76)
        return mix(ground, NIGHT, 0.18 if colour == "white" else 0.30)
    if role == "fur":  # the pale fur of muzzle and chest
        return rgb(150, 149, 152) if colour == "black" else mix(ground, rgb(255, 250, 240), 0.78)
    if role == "ear":
        return rgb(96, 84, 88) if colour == "black" else mix(ground, rgb(92, 58, 50), 0.72)
    if role == "pale":
        return rgb(120, 120, 126) if colour == "black" else mix(ground, WHITE, 0.55)
    if role == "dark":
        return rgb(74, 75, 82) if colour == "black" else rgb(44, 45, 50)
    fixed = {
        "surface": ground,
        "metal": rgb(196, 199, 204),
        "light": rgb(240, 240, 237),
        "glass": rgb(186, 206, 214),
        "screen": rgb(34, 42, 58),
        "lens": rgb(22, 24, 34),
        "glow": rgb(120, 226, 255),
        "timber": rgb(178, 122, 72),
        "amber": rgb(232, 176, 52),
        "nose": rgb(158, 84, 80),
        "ink": rgb(24, 19, 18),
    }
    return fixed[role]
