"""Weights, geometry and tokenizer of a checkpoint, from the published files or from Ocelot's own.

Two formats are read:

* the published `.pth` (keys `bge_encoder.*`, `bge_embeddings.*`, `model_visual.visual.*`,
  `visual_proj.*`), whose geometry is read from the shapes and from the text model's
  `config.json`;
* a folder of Ocelot's own: `model.safetensors`, `config.json`, `tokenizer.json`.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

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
    "FORMAT",
    "Checkpoint",
    "build",
    "from_published",
    "geometry_from_dict",
    "geometry_to_dict",
    "read_folder",
    "read_published",
    "sha256",
    "write_folder",
]

FORMAT = "ocelot-visualized-bge/1"
_VISION = "model_visual.visual."


@dataclass(frozen=True)
class Checkpoint:
    """All that makes an encoder.

    Attributes:
        name: Shown to people and stored with collections.
        fingerprint: SHA-256 over weights, geometry and tokenizer.
        state: Weights by the names of `Network`.
    """

    name: str
    fingerprint: str
    geometry: Geometry
    state: Mapping[str, Tensor]
    tokenizer: TextTokenizer


def build(checkpoint: Checkpoint, dtype: torch.dtype = torch.float32) -> Network:
    """The network with the checkpoint's weights as `dtype`, on the CPU, ready for inference.

    Raises:
        CheckpointError: Weights are missing, superfluous or of other shapes.
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


# --- the published format ---------------------------------------------------------------------


def read_published(weights: Path) -> dict[str, Tensor]:
    """The tensors of a published `.pth`, read without executing anything in it.

    Raises:
        CheckpointError: The file is missing, not a checkpoint, or not of this network.
    """
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True, mmap=is_zipfile(weights))
    except FileNotFoundError:
        raise CheckpointError(f"There is no weights file {weights}.") from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"Cannot read {weights} as weights ({type(error).__name__}): it is damaged or not a "
            "PyTorch checkpoint. Fetch it again."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{weights} holds no table of tensors: it is not a checkpoint.")
    if "visual_proj.weight" not in state:
        raise CheckpointError(
            f"{weights} is not a Visualized BGE checkpoint: it has no visual_proj.weight."
        )
    return state


def from_published(
    state: Mapping[str, Tensor], text_config: Mapping[str, Any]
) -> tuple[Geometry, dict[str, Tensor]]:
    """Geometry of a published checkpoint, and its weights by the names of `Network`.

    Args:
        state: As in the `.pth`.
        text_config: The text model's `config.json`.

    Raises:
        CheckpointError: A tensor or a setting that is needed is missing.
    """
    try:
        geometry = _published_geometry(state, text_config)
        renamed = _rename(state, geometry)
    except KeyError as error:
        raise CheckpointError(
            f"The checkpoint or its text model's config.json lacks {error.args[0]!r}: "
            "they are not those of a Visualized BGE model."
        ) from None
    except TypeError as error:
        raise CheckpointError(f"The text model's config.json cannot be used: {error}.") from None
    return geometry, renamed


def _published_geometry(state: Mapping[str, Tensor], text: Mapping[str, Any]) -> Geometry:
    width, _, patch, _ = state[_VISION + "patch_embed.proj.weight"].shape
    tokens = state[_VISION + "pos_embed"].shape[1] - 1
    vision = EvaConfig(
        image_size=round(tokens**0.5) * patch,
        patch_size=patch,
        width=width,
        hidden=state[_VISION + "blocks.0.mlp.w1.weight"].shape[0],
        layers=_count(state, r"model_visual\.visual\.blocks\.(\d+)\."),
        head_size=state[_VISION + "rope.freqs_cos"].shape[1],
    )
    words = state["bge_embeddings.word_embeddings.weight"]
    if text["vocab_size"] != words.shape[0]:
        raise CheckpointError(
            f"The text model has {text['vocab_size']:,} words and the weights have "
            f"{words.shape[0]:,}: they do not belong together."
        )
    roberta = text["model_type"] == "xlm-roberta"
    if not roberta and text["model_type"] != "bert":
        raise CheckpointError(
            f"The text model must be BERT or XLM-RoBERTa, was: {text['model_type']!r}."
        )
    return Geometry(
        vision,
        TextConfig(
            vocabulary=words.shape[0],
            width=words.shape[1],
            hidden=state["bge_encoder.layer.0.intermediate.dense.weight"].shape[0],
            layers=_count(state, r"bge_encoder\.layer\.(\d+)\."),
            heads=text["num_attention_heads"],
            positions=state["bge_embeddings.position_embeddings.weight"].shape[0],
            token_types=state["bge_embeddings.token_type_embeddings.weight"].shape[0],
            first_position=text["pad_token_id"] + 1 if roberta else 0,
            pad_id=text["pad_token_id"],
            eps=text["layer_norm_eps"],
        ),
    )


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    numbers = [int(found[1]) for key in state if (found := re.match(pattern, key))]
    if not numbers:
        raise KeyError(pattern.replace("\\", ""))
    return 1 + max(numbers)


