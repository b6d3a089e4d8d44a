"""Graphs and model specs in the cache folder, so that a model is converted only once.

::

    $OCELOT_CACHE/openvino/
        {stamp of the encoder's files}.json          its ModelSpec
        {fingerprint}-{release of OpenVINO}/
            fp32/                                    vision.xml, .bin, reader.xml, .bin, notes.json
            int8-{calibration}/                      the same
            int8                                     names the calibration in use

If the cache cannot be written, only the next start is slower.
"""

from __future__ import annotations

import json
import shutil
import zlib
from contextlib import suppress
from pathlib import Path

from ocelot.encoders.openvino.graphs import Graphs, openvino
from ocelot.errors import CheckpointError
from ocelot.files import atomic_path, write_atomic
from ocelot.model.geometry import Geometry, ModelSpec
from ocelot.settings import cache_folder

__all__ = [
    "calibration_in_use", "graphs_folder", "read_graphs", "read_spec", "use_calibration",
    "write_graphs", "write_spec",
]  # fmt: skip

_FORMAT = 2  # raise it when the graphs change or take other inputs
_PARTS = ("vision", "reader")
_IN_USE = "int8"


def graphs_folder(fingerprint: str) -> Path:
    """Return the folder for the graphs of an encoder, made by this release of OpenVINO."""
    release = openvino().__version__.split("-")[0]
    return cache_folder() / "openvino" / f"{fingerprint[:32]}-{release}-{_FORMAT}"


def read_spec(stamp: str) -> ModelSpec | None:
    """Return the spec of the checkpoint whose files have this stamp, if it is known."""
    try:
        kept = json.loads(_spec_file(stamp).read_text(encoding="utf-8"))
        return ModelSpec(kept["name"], kept["fingerprint"], Geometry.from_dict(kept))
    except (OSError, KeyError, TypeError, ValueError, CheckpointError):
        return None


def write_spec(stamp: str, spec: ModelSpec) -> None:
    """Keep a spec for `read_spec`."""
    kept = {"name": spec.name, "fingerprint": spec.fingerprint} | spec.geometry.to_dict()
    with suppress(OSError):
        write_atomic(_spec_file(stamp), json.dumps(kept).encode())


def read_graphs(folder: Path) -> Graphs | None:
    """Return the graphs in a folder; None if they are missing or damaged."""
    ov = openvino()
    try:
        notes = json.loads((folder / "notes.json").read_text(encoding="utf-8"))
        if notes["sums"] != _checksums(folder):
            return None
        vision, reader = (ov.Core().read_model(folder / f"{part}.xml") for part in _PARTS)
        return Graphs(vision, reader, notes["calibration"], notes["pictures"])
    except (OSError, RuntimeError, KeyError, TypeError, ValueError):
        return None


def write_graphs(folder: Path, graphs: Graphs) -> None:
    """Keep graphs for `read_graphs`; a new calibration is the one in use from then on."""
    ov = openvino()
    with suppress(OSError, RuntimeError):
        with atomic_path(folder) as partial:
            partial.mkdir()
            for part in _PARTS:
                file = partial / f"{part}.xml"
                ov.save_model(getattr(graphs, part), file, compress_to_fp16=False)
            notes = {
                "sums": _checksums(partial),
                "calibration": graphs.calibration,
                "pictures": graphs.pictures,
            }
            (partial / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
            # Damaged ones, or the same ones of another process: a reader finds whole graphs or
            # none, by their checksums.
            shutil.rmtree(folder, ignore_errors=True)
        if graphs.calibration:
            use_calibration(folder)


def calibration_in_use(home: Path) -> Path | None:
    """Return the folder of the int8 graphs that are in use, in an encoder's `graphs_folder`."""
    try:
        return home / (home / _IN_USE).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None


def use_calibration(folder: Path) -> None:
    """Make the int8 graphs in a folder those that are in use."""
    with suppress(OSError):
        write_atomic(folder.parent / _IN_USE, folder.name.encode())


def _checksums(folder: Path) -> dict[str, int]:
    """Return checksums of the files: a damaged one would give other vectors without an error."""
    sums = {}
    for name in (f"{part}.{kind}" for part in _PARTS for kind in ("xml", "bin")):
        sums[name] = 0
        with open(folder / name, "rb") as file:
            while block := file.read(2**20):
                sums[name] = zlib.crc32(block, sums[name])
    return sums


def _spec_file(stamp: str) -> Path:
    return cache_folder() / "openvino" / f"{stamp[:32]}.{_FORMAT}.json"
