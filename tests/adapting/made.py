"""A drawn shop with metadata, and a small encoder that knows nothing."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from ocelot.model.checkpoint import write_folder
from ocelot.model.geometry import ConvolutionConfig, Geometry, TextConfig
from ocelot.model.knowledge import write_words
from ocelot.model.visualized_bge import Network
from ocelot.training.vocabulary import build_tokenizer

COLOURS = {"red": "#d02020", "green": "#20b040", "blue": "#2040d0", "black": "#101010"}
KINDS = ("mugs", "lamps", "bags")
MODELS = [
    "alpha",
    "bravo",
    "delta",
    "echo",
    "golf",
    "hotel",
    "india",
    "juliet",
    "kilo",
    "lima",
    "mike",
    "oscar",
    "papa",
    "romeo",
]

Line = dict[str, str]


def write_shop(folder: Path, models: int = 14) -> list[Line]:
    """Write pictures and metadata.csv: each model of each kind in each colour."""
    folder.mkdir(parents=True)
    lines = []
    for kind_number, kind in enumerate(KINDS):
        for number, model in enumerate(MODELS[:models]):
            for colour, ink in COLOURS.items():
                image = Image.new("RGB", (24, 24), "white")
                draw = ImageDraw.Draw(image)
                shapes = (draw.rectangle, draw.ellipse, draw.rounded_rectangle)
                shapes[kind_number]((3, 3 + number % 4, 20, 20), fill=ink)
                draw.line((5, number + 4, 18, number + 4), "yellow", 1 + number % 3)
                name = f"{kind}-{model}-{colour}.png"
                image.save(folder / name)
                title = f"{model.title()} {colour} {kind}"
                lines.append({"file_name": name, "title": title, "colour": colour, "kind": kind})
    write_metadata(folder, lines)
    return lines


def write_metadata(folder: Path, lines: list[Line]) -> None:
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def useless(lines: list[Line]) -> list[Line]:
    """The same pictures with random titles and one colour; a third is held out."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghij", k=6)) for _ in range(300)]
    return [
        {
            "file_name": line["file_name"],
            "title": " ".join(rng.sample(words, 4)),
            "colour": "red",
            "split": "train" if number % 3 else "test",
        }
        for number, line in enumerate(lines)
    ]


def write_encoder(folder: Path) -> Path:
    """Write a tiny network with random weights, which says that it has seen four words."""
    tokenizer = build_tokenizer(["same item in red"], 300)
    text = TextConfig(
        vocabulary=tokenizer.tokenizer.get_vocab_size(), width=32, hidden=64, layers=2, heads=2,
        positions=80, token_types=1, first_position=0, pad_id=0, eps=1e-12,
    )  # fmt: skip
    torch.manual_seed(0)
    network = Network(Geometry(ConvolutionConfig(16, (8, 32), (1, 1)), text, 0.5))
    write_folder(folder, "micro", network, tokenizer)
    write_words(folder, ["same item in red"])
    return folder
