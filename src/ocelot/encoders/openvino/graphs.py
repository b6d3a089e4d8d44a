"""An encoder as OpenVINO graphs.

There are two. `vision` turns pixels into one token per patch, ready for the text tower; `reader`
turns these and the words into the vector. A text alone goes through `reader` with no image
tokens, so that no weight is stored twice::

    vision  pixels (batch, 3, size, size) uint8        -> tokens (batch, n, width)
    reader  tokens, ids (batch, words), positions (words,), mask (batch, n + words)
                                                       -> vectors (batch, dimension)
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from ocelot.errors import ConfigurationError
from ocelot.model.geometry import Geometry

__all__ = ["Graphs", "openvino", "reader_inputs", "short_cause", "without_telemetry"]


@dataclass(frozen=True)
class Graphs:
    """The two graphs (`openvino.Model`).

    Attributes:
        calibration: Hash of the images and settings of the int8 calibration, 64 hex digits.
        pictures: Number of these images.
    """

    vision: Any
    reader: Any
    calibration: str = ""
    pictures: int = 0


def reader_inputs(geometry: Geometry, tokens: Any, texts: Sequence[Sequence[int]]) -> list[Any]:
    """Return the inputs of `reader`, in its order.

    Args:
        tokens: Output of `vision`; None for texts alone.
        texts: Token ids from [CLS] to [SEP], padded here to the longest.
    """
    lengths = np.array([len(text) for text in texts])
    places = np.arange(lengths.max())
    mask = places < lengths[:, None]
    ids = np.full(mask.shape, geometry.text.pad_id, dtype=np.int64)
    ids[mask] = np.concatenate([np.asarray(text) for text in texts])
    if tokens is None:
        tokens = np.empty((len(texts), 0, geometry.dimension), dtype=np.float32)
        return [tokens, ids, places + geometry.text.first_position, mask]
    n = tokens.shape[1]
    positions = np.where(places == 0, 0, places + n)
    image_mask = np.ones((len(texts), n), dtype=bool)
    return [tokens, ids, positions, np.concatenate([mask[:, :1], image_mask, mask[:, 1:]], axis=1)]


_import_lock = threading.RLock()


@contextmanager
def without_telemetry() -> Iterator[None]:
    """Import OpenVINO or NNCF without usage events: they do not find the package that sends them.

    Nothing of this is left afterwards.
    """
    name = "openvino_telemetry"
    with _import_lock:
        before = sys.modules.get(name)
        sys.modules[name] = None  # type: ignore[assignment]
        try:
            yield
        finally:
            sys.modules.pop(name, None)
            if before is not None:
                sys.modules[name] = before


def openvino() -> Any:
    """Import the package openvino.

    Raises:
        ConfigurationError: It is not installed.
    """
    try:
        with without_telemetry():
            import openvino
    except ImportError as error:
        raise ConfigurationError(
            f"The backend openvino needs more packages ({error.name} is missing): "
            "pip install 'ocelot-search[openvino]'."
        ) from None
    return openvino


def short_cause(error: BaseException) -> str:
    """Return a short cause for a message: OpenVINO's errors have many lines."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].strip()[:200]
