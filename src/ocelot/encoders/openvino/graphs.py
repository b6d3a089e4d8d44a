"""An encoder as OpenVINO graphs, and the folder that keeps them.

There are two. `vision` turns pixels into one token per patch, ready for the text tower; `reader`
turns these and the words into the vector. A text alone goes through `reader` with no image
tokens, so that no weight is stored twice::

    vision  pixels (batch, 3, size, size) uint8        -> tokens (batch, n, width), instance part
    reader  tokens, ids (batch, words), positions (words,), mask (batch, n + words)
                                                       -> readings (batch, width)

A model is calibrated for int8 only once. If the cache cannot be written, only the next start is
slower::

    $OCELOT_CACHE/openvino/{fingerprint}-{release of OpenVINO}/
        int8-{calibration}/     vision.xml, .bin, reader.xml, .bin, notes.json; the newest is in use
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.errors import EncoderError, OcelotError, requires_extra
from ocelot.files import atomic_path
from ocelot.model.geometry import Geometry
from ocelot.model.tokenizer import pad
from ocelot.settings import cache_folder

__all__ = [
    "Graphs", "graphs_folder", "mapped_errors", "newest_graphs", "package", "read_graphs",
    "reader_inputs", "write_graphs",
]  # fmt: skip

_FORMAT = 3  # raise it when the graphs change or take other inputs
_PARTS = ("vision", "reader")


@dataclass(frozen=True)
class Graphs:
    """The two graphs (`openvino.Model`)."""

    vision: Any
    reader: Any
    calibration: str = ""  # of int8: a hash of its settings and images
    pictures: int = 0  # number of these images


def reader_inputs(geometry: Geometry, tokens: Any, texts: Sequence[Sequence[int]]) -> list[Any]:
    """Return the inputs of `reader`, in its order.

    Args:
        tokens: Output of `vision`; None for texts alone.
        texts: Token ids from [CLS] to [SEP], padded here to the longest.
    """
    ids, mask = pad(texts, geometry.text.pad_id)
    places = np.arange(ids.shape[1])
    if tokens is None:
        tokens = np.empty((len(texts), 0, geometry.text.width), dtype=np.float32)
        return [tokens, ids, places + geometry.text.first_position, mask]
    n = tokens.shape[1]
    positions = np.where(places == 0, 0, places + n)
    image_mask = np.ones((len(texts), n), dtype=bool)
    return [tokens, ids, positions, np.concatenate([mask[:, :1], image_mask, mask[:, 1:]], axis=1)]


def graphs_folder(fingerprint: str) -> Path:
    """Return the folder for the graphs of an encoder, made by this release of OpenVINO."""
    release = package("openvino").__version__.split("-")[0]
    return cache_folder() / "openvino" / f"{fingerprint[:32]}-{release}-{_FORMAT}"


def read_graphs(folder: Path) -> Graphs | None:
    """Return the graphs in a folder; None if they are missing or damaged."""
    core = package("openvino").Core()
    try:
        notes = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
        if notes["sums"] != _checksums(folder):
            return None
        vision, reader = (core.read_model(folder / f"{part}.xml") for part in _PARTS)
        return Graphs(vision, reader, notes["calibration"], notes["pictures"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError):
        return None


def newest_graphs(folder: Path) -> Graphs | None:
    """Return the int8 graphs in use, if there are any."""
    try:
        kept = folder.glob("int8-*")
        return read_graphs(max(kept, key=lambda folder: folder.stat().st_mtime_ns))
    except (OSError, ValueError):  # there is none, or another process replaces it
        return None


def write_graphs(folder: Path, graphs: Graphs) -> None:
    """Keep graphs for `read_graphs`."""
    with suppress(OSError, RuntimeError), atomic_path(folder) as partial:
        partial.mkdir()
        for part in _PARTS:
            file = partial / f"{part}.xml"
            package("openvino").save_model(getattr(graphs, part), file, compress_to_fp16=False)
        notes = {"calibration": graphs.calibration, "pictures": graphs.pictures}
        notes["sums"] = _checksums(partial)
        (partial / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
        # Damaged ones, or the same ones of another process: a reader finds whole graphs or none,
        # by their checksums.
        shutil.rmtree(folder, ignore_errors=True)


def _checksums(folder: Path) -> dict[str, int]:
    """Return checksums of the files: a damaged one would give other vectors without an error."""
    sums = {}
    for name in (f"{part}.{kind}" for part in _PARTS for kind in ("xml", "bin")):
        sums[name] = 0
        with open(folder / name, "rb") as file:
            while block := file.read(2**20):
                sums[name] = zlib.crc32(block, sums[name])
    return sums


_import_lock = threading.RLock()


def package(name: str) -> Any:
    """Import openvino or nncf so that it sends no usage events: it does not find its telemetry."""
    telemetry = "openvino_telemetry"
    with _import_lock, requires_extra("int8", "int8"):
        before = sys.modules.get(telemetry)
        sys.modules[telemetry] = None  # type: ignore[assignment]
        try:
            return import_module(name)
        finally:
            del sys.modules[telemetry]
            if before is not None:
                sys.modules[telemetry] = before


@contextmanager
def mapped_errors(failure: str, advice: str) -> Iterator[None]:
    """Raise errors of the packages, some of them bare `Exception`, as `EncoderError`."""
    try:
        yield
    except OcelotError:
        raise
    except Exception as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        cause = lines[-1].strip()[:200]  # a message has many lines, and the last one says it
        raise EncoderError(f"{failure} ({cause}): {advice}.") from error
