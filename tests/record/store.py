"""The record on disk, and how answers are compared with it.

`record.json` holds plain values; an array stands there as {"array": "its key in record.npz"}.
Floats and arrays are compared within `TOLERANCES`, everything else exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parents[1] / "data" / "record"

# How far a float or a member of an array may be from the stored one.
TOLERANCES: Mapping[str, float] = {
    "vectors": 1e-5,
    "openvino_vectors": 1e-5,
    "searches": 2e-5,  # they are rounded to five digits
    "http": 2e-5,
    "training": 1e-4,
}
EXACT = 1e-9
_PIXELS = 2  # of 255, instead of any tolerance but 0


def differences(stored: Any, now: Any, tolerance: float, where: str = "") -> Iterator[str]:
    """Where two answers differ by more than a tolerance; the tolerance grows with numbers."""
    if isinstance(stored, dict) and isinstance(now, dict):
        for key in sorted(stored.keys() | now.keys()):
            if key not in stored or key not in now:
                yield f"{where}/{key}: only {'now' if key in now else 'stored'}"
            else:
                yield from differences(stored[key], now[key], tolerance, f"{where}/{key}")
    elif isinstance(stored, list) and isinstance(now, list):
        if len(stored) != len(now):
            yield f"{where}: {len(stored)} were stored, {len(now)} now"
        for place, pair in enumerate(zip(stored, now, strict=False)):
            yield from differences(*pair, tolerance, f"{where}/{place}")
    elif isinstance(stored, np.ndarray) and isinstance(now, np.ndarray):
        if stored.shape != now.shape:
            yield f"{where}: the shape was {stored.shape}, is {now.shape}"
            return
        if stored.dtype == np.uint8 and tolerance:
            tolerance = _PIXELS
        apart = np.abs(stored.astype(np.float64) - now.astype(np.float64)).max(initial=0)
        if apart > tolerance:
            yield f"{where}: an array is up to {apart:.3g} away"
    elif isinstance(stored, float) and isinstance(now, (int, float)):
        if abs(stored - now) > tolerance * max(1.0, abs(stored)):
            yield f"{where}: was {stored!r}, is {now!r}"
    elif stored != now:
        yield f"{where}: was {stored!r}, is {now!r}"


def save(answers: Mapping[str, Any], folder: Path) -> None:
    """Write `record.json` and `record.npz`."""
    arrays: dict[str, Any] = {}

    def plain(value: Any, where: str) -> Any:
        if isinstance(value, np.ndarray):
            arrays[where] = value
            return {"array": where}
        if isinstance(value, dict):
            return {key: plain(one, f"{where}/{key}") for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            return [plain(one, f"{where}/{place}") for place, one in enumerate(value)]
        return value

    lines = [
        f"{json.dumps(name)}: {json.dumps(plain(value, name), ensure_ascii=False)}"
        for name, value in answers.items()
    ]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (folder / "record.json").write_text(text, encoding="utf-8")
    np.savez_compressed(folder / "record.npz", **arrays)


def load(folder: Path) -> dict[str, Any]:
    """What `save` has written."""
    with np.load(folder / "record.npz") as file:
        arrays = {name: file[name] for name in file.files}

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            if value.keys() == {"array"}:
                return arrays[value["array"]]
            return {key: whole(one) for key, one in value.items()}
        return [whole(one) for one in value] if isinstance(value, list) else value

    read: dict[str, Any] = whole(json.loads((folder / "record.json").read_text(encoding="utf-8")))
    return read
