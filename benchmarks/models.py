"""Checkpoints by name: the published models' geometry with random weights, as fast as those."""

from __future__ import annotations

from pathlib import Path

import torch

from ocelot.encoders.weights import load_checkpoint
from ocelot.model.checkpoint import Checkpoint, write_like
from ocelot.model.geometry import EvaConfig, Geometry, TextConfig
from ocelot.model.visualized_bge import Network, build

__all__ = ["checkpoint_folder", "named_checkpoint", "random_checkpoint"]

BASE = Geometry(
    EvaConfig(image_size=224, patch_size=16, width=768, hidden=2048, layers=12, head_size=64),
    TextConfig(
        vocabulary=30_522, width=768, hidden=3072, layers=12, heads=12, positions=512,
        token_types=2, first_position=0, pad_id=0, eps=1e-12,
    ),
)  # fmt: skip
M3 = Geometry(
    EvaConfig(image_size=224, patch_size=14, width=1024, hidden=2730, layers=24, head_size=64),
    TextConfig(
        vocabulary=250_002, width=1024, hidden=4096, layers=24, heads=16, positions=8194,
        token_types=1, first_position=2, pad_id=1, eps=1e-5,
    ),
)  # fmt: skip
PUBLISHED = {"base": BASE, "m3": M3}


def random_checkpoint(geometry: Geometry = BASE, seed: int = 0) -> Checkpoint:
    """Return a checkpoint of a geometry with random weights.

    The tokenizer is the bundled encoder's, whose ids are below the geometry's vocabulary size.
    Weights are initialised as for training, so that activations have a realistic size.
    """
    torch.manual_seed(seed)
    network = Network(geometry)
    return Checkpoint(
        name=f"random-{geometry.dimension}",
        fingerprint=f"random-{geometry.dimension}-{seed}",
        geometry=geometry,
        state={name: value.numpy() for name, value in network.state_dict().items()},
        tokenizer=load_checkpoint("ocelot-tiny").tokenizer,
    )


def named_checkpoint(name: str) -> Checkpoint:
    """Return "base" or "m3" with random weights, the bundled "tiny", or another encoder."""
    if name in PUBLISHED:
        return random_checkpoint(PUBLISHED[name])
    return load_checkpoint("ocelot-tiny" if name == "tiny" else name)


def checkpoint_folder(name: str, into: Path) -> str:
    """Write the random checkpoint "base" or "m3" to a folder; other names are returned as given."""
    if name not in PUBLISHED:
        return name
    made = named_checkpoint(name)
    return str(write_like(into / name, build(made), made))
