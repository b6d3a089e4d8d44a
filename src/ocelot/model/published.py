"""The published format of Visualized BGE: a `.pth`, and the text model's config and tokenizer.

The geometry comes from the shapes of the tensors (`bge_encoder.*`, `bge_embeddings.*`,
`model_visual.visual.*`, `visual_proj.*`) and from the text model's `config.json`.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import is_zipfile

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ocelot.errors import CheckpointError, requires_extra
from ocelot.files import atomic_path
from ocelot.images.decode import hash_bytes
from ocelot.model.checkpoint import FORMAT, Array, Checkpoint, sha256_of
from ocelot.model.geometry import EvaConfig, Geometry, TextConfig
from ocelot.model.tokenizer import TextTokenizer

__all__ = ["read_published"]

_VISION = "model_visual.visual."

# Modules with a weight and a bias: the name in `Network`, and the published one.
_TOWERS = {
    "projection": "visual_proj",
    "vision.patches": _VISION + "patch_embed.proj",
    "embeddings.norm": "bge_embeddings.LayerNorm",
}
_VISION_BLOCK = {
    "attention.norm": "attn.inner_attn_ln", "attention.proj": "attn.proj",
    "mlp.gate": "mlp.w1", "mlp.value": "mlp.w2", "mlp.norm": "mlp.ffn_ln", "mlp.out": "mlp.w3",
    "norm1": "norm1", "norm2": "norm2",
}  # fmt: skip
_TEXT_LAYER = {
    "attention_out": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
    "hidden": "intermediate.dense", "out": "output.dense", "norm": "output.LayerNorm",
}  # fmt: skip


def read_published(
    weights: Path, text: Path, *, name: str, copies: Path, expected: str | None = None
) -> Checkpoint:
    """Read a checkpoint in the published format.

    The weights are converted once: a safetensors copy in `copies` is read from then on.

    Args:
        weights: The `.pth`, and in `expected` the SHA-256 that it must have.
        text: The folder with the text model's config.json and tokenizer.
    """
    config_file = text / "config.json"
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
    except OSError:
        raise CheckpointError(f"The text model {text} has no readable config.json.") from None
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{config_file} is not JSON: {error}.") from None
    stat = weights.stat()
    key = (FORMAT, str(weights.resolve()), stat.st_size, stat.st_mtime_ns, json.dumps(config))
    copy = copies / f"{hash_bytes(repr(key).encode())[:32]}.safetensors"
    found = _read_copy(copy)
    digest = found[0] if found else sha256_of(weights)
    if expected is not None and digest != expected:
        raise CheckpointError(
            f"{weights} is not the published file (SHA-256 {digest[:12]}…, expected "
            f"{expected[:12]}…): delete it and fetch it again."
        )
    if found:
        _, geometry, state = found
    else:
        geometry, state = _convert(_load(weights), config)
        notes = {"sha256": digest, "geometry": json.dumps(geometry.to_dict())}
        # If the copy cannot be written, only the next start is slower.
        with suppress(OSError, SafetensorError), atomic_path(copy) as partial:
            save_file(state, partial, notes)
    tokenizer = TextTokenizer.load(text)
    tokenizer_hash = hash_bytes(tokenizer.tokenizer.to_str().encode())
    fingerprint = hash_bytes(f"{digest} {json.dumps(config)} {tokenizer_hash}".encode())
    return Checkpoint(name, fingerprint, geometry, state, tokenizer)


def _read_copy(copy: Path) -> tuple[str, Geometry, dict[str, Array]] | None:
    try:
        with safe_open(copy, "np") as file:
            notes = file.metadata()
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return notes["sha256"], Geometry.from_dict(json.loads(notes["geometry"])), state
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, CheckpointError):
        return None  # missing or damaged: it is made again


def _load(weights: Path) -> dict[str, Array]:
    """Read the tensors of a `.pth` without executing anything in it."""
    with requires_extra("bge", f"Reading {weights}"):
        import torch
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True, mmap=is_zipfile(weights))
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(
            f"Cannot read {weights} as weights ({type(error).__name__}): it is damaged or not a "
            "PyTorch checkpoint. Fetch it again."
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise CheckpointError(f"{weights} holds no table of tensors: it is not a checkpoint.")
    if "visual_proj.weight" not in state:
        raise CheckpointError(
            f"{weights} is not a Visualized BGE checkpoint: it has no visual_proj.weight."
        )
    return {name: value.numpy() for name, value in state.items()}


def _convert(
    state: Mapping[str, Array], text_config: Mapping[str, Any]
) -> tuple[Geometry, dict[str, Array]]:
    """Return the geometry, and the weights by their names in `Network`."""
    try:
        geometry = _geometry(state, text_config)
        return geometry, _rename(state, geometry)
    except KeyError as error:
        raise CheckpointError(
            f"The checkpoint or its text model's config.json lacks {error.args[0]!r}: "
            "they are not those of a Visualized BGE model."
        ) from None
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"The checkpoint or its text model's config.json cannot be used: {error}."
        ) from None


def _geometry(state: Mapping[str, Array], text: Mapping[str, Any]) -> Geometry:
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
    kind = text["model_type"]
    if kind not in ("bert", "xlm-roberta"):
        raise CheckpointError(f"The text model must be BERT or XLM-RoBERTa, was: {kind!r}.")
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
            first_position=0 if kind == "bert" else text["pad_token_id"] + 1,
            pad_id=text["pad_token_id"],
            eps=text["layer_norm_eps"],
        ),
    )


def _count(state: Mapping[str, Array], pattern: str) -> int:
    numbers = [int(found[1]) for key in state if (found := re.match(pattern, key))]
    if not numbers:
        raise KeyError(pattern.replace("\\", ""))
    return 1 + max(numbers)


def _rename(old: Mapping[str, Array], geometry: Geometry) -> dict[str, Array]:
    new = {
        "vision.cls": old[_VISION + "cls_token"].flatten(),
        "vision.positions": old[_VISION + "pos_embed"][0],
        "vision.cos": old[_VISION + "rope.freqs_cos"],
        "vision.sin": old[_VISION + "rope.freqs_sin"],
    }
    for name, table in (("words", "word"), ("positions", "position"), ("types", "token_type")):
        new[f"embeddings.{name}.weight"] = old[f"bge_embeddings.{table}_embeddings.weight"]

    def copy(here: str, there: str, names: Mapping[str, str]) -> None:
        for name, published in names.items():
            for part in ("weight", "bias"):
                new[f"{here}{name}.{part}"] = old[f"{there}{published}.{part}"]

    copy("", "", _TOWERS)
    assert isinstance(geometry.vision, EvaConfig)
    for number in range(geometry.vision.layers):
        there, here = f"{_VISION}blocks.{number}.", f"vision.blocks.{number}."
        copy(here, there, _VISION_BLOCK)
        new[here + "attention.qkv.weight"] = np.concatenate(
            [old[f"{there}attn.{part}_proj.weight"] for part in "qkv"]
        )
        for part in ("q_bias", "v_bias"):
            new[f"{here}attention.{part}"] = old[f"{there}attn.{part}"]
    for number in range(geometry.text.layers):
        there, here = f"bge_encoder.layer.{number}.", f"encoder.layers.{number}."
        copy(here, there, _TEXT_LAYER)
        for part in ("weight", "bias"):
            new[f"{here}qkv.{part}"] = np.concatenate(
                [old[f"{there}attention.self.{name}.{part}"] for name in ("query", "key", "value")]
            )
    return {name: np.ascontiguousarray(value) for name, value in new.items()}  # for safetensors
