"""Small photographs and subjects for tests."""

from __future__ import annotations

import csv
import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ocelot.training.config import OptimiserConfig
from recipes.ocelot_tiny.batch_plan import Subjects
from recipes.ocelot_tiny.config import GroupsConfig, RecipeConfig
from recipes.ocelot_tiny.photographs import Photograph

RGB = tuple[int, int, int]
Bools = np.ndarray[Any, np.dtype[np.bool_]]

RED, BLUE, GREEN, WHITE, BLACK = (
    (192, 34, 42), (44, 88, 178), (52, 132, 72), (236, 236, 234), (34, 34, 37),
)  # fmt: skip

# A shirt with sleeves, a long dress, in 0…1 of the picture.
OUTLINES: Mapping[str, Sequence[tuple[float, float]]] = {
    "t-shirt": (
        (0.36, 0.14), (0.64, 0.14), (0.88, 0.30), (0.80, 0.46), (0.70, 0.40),
        (0.70, 0.86), (0.30, 0.86), (0.30, 0.40), (0.20, 0.46), (0.12, 0.30),
    ),
    "dress": ((0.38, 0.10), (0.62, 0.10), (0.60, 0.40), (0.80, 0.90), (0.20, 0.90), (0.40, 0.40)),
}  # fmt: skip


def garment(
    colour: RGB,
    kind: str = "t-shirt",
    *,
    lettering: RGB | None = None,
    stripes: RGB | None = None,
    seed: int = 0,
    size: tuple[int, int] = (144, 144),
) -> tuple[Image.Image, Bools]:
    """A garment with folds before a woven background, and where it is."""
    width, height = size
    outline = [(x * width, y * height) for x, y in OUTLINES[kind]]
    stencil = Image.new("L", size)
    ImageDraw.Draw(stencil).polygon(outline, fill=255)
    mask = np.asarray(stencil) > 127
    cloth = Image.new("RGB", size, colour)
    pen = ImageDraw.Draw(cloth)
    if stripes:
        for top in range(0, height, 16):
            pen.rectangle((0, top, width, top + 7), fill=stripes)
    if lettering:
        pen.text((0.36 * width, 0.42 * height), "OCELOT", fill=lettering, font_size=height // 12)
    x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    folds = 1 + 0.08 * np.sin(18 * x + 3 * y)
    weave = 9 * np.sin(0.9 * np.arange(width)) + 9 * np.sin(1.3 * np.arange(height))[:, None]
    noise = np.random.default_rng(seed).normal(0, 4, (height, width, 1))
    behind = np.array([150, 142, 128]) + weave[:, :, None] + noise
    pixels = np.where(mask[:, :, None], np.asarray(cloth) * folds[:, :, None], behind)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), mask


def grocery(seed: int) -> Image.Image:
    """Fruit in a heap: a photograph that is used whole, wider than high."""
    rng = random.Random(seed)
    picture = Image.new("RGB", (180, 120), (90 + 10 * seed % 60, 110, 60))
    pen = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y, r = rng.randrange(180), rng.randrange(120), rng.randrange(9, 16)
        fill = (rng.randrange(120, 250), rng.randrange(60, 220), rng.randrange(20, 90))
        pen.ellipse((x - r, y - r, x + r, y + r), fill=fill)
    return picture


def write_photographs(folder: Path) -> None:
    """Eleven garments of two kinds and five pictures of fruit, with their metadata."""
    (folder / "clothing").mkdir(parents=True)
    (folder / "grocery").mkdir()
    rows = []
    for number, colour in enumerate((RED, BLUE, GREEN, WHITE, BLACK, RED)):
        for kind in ("t-shirt", "dress"):
            if kind == "dress" and number == 5:
                continue
            name = f"clothing/{kind}-{number}.png"
            lettering = WHITE if number in (0, 4) else None
            stripes = WHITE if number == 5 else None
            seed = 2 * number + (kind == "dress")
            image, _ = garment(colour, kind, lettering=lettering, stripes=stripes, seed=seed)
            image.save(folder / name)
            rows.append((name, kind.title(), kind))
    for number in range(5):
        name = f"grocery/{number}.png"
        grocery(number).save(folder / name)
        rows.append((name, "Pear" if number < 3 else "Soy-Milk", f"sort {number}"))
    write_metadata(folder, rows)


