"""A checkpoint: weights, geometry and tokenizer; and the folder that Ocelot keeps one in.

A folder holds `model.safetensors`, `config.json` and `tokenizer.json`. For the format of the
published models see `ocelot.model.published`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ocelot.errors import CheckpointError
from ocelot.model.convolution import ConvolutionConfig
from ocelot.model.text import TextConfig
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.vision import EvaConfig
from ocelot.model.visualized_bge import Geometry, Network

__all__ = [
    "FORMAT", "Checkpoint", "build", "geometry_from_dict", "geometry_to_dict", "read_folder",
    "sha256_of", "write_folder",
]  # fmt: skip

FORMAT = "ocelot-visualized-bge/1"


@dataclass(frozen=True)
class Checkpoint:
    """Everything that makes an encoder.

    Attributes:
        name: Shown to people and stored with collections.
        fingerprint: SHA-256 over weights, geometry and tokenizer.
        state: Weights by their names in `Network`.
    """

    name: str
    fingerprint: str
    geometry: Geometry
    state: Mapping[str, Tensor]
    tokenizer: TextTokenizer


def build(checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> Network:
    """Build the network with the checkpoint's weights as `dtype`, on the CPU, in eval mode.

    Raises:
        CheckpointError: Weights are missing, unexpected or of other shapes.
    """
    state = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in checkpoint.state.items()
    }
    try:
        with torch.device("meta"):
            network = Network(checkpoint.geometry)
        network.load_state_dict(state, assign=True)
    except (RuntimeError, TypeError, ValueError) as error:
        cause = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"The weights of {checkpoint.name} do not fit its geometry: {cause}. "
            "Check that weights and text model belong together."
        ) from error
    return network.eval()


def geometry_to_dict(geometry: Geometry) -> dict[str, Any]:
    """Return the geometry as `config.json` holds it."""
    kind = "eva02" if isinstance(geometry.vision, EvaConfig) else "convolution"
    return {"vision": {"kind": kind} | asdict(geometry.vision), "text": asdict(geometry.text)}


def geometry_from_dict(config: Mapping[str, Any]) -> Geometry:
    """Return the geometry that `geometry_to_dict` described.

    Raises:
        CheckpointError: A key is missing or unknown, or a value has the wrong type.
    """
    try:
        vision = dict(config["vision"])
        kind = vision.pop("kind")
        text = TextConfig(**config["text"])
        if kind == "eva02":
            return Geometry(EvaConfig(**vision), text)
        if kind == "convolution":
            vision |= {name: tuple(vision[name]) for name in ("widths", "depths")}
            return Geometry(ConvolutionConfig(**vision), text)
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"The config does not describe a network: {error}.") from None
    raise CheckpointError(f"The vision tower must be eva02 or convolution, was: {kind!r}.")


def read_folder(folder: Path) -> Checkpoint:
    """Read a checkpoint from a folder in Ocelot's format.

    Raises:
        CheckpointError: A file is missing, damaged or of another format.
    """
    weights, config_file = folder / "model.safetensors", folder / "config.json"
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
        if not isinstance(config, dict) or config.get("format") != FORMAT:
            raise CheckpointError(
                f"{config_file} is not that of an Ocelot checkpoint: its format must be {FORMAT!r}."
            )
        state = load_file(weights)
    except OSError as error:
        raise CheckpointError(
            f"Cannot read the checkpoint {folder}: {error.strerror or error} "
            f"({Path(error.filename or weights).name})."
        ) from None
    except (ValueError, SafetensorError) as error:
        raise CheckpointError(f"The checkpoint {folder} is damaged: {error}.") from error
    return Checkpoint(
        str(config.get("name", folder.name)),
        sha256_of(weights, config_file, folder / "tokenizer.json"),
        geometry_from_dict(config),
        state,
        TextTokenizer.load(folder),
    )


def write_folder(
    folder: Path,
    name: str,
    network: Network,
    tokenizer: TextTokenizer,
    *,
    dtype: torch.dtype = torch.float16,
) -> Path:
    """Write a network in Ocelot's format, its floating-point weights as `dtype`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        key: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in network.state_dict().items()
    }
    save_file(state, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)  # safetensors makes it readable by its owner only
    config = {"format": FORMAT, "name": name} | geometry_to_dict(network.geometry)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer.tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def sha256_of(*files: Path) -> str:
    """Return one SHA-256 over the contents of the files that exist, in order; 64 hex digits."""
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            with open(file, "rb") as stream:
                while block := stream.read(2**20):
                    total.update(block)
    return total.hexdigest()
