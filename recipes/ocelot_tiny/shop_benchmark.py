"""Measures on held-out product photographs: colours, kinds, titles and themes.

Galleries are all held-out pictures of a table; a picture that is a query is left out of its answer.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ocelot.encoders.base import Encoder
from ocelot.errors import ConfigurationError
from recipes.ocelot_tiny.catalogue.render import render_theme
from recipes.ocelot_tiny.listings import Listing
from recipes.ocelot_tiny.searches import (
    Floats,
    Search,
    colour_search,
    encode_files,
    held_out_shops,
    kind_search,
    title_search,
)

__all__ = ["THEME_TEXTS", "Measure", "measures", "themes"]

THEME_TEXTS = (
    "phone case with this image theme",
    "a phone case with this on it",
    "mobile cover with this theme",
)
_TUTORIAL = "515DzQVKKwL"  # the picture that GPT-4o chose in the Milvus tutorial, for its leopard
_TUTORIAL_TEXTS = (
    "phone case with this image theme",
    "phone case with this theme",
    "mobile cover printed with this",
    "a phone case that looks like this",
    "phone cover with this picture",
)


@dataclass(frozen=True)
class Measure:
    """One figure: what was asked of how many queries, over how many pictures."""

    task: str
    figure: str
    value: float
    queries: int
    gallery: int


def measures(encoder: Encoder, root: Path, tutorial: Path | None) -> Iterable[Measure]:
    """Measure an encoder on the tables `abo` and `fashion`, and on themes.

    Args:
        root: Has the tables.
        tutorial: Folder with the tutorial's `images/` and `leopard.jpg`; None leaves themes out.
    """
    shops = held_out_shops(encoder, root)
    for name, (shop, gallery) in shops.items():
        yield from _measures(colour_search(encoder, shop, gallery), name, "R@1", "R@5")
        yield from _measures(kind_search(encoder, shop, gallery, 10), name, "P@10")
    everything = [one for shop, _ in shops.values() for one in shop]
    shown = np.concatenate([gallery for _, gallery in shops.values()])
    yield from _measures(title_search(encoder, everything, shown), "both", "R@10")
    if tutorial is not None:
        yield from themes(encoder, root, tutorial, *shops["abo"])


def _measures(search: Search, shop: str, *names: str) -> Iterable[Measure]:
    figures, sizes = search.figures(), (len(search.asked), len(search.gallery))
    for name in names:
        yield Measure(f"{shop}: {search.name}", name, figures[name], *sizes)


def themes(
    encoder: Encoder, root: Path, tutorial: Path, shop: Sequence[Listing], shown: Floats
) -> Iterable[Measure]:
    """Measure phone cases with the theme of a picture, among two shops; see `themes.csv`."""
    files = sorted((tutorial / "images").glob("*.jpg"))
    names = [f"{one.source}/{one.file_name}" for one in shop]
    names += [f"amazon/{file.name}" for file in files]
    gallery = np.concatenate([shown, encode_files(encoder, files)])
    with open(Path(__file__).parent / "themes.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    cases = _among(names, rows[0]["relevant"])
    right, right_of_cases, share = [], [], []
    for row in rows[1:]:
        scores = (
            encoder.encode(
                [(_picture(row["picture"], root, tutorial), text) for text in THEME_TEXTS]
            )
            @ gallery.T
        )
        own = [n for n, name in enumerate(names) if name == row["picture"]]
        scores[:, own] = -np.inf
        relevant = _among(names, row["relevant"])
        order = np.argsort(-scores, axis=1)
        right.append(relevant[order[:, :3]].mean())
        share.append(cases[order[:, :9]].mean())
        only = np.argsort(-np.where(cases, scores, -np.inf), axis=1)[:, :3]
        right_of_cases.append(relevant[only].mean())
    count = len(right) * len(THEME_TEXTS)
    for figure, values in (
        ("P@3 among phone cases", right_of_cases),
        ("P@3", right),
        ("phone cases in the first 9", share),
    ):
        size = int(cases.sum()) if "among" in figure else len(names)
        yield Measure("phone case with this theme", figure, float(np.mean(values)), count, size)
    scores = encoder.encode([(tutorial / "leopard.jpg", text) for text in _TUTORIAL_TEXTS])
    scores = scores @ gallery[len(shop) :].T
    ranks = (scores > scores[:, [_place(files)]]).sum(axis=1)
    for text, rank in zip(_TUTORIAL_TEXTS, ranks, strict=True):
        yield Measure(
            f"leopard.jpg, {text}", f"rank of {_TUTORIAL}", float(rank + 1), 1, len(files)
        )


def _place(files: Sequence[Path]) -> int:
    for number, file in enumerate(files):
        if file.name.startswith(_TUTORIAL):
            return number
    raise ConfigurationError(f"--tutorial: there is no picture {_TUTORIAL} in its images/.")


def _among(names: Sequence[str], relevant: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    wanted = set(relevant.split())
    return np.array([name in wanted for name in names])


def _picture(name: str, root: Path, tutorial: Path) -> Path | Image.Image:
    source, _, rest = name.partition("/")
    if source == "amazon":
        return tutorial / ("images" if rest != "leopard.jpg" else "") / rest
    if source != "drawn":
        return root / name
    if rest == "flag":
        return _flag()
    pattern, colour = rest.split()
    return render_theme(pattern, colour, 987_654_321, 256)


def _flag() -> Image.Image:
    """Stars and stripes, roughly."""
    image = Image.new("RGB", (380, 200), "white")
    draw = ImageDraw.Draw(image)
    for stripe in range(0, 13, 2):
        draw.rectangle((0, stripe * 200 / 13, 380, (stripe + 1) * 200 / 13), "#b22234")
    draw.rectangle((0, 0, 152, 7 * 200 / 13), "#3c3b6e")
    for row in range(9):
        for column in range(6 - row % 2):
            x, y = 13 + column * 25 + row % 2 * 12, 10 + row * 11
            draw.ellipse((x - 3, y - 3, x + 3, y + 3), "white")
    return image
