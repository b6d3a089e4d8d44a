"""Small tokenizers, networks, configurations and batches for tests."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ocelot.model.checkpoint import Checkpoint
from ocelot.model.geometry import (
    ConvolutionConfig,
    EvaConfig,
    Geometry,
    MobileConfig,
    TextConfig,
    VisionConfig,
)
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network
from ocelot.training.batch import WILDCARD, Batch, Query, collate
from ocelot.training.config import OptimiserConfig, TrainConfig
from ocelot.training.vocabulary import build_tokenizer

SIZE = 8  # of the pictures of triplets


def tokenizer(size: int = 900) -> TextTokenizer:
    """Of a few words; all others are spelled."""
    return build_tokenizer(["the same shirt in navy", "phone case with this image theme"], size)


EVA = EvaConfig(image_size=16, patch_size=8, width=16, hidden=24, layers=1, head_size=8)
MOBILE = MobileConfig(
    image_size=16, stem=4, widths=(4, 6, 6), depths=(1, 2, 2), kernels=(3, 5, 3),
    strides=(1, 2, 2), expansions=(1, 2, 3), width=16,
)  # fmt: skip


def network(
    vocabulary: int, *, convolution: bool = False, seed: int = 0, vision: VisionConfig = EVA
) -> Network:
    """A tiny network in training mode: by default with the EVA tower, which has no batch norm."""
    if convolution:
        vision = ConvolutionConfig(16, (8, 16), (1, 1))
    text = TextConfig(
        vocabulary=vocabulary, width=16, hidden=32, layers=2, heads=2, positions=80,
        token_types=1, first_position=0, pad_id=0, eps=1e-12,
    )  # fmt: skip
    torch.manual_seed(seed)
    return Network(Geometry(vision, text))


def checkpoint(words: TextTokenizer, name: str = "made", **network_options: Any) -> Checkpoint:
    """Of a tiny network; the options are those of `network`."""
    made = network(words.tokenizer.get_vocab_size(), **network_options)
    state = {key: value.numpy() for key, value in made.state_dict().items()}
    return Checkpoint(name, "", made.geometry, state, words)


def config(**options: Any) -> TrainConfig:
    """Of a run that is fed batches; the options are the optimiser's."""
    given: dict[str, Any] = {"steps": 10, "learning_rate": 1e-2, "warmup": 2, "bf16": False}
    optimiser = OptimiserConfig(**(given | options))
    return TrainConfig(name="made", seed=1, optimiser=optimiser)


def batch(words: TextTokenizer, seed: int = 0, pictures: int = 11) -> Batch:
    """Random pictures; queries with text, with a picture, and with both, of various lengths."""
    rng = random.Random(seed)
    generator = torch.Generator().manual_seed(seed)
    pixels = 120 + 70 * torch.randn(pictures, 3, 16, 16, generator=generator)
    labels = [(rng.randrange(4), rng.randrange(2), number) for number in range(pictures)]
    texts = (None, "the same shirt in navy", "shirt", "phone case with this image theme")
    queries = []
    for number in range(2 * pictures):
        target = rng.randrange(pictures)
        text = rng.choice(texts)
        # The last pictures are nobody's reference: a chunk of them is seen by words alone.
        seen = rng.randrange(pictures - 4) if text is None or number % 3 else None
        queries.append(Query(seen, text, target, (*labels[target][:2], WILDCARD)))
    return collate(pixels, labels, queries, words)


def write_triplets(folder: Path, *entries: Any, pictures: str = "abcdefgh") -> Path:
    """Write a file of triplets beside pictures a.png, b.png, … of different greys."""
    for number, name in enumerate(pictures):
        Image.new("RGB", (SIZE, SIZE), (20 * number,) * 3).save(folder / f"{name}.png")
    file = folder / "triplets.jsonl"
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def triplet(reference: str | None, text: str | None, target: str, *negatives: str) -> Any:
    """A line of `write_triplets`; pictures are letters."""
    names = {"reference": reference and f"{reference}.png", "target": f"{target}.png"}
    return {"text": text, "negatives": [f"{name}.png" for name in negatives], **names}