def _rename(old: Mapping[str, Tensor], geometry: Geometry) -> dict[str, Tensor]:
    new = {
        "projection.weight": old["visual_proj.weight"],
        "projection.bias": old["visual_proj.bias"],
        "vision.cls": old[_VISION + "cls_token"].flatten(),
        "vision.positions": old[_VISION + "pos_embed"][0],
        "vision.cos": old[_VISION + "rope.freqs_cos"],
        "vision.sin": old[_VISION + "rope.freqs_sin"],
    }

    def copy(target: str, source: str, parts: tuple[str, ...] = ("weight", "bias")) -> None:
        for part in parts:
            new[f"{target}.{part}"] = old[f"{source}.{part}"]

    copy("vision.patches", _VISION + "patch_embed.proj")
    assert isinstance(geometry.vision, EvaConfig)
    for number in range(geometry.vision.layers):
        there, here = f"{_VISION}blocks.{number}.", f"vision.blocks.{number}."
        new[here + "attention.qkv.weight"] = torch.cat(
            [old[f"{there}attn.{part}_proj.weight"] for part in "qkv"]
        )
        new[here + "attention.q_bias"] = old[there + "attn.q_bias"]
        new[here + "attention.v_bias"] = old[there + "attn.v_bias"]
        copy(here + "attention.norm", there + "attn.inner_attn_ln")
        copy(here + "attention.proj", there + "attn.proj")
        for mine, theirs in (("gate", "w1"), ("value", "w2"), ("norm", "ffn_ln"), ("out", "w3")):
            copy(f"{here}mlp.{mine}", f"{there}mlp.{theirs}")
        copy(here + "norm1", there + "norm1")
        copy(here + "norm2", there + "norm2")
    for mine, theirs in (("words", "word"), ("positions", "position"), ("types", "token_type")):
        copy(f"embeddings.{mine}", f"bge_embeddings.{theirs}_embeddings", ("weight",))
    copy("embeddings.norm", "bge_embeddings.LayerNorm")
    for number in range(geometry.text.layers):
        there, here = f"bge_encoder.layer.{number}.", f"encoder.layers.{number}."
        for part in ("weight", "bias"):
            new[f"{here}qkv.{part}"] = torch.cat(
                [old[f"{there}attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            )
        copy(here + "attention_out", there + "attention.output.dense")
        copy(here + "attention_norm", there + "attention.output.LayerNorm")
        copy(here + "hidden", there + "intermediate.dense")
        copy(here + "out", there + "output.dense")
        copy(here + "norm", there + "output.LayerNorm")
    return new


# --- Ocelot's own format ----------------------------------------------------------------------


def geometry_to_dict(geometry: Geometry) -> dict[str, Any]:
    """As it stands in `config.json`."""
    kind = "eva02" if isinstance(geometry.vision, EvaConfig) else "convolution"
    return {"vision": {"kind": kind} | asdict(geometry.vision), "text": asdict(geometry.text)}


def geometry_from_dict(config: Mapping[str, Any]) -> Geometry:
    """The inverse of `geometry_to_dict`.

    Raises:
        CheckpointError: Something is missing, unknown or of the wrong kind.
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
    """Read a checkpoint in Ocelot's own format.

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
    fingerprint = sha256(weights, config_file, folder / "tokenizer.json")
    return Checkpoint(
        str(config.get("name", folder.name)),
        fingerprint,
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
    """Write a network in Ocelot's own format, its floating weights as `dtype`."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        key: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for key, value in network.state_dict().items()
    }
    save_file(state, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)  # safetensors leaves it to the owner alone
    config = {"format": FORMAT, "name": name} | geometry_to_dict(network.geometry)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer.tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def sha256(*files: Path) -> str:
    """One SHA-256 over the contents of those files that exist, in order; 64 hex digits."""
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            with open(file, "rb") as stream:
                while block := stream.read(2**20):
                    total.update(block)
    return total.hexdigest()
