"""The checkpoint of a named encoder, read; published weights are converted once."""

from __future__ import annotations

import json
import os
import threading
from contextlib import suppress
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ocelot.encoders.sources import BUNDLED, PUBLISHED, Published, Source, locate
from ocelot.errors import CheckpointError
from ocelot.images.decode import hash_bytes
from ocelot.model.checkpoint import (
    FORMAT,
    Checkpoint,
    from_published,
    geometry_from_dict,
    geometry_to_dict,
    read_folder,
    read_published,
    sha256,
)
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Geometry
from ocelot.settings import cache_folder

__all__ = ["BUNDLED", "PUBLISHED", "Published", "read", "resolve"]


def resolve(name_or_path: str | Path, text_model: str | Path | None = None) -> Checkpoint:
    """Find a checkpoint by name or path and read it.

    Raises:
        CheckpointError: Files are missing, damaged or do not fit together.
        ConfigurationError: There is no such encoder, or a `.pth` came without its text model.
        DownloadError: The hub cannot be reached and the files are not in its cache.
    """
    return read(locate(name_or_path, text_model))


def read(source: Source) -> Checkpoint:
    """The checkpoint in the files that were found.

    Raises:
        CheckpointError: Files are missing, damaged or do not fit together.
    """
    if source.own:
        return read_folder(source.text)
    return _from_file(source.weights, source.text, name=source.name, expected=source.expected)


def _from_file(weights: Path, text: Path, *, name: str, expected: str | None) -> Checkpoint:
    """Read a `.pth`; its safetensors copy in the cache is read in its place from then on."""
    config_file = text / "config.json"
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
    except OSError:
        raise CheckpointError(f"The text model {text} has no readable config.json.") from None
    except ValueError as error:
        raise CheckpointError(f"{config_file} is not JSON: {error}.") from None
    stat = weights.stat()
    key = (FORMAT, str(weights.resolve()), stat.st_size, stat.st_mtime_ns, json.dumps(config))
    copy = cache_folder() / "checkpoints" / f"{hash_bytes(repr(key).encode())[:32]}.safetensors"
    found = _read_copy(copy)
    digest = sha256(weights) if found is None else found[0]
    if expected is not None and digest != expected:
        raise CheckpointError(
            f"{weights} is not the published file (SHA-256 {digest[:12]}…, expected "
            f"{expected[:12]}…): delete it and fetch it again."
        )
    if found is None:
        geometry, state = from_published(read_published(weights), config)
        _write_copy(copy, digest, geometry, state)
    else:
        _, geometry, state = found
    tokenizer = TextTokenizer.load(text)
    files_of_tokenizer = hash_bytes(tokenizer.tokenizer.to_str().encode())
    fingerprint = hash_bytes(f"{digest} {json.dumps(config)} {files_of_tokenizer}".encode())
    return Checkpoint(name, fingerprint, geometry, state, tokenizer)


def _read_copy(copy: Path) -> tuple[str, Geometry, dict[str, Tensor]] | None:
    try:
        with safe_open(copy, "pt") as file:
            notes = file.metadata()
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return notes["sha256"], geometry_from_dict(json.loads(notes["geometry"])), state
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, CheckpointError):
        return None  # missing or damaged: it is made again


def _write_copy(copy: Path, digest: str, geometry: Geometry, state: dict[str, Tensor]) -> None:
    notes = {"sha256": digest, "geometry": json.dumps(geometry_to_dict(geometry))}
    partial = copy.with_suffix(f".{os.getpid()}-{threading.get_ident()}.part")
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in state.items()}, partial, notes)
        partial.replace(copy)
    except (OSError, SafetensorError):  # no room or no right: only the next start is slower
        with suppress(OSError):
            partial.unlink()
