"""OpenVINO graphs of an encoder, and the cache that keeps them from one process to the next.

An encoder is two graphs. `vision` reads pixels and gives one token per patch, ready for the text
tower; `reader` reads these and the words, and gives the vector. A text alone goes through
`reader` with no tokens of a picture, so that no weight is kept twice::

    vision  pixels (batch, 3, size, size) uint8        -> tokens (batch, n, width)
    reader  tokens, ids (batch, words), positions (words,), mask (batch, n + words)
                                                       -> vectors (batch, dimension)
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.errors import ConfigurationError
from ocelot.settings import cache_folder

__all__ = [
    "Graphs", "ModelSpec", "home", "latest", "make_latest", "openvino", "read_graphs", "recall",
    "remember", "sequence", "silenced", "write_graphs",
]  # fmt: skip

_FORMAT = 2  # another number whenever the graphs are cut or fed in another way
_PARTS = ("vision", "reader")
_LATEST = "int8"  # names the folder of the calibration that was made last


@dataclass(frozen=True)
class ModelSpec:
    """What an encoder must know of a checkpoint beside its graphs and tokenizer.

    Attributes:
        image_tokens: Tokens that one image becomes.
        longest_text, longest_caption: Tokens of a text alone, and of one beside an image.
        first_position: Position of the first token of a text alone.
        pad_id: Token id that fills short rows.
    """

    name: str
    fingerprint: str
    dimension: int
    image_size: int
    image_tokens: int
    longest_text: int
    longest_caption: int
    first_position: int
    pad_id: int


@dataclass(frozen=True)
class Graphs:
    """The two graphs (`openvino.Model`).

    Attributes:
        calibration: Which pictures and settings int8 was calibrated with, 64 hex digits.
        pictures: How many they were.
    """

    vision: Any
    reader: Any
    calibration: str = ""
    pictures: int = 0


def sequence(outline: ModelSpec, tokens: Any, texts: Sequence[Sequence[int]]) -> list[Any]:
    """What `reader` takes, in its order.

    Args:
        tokens: What `vision` gave; None for texts alone.
        texts: Token ids from [CLS] to [SEP], padded here to the longest.
    """
    lengths = np.array([len(text) for text in texts])
    places = np.arange(lengths.max())
    mask = places < lengths[:, None]
    ids = np.full(mask.shape, outline.pad_id, dtype=np.int64)
    ids[mask] = np.concatenate([np.asarray(text) for text in texts])
    if tokens is None:
        tokens = np.empty((len(texts), 0, outline.dimension), dtype=np.float32)
        return [tokens, ids, places + outline.first_position, mask]
    n = tokens.shape[1]
    positions = np.where(places == 0, 0, places + n)
    seen = np.ones((len(texts), n), dtype=bool)
    return [tokens, ids, positions, np.concatenate([mask[:, :1], seen, mask[:, 1:]], axis=1)]


_importing = threading.RLock()


@contextmanager
def silenced() -> Iterator[None]:
    """OpenVINO and NNCF imported within send no usage events: they find no package to do it."""
    name = "openvino_telemetry"
    with _importing:
        held = sys.modules.get(name)
        sys.modules[name] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            sys.modules.pop(name, None)
            if held is not None:
                sys.modules[name] = held


def openvino() -> Any:
    """The package.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        with silenced():
            import openvino
    except ImportError as error:
        raise ConfigurationError(
            f"The backend openvino needs more packages ({error.name} is missing): "
            "pip install 'ocelot-search[openvino]'."
        ) from None
    return openvino


def home(fingerprint: str) -> Path:
    """The folder for the graphs of one encoder, made by one release of OpenVINO."""
    release = openvino().__version__.split("-")[0]
    return cache_folder() / "openvino" / f"{fingerprint[:32]}-{release}-{_FORMAT}"


def recall(stamp: str) -> ModelSpec | None:
    """The outline of a checkpoint whose files have this stamp, if it was kept."""
    try:
        return ModelSpec(**json.loads(_note(stamp).read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError):
        return None


def remember(stamp: str, outline: ModelSpec) -> None:
    """Keep an outline; where the cache cannot be written, only the next start is slower."""
    note = _note(stamp)
    partial = _partial(note)
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(asdict(outline)), encoding="utf-8")
        partial.replace(note)


def read_graphs(folder: Path) -> Graphs | None:
    """The graphs in a folder; None where they are missing or damaged."""
    ov = openvino()
    try:
        notes = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
        if notes["sums"] != _sums(folder):
            return None
        vision, reader = (ov.Core().read_model(folder / f"{part}.xml") for part in _PARTS)
        return Graphs(vision, reader, notes["calibration"], notes["pictures"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError):
        return None


def write_graphs(folder: Path, graphs: Graphs) -> None:
    """Keep graphs; of two processes with the same ones the last one's stay.

    A calibration is the latest one from then on, and those before it stay. Where the cache
    cannot be written, only the next start is slower.
    """
    ov = openvino()
    partial = _partial(folder)
    try:
        partial.mkdir(parents=True)
        for part in _PARTS:
            file = partial / f"{part}.xml"
            ov.save_model(getattr(graphs, part), file, compress_to_fp16=False)
        notes = {
            "sums": _sums(partial),
            "calibration": graphs.calibration,
            "pictures": graphs.pictures,
        }
        (partial / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
        _put(partial, folder)
        if graphs.calibration:
            make_latest(folder)
    except (OSError, RuntimeError):
        pass
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def latest(place: Path) -> Path | None:
    """The folder in an encoder's `home` with the calibration that was made last."""
    try:
        return place / (place / _LATEST).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def make_latest(folder: Path) -> None:
    """Let a kept calibration be the one that `latest` names."""
    note = folder.parent / _LATEST
    partial = _partial(note)
    with suppress(OSError):
        partial.write_text(folder.name, encoding="utf-8")
        partial.replace(note)


def _put(partial: Path, folder: Path) -> None:
    """Rename a whole folder to its place; a reader finds the old one or the new one, or none."""
    aside = _partial(folder).with_suffix(".old")
    with suppress(FileNotFoundError):
        folder.rename(aside)
    try:
        partial.rename(folder)  # fails where another process has just put its own
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _sums(folder: Path) -> dict[str, int]:
    """Checksums of the files: what a disk has spoilt would else give other vectors, unnoticed."""
    sums = {}
    for name in (f"{part}.{kind}" for part in _PARTS for kind in ("xml", "bin")):
        sums[name] = 0
        with open(folder / name, "rb") as file:
            while piece := file.read(2**20):
                sums[name] = zlib.crc32(piece, sums[name])
    return sums


def _note(stamp: str) -> Path:
    return cache_folder() / "openvino" / f"{stamp[:32]}.{_FORMAT}.json"


def _partial(place: Path) -> Path:
    return place.with_name(f"{place.name}.{os.getpid()}-{threading.get_ident()}.part")
