"""A checkpoint: weights, geometry and tokenizer; and the folder that Ocelot keeps one in.

A folder holds `model.safetensors`, `config.json` and `tokenizer.json`, and perhaps
`words.txt` and `scores.json`. For the format of the published models see `ocelot.model.published`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from ocelot.errors import CheckpointError, StorageError
from ocelot.model.geometry import Geometry
from ocelot.model.knowledge import read_words, write_words
from ocelot.model.tokenizer import TextTokenizer
from ocelot.score_calibration import ScoreCalibration, read_score_calibration

if TYPE_CHECKING:
    from ocelot.model.visualized_bge import Network

__all__ = [
    "FORMAT", "Array", "Checkpoint", "read_folder", "sha256_of", "write_folder", "write_like",
]  # fmt: skip

FORMAT = "ocelot-visualized-bge/1"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Checkpoint:
    """Everything that makes an encoder."""

    name: str  # shown to people and stored with collections
    fingerprint: str  # SHA-256 over weights, geometry and tokenizer
    geometry: Geometry
    state: Mapping[str, Array]  # weights by their names in `Network`
    tokenizer: TextTokenizer
    words: frozenset[str] = field(default=frozenset(), repr=False)  # seen in training
    score_calibration: ScoreCalibration | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Refuse a tokenizer or shares that do not fit the network, with a `CheckpointError`."""
        words, rows = self.tokenizer.tokenizer.get_vocab_size(), self.geometry.text.vocabulary
        if words > rows:
            raise CheckpointError(
                f"The tokenizer of {self.name} has {words:,} words and its weights have {rows:,}: "
                "they do not belong together."
            )
        if self.geometry.share_by_words:
            logits = self.state.get("share_logits")
            if logits is None or logits.shape != (rows,) or not np.isfinite(logits).all():
                raise CheckpointError(
                    f"The weights of {self.name} have no share_logits, {rows:,} finite numbers: "
                    "get it anew."
                )


def read_folder(folder: Path) -> Checkpoint:
    """Read a folder in Ocelot's format; `CheckpointError` if a file is missing or damaged."""
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
    except (ValueError, TypeError, RecursionError, SafetensorError) as error:
        raise CheckpointError(f"The checkpoint {folder} is damaged: {error}.") from error
    return Checkpoint(
        str(config.get("name", folder.name)),
        sha256_of(weights, config_file, folder / "tokenizer.json"),
        Geometry.from_dict(config),
        state,
        TextTokenizer.load(folder),
        words=read_words(folder),
        score_calibration=read_score_calibration(folder),
    )


def write_folder(folder: Path, name: str, network: Network, tokenizer: TextTokenizer) -> Path:
    """Write a network in Ocelot's format, its weights in fp16.

    Raises:
        StorageError: The disk is full or read-only.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        key: (value.half() if value.is_floating_point() else value).cpu().contiguous().numpy()
        for key, value in network.state_dict().items()
    }
    try:
        save_file(state, folder / "model.safetensors")
    except SafetensorError as error:
        raise StorageError(
            f"Cannot write {folder / 'model.safetensors'} ({error}); free some space."
        ) from error
    (folder / "model.safetensors").chmod(0o644)  # safetensors makes it readable by its owner only
    config = {"format": FORMAT, "name": name} | network.geometry.to_dict()
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tokenizer.tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_like(folder: Path, network: Network, like: Checkpoint) -> Path:
    """Write a network with the name, the tokenizer and the known words of another encoder.

    Raises:
        StorageError: The disk is full or read-only.
    """
    write_folder(folder, like.name, network, like.tokenizer)
    if like.words:
        write_words(folder, (), like.words)
    return folder


def sha256_of(*files: Path) -> str:
    """Return one SHA-256 over the contents of the files that exist, in order; 64 hex digits."""
    total = hashlib.sha256()
    for file in filter(Path.is_file, files):
        with open(file, "rb") as stream:
            while block := stream.read(2**20):
                total.update(block)
    return total.hexdigest()