def write_metadata(folder: Path, rows: Sequence[tuple[str, str, str]]) -> None:
    """`metadata.csv` of rows: file name, category, text."""
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("file_name", "category", "text"))
        writer.writerows(rows)


def photograph(number: int, kind: str, colour: str | None = None, **other: Any) -> Photograph:
    """A photograph as a photo set lists it; by default an article."""
    given: dict[str, Any] = {
        "file_name": f"{number}.jpg",
        "kind": kind,
        "sort": kind,
        "box": (0.0, 0.0, 1.0, 1.0),
        "article": True,
        "object_box": (0.2, 0.2, 0.8, 0.8),
        "main": (120.0, 20.0, 20.0),
        "reach": 40.0,
        "colour": colour,
    }
    given |= other
    return Photograph(**({"recolourable": given["article"]} | given))


def write_table(folder: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """A table of pictures, each a coloured ellipse before white, as a shop has them."""
    (folder / "images").mkdir(parents=True)
    columns = ("file_name", "title", "kind", "colour", "keywords", "design", "split")
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, restval="")
        writer.writeheader()
        for number, row in enumerate(rows):
            name = f"images/{number}.png"
            picture = Image.new("RGB", (160, 160), "white")
            box = (30 - number % 3 * 5, 40, 130, 120 + number % 5 * 5)
            colours = {"red": RED, "blue": BLUE, "green": GREEN}
            fill = colours.get(row.get("colour", ""), (28, 140, 144))
            ImageDraw.Draw(picture).ellipse(box, fill=fill)
            picture.save(folder / name)
            writer.writerow({"file_name": name, **row})


def tables(root: Path) -> list[Path]:
    """A shop with two designs in three colours and printed phone cases; named things; surfaces."""
    shop = [
        {"title": f"Acme {kind[:-1]} model {kind}, {colour}", "kind": kind, "colour": colour,
         "keywords": "gift; new", "design": kind, "split": "train"}
        for kind in ("Tshirts", "Handbags")
        for colour in ("red", "blue", "green")
    ]  # fmt: skip
    shop += [
        {"title": f"Solimo designer {theme} 3d printed hard back case mobile cover",
         "colour": "tan", "kind": "cellular phone case", "split": "train"}
        for theme in ("panda pattern", "dark night", "dark night")
    ]  # fmt: skip
    shop += [
        {"title": f"Acme wallet {colour}", "kind": "wallet", "colour": colour, "split": split}
        for colour in ("red", "blue")
        for split in ("train", "held-out")
    ]
    things = [{"title": name, "kind": "Animals", "keywords": f"{name}, animal"} for name in THINGS]
    surfaces = [{"title": "brown wood texture", "kind": "wood", "colour": "brown"}] * 2
    for name, rows in (("shop", shop), ("things", things), ("surfaces", surfaces)):
        write_table(root / name, rows)
    return [root / name for name in ("shop", "things", "surfaces")]


def two_shops(root: Path) -> Path:
    """The shop as `fashion` and as `abo`."""
    shop, *_ = tables(root)
    for name in ("fashion", "abo"):
        shutil.copytree(shop, root / name)
    return root


THINGS = ("panda", "owl", "star")


def subjects() -> Subjects:
    """Garments, with and without a clear colour, fruit of several sorts, and empty products."""
    colours = ("red", "blue", None, "white", "grey")
    garments = [
        photograph(number, kind, colours[number % 5])
        for number, kind in enumerate(["t-shirt"] * 9 + ["dress"] * 6 + ["hat"])
    ]
    fruit = [
        photograph(16 + n, kind, article=False, sort=f"{kind} {n % 3}")
        for n, kind in enumerate(["pear"] * 5 + ["soy-milk"] * 2)
    ]
    return Subjects(garments + fruit, [("mug", 0), ("mug", 1), ("phone case", 0), ("kettle", 2)])


def config(**sections: Any) -> RecipeConfig:
    """Of a leg with drawings, unless sections say otherwise."""
    given = {"groups": GroupsConfig(drawings=8), "optimiser": OptimiserConfig(steps=1)}
    return RecipeConfig(name="made", **(given | sections))
