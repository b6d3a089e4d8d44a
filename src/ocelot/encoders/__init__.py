"""Encoders: adapters from a model to the `Encoder` seam."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ocelot.errors import requires_extra

if TYPE_CHECKING:
    from ocelot.encoders.batching import BatchingEncoder
    from ocelot.encoders.caching import CachingEncoder
    from ocelot.encoders.function import FunctionEncoder
    from ocelot.encoders.openvino.encoder import OpenVINOEncoder
    from ocelot.encoders.sentence_transformers import SentenceTransformerEncoder
    from ocelot.encoders.visualized_bge import VisualizedBGE

__all__ = [
    "BatchingEncoder", "CachingEncoder", "FunctionEncoder", "OpenVINOEncoder",
    "SentenceTransformerEncoder", "VisualizedBGE",
]  # fmt: skip

_EXTRAS = {"SentenceTransformerEncoder": "st", "VisualizedBGE": "bge"}
_HOMES = {
    "BatchingEncoder": "batching", "CachingEncoder": "caching", "FunctionEncoder": "function",
    "OpenVINOEncoder": "openvino.encoder",
    "SentenceTransformerEncoder": "sentence_transformers", "VisualizedBGE": "visualized_bge",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    # Lazy: a FunctionEncoder must cost neither torch nor OpenVINO.
    if name in _HOMES:
        extra = _EXTRAS.get(name)
        with requires_extra(extra, f"Encoding with PyTorch ({name})") if extra else nullcontext():
            return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
