"""Photographs, albums, networks and batches small enough for tests, made here and now."""

from __future__ import annotations

import csv
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from ocelot.model.geometry import ConvolutionConfig, EvaConfig, Geometry, TextConfig
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network
from ocelot.training.batch import Batch, collate
from ocelot.training.config import DataConfig, GroupsConfig, OptimiserConfig, TrainConfig
from ocelot.training.photographs import Photograph
from ocelot.training.triplets import OPEN, Query, Source, Traits
from ocelot.training.vocabulary import build_tokenizer

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
    """A photograph as an album lists it; an article unless told otherwise."""
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
    return Photograph(**(given | other))


def source() -> Source:
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
    return Source(garments + fruit, [("mug", 0), ("mug", 1), ("phone case", 0), ("kettle", 2)])


def tokenizer(size: int = 900) -> TextTokenizer:
    """Of a few words; all others are spelled."""
    return build_tokenizer(["the same shirt in navy", "phone case with this image theme"], size)


def network(vocabulary: int, *, convolution: bool = False, seed: int = 0) -> Network:
    """A tiny network in training mode: by default with the EVA tower, which has no batch norm."""
    vision = (
        ConvolutionConfig(16, (8, 16), (1, 1))
        if convolution
        else EvaConfig(image_size=16, patch_size=8, width=16, hidden=24, layers=1, head_size=8)
    )
    text = TextConfig(
        vocabulary=vocabulary, width=16, hidden=32, layers=2, heads=2, positions=72,
        token_types=1, first_position=0, pad_id=0, eps=1e-12,
    )  # fmt: skip
    torch.manual_seed(seed)
    return Network(Geometry(vision, text))


def config(**options: Any) -> TrainConfig:
    """Of a run that is fed batches; the options are the optimiser's."""
    given: dict[str, Any] = {"steps": 10, "learning_rate": 1e-2, "warmup": 2, "bf16": False}
    optimiser = OptimiserConfig(**(given | options))
    return TrainConfig("made", 1, None, DataConfig(), GroupsConfig(drawings=1), optimiser)


def batch(words: TextTokenizer, seed: int = 0, pictures: int = 11) -> Batch:
    """Random pictures; queries with text, with a picture, and with both, of various lengths."""
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randn(pictures, 3, 16, 16, generator=generator)
    traits = [Traits(item=rng.randrange(4), kind=rng.randrange(2)) for _ in range(pictures)]
    texts = (None, "the same shirt in navy", "shirt", "phone case with this image theme")
    queries = []
    for number in range(2 * pictures):
        target = rng.randrange(pictures)
        text = rng.choice(texts)
        # The last pictures are nobody's reference: a chunk of them is seen by words alone.
        seen = rng.randrange(pictures - 4) if text is None or number % 3 else None
        wanted = OPEN._replace(item=traits[target].item, kind=traits[target].kind)
        queries.append(Query(seen, text, target, wanted))
    return collate(pixels, traits, queries, words)
