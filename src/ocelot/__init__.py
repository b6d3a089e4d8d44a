"""Ocelot: composed image search. Give a picture and a sentence, get the image you meant, and why.

>>> import ocelot
>>> ocelot.Query(text="a blue kettle")
Query(images=(), text='a blue kettle')
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocelot.adapting.adapt import adapt
    from ocelot.build import open
    from ocelot.encoders.base import Encoder
    from ocelot.encoders.function import FunctionEncoder
    from ocelot.engine import Engine
    from ocelot.errors import (
        CheckpointError,
        CollectionError,
        CollectionNotFound,
        ConfigurationError,
        DatabaseUnavailable,
        DownloadError,
        EncoderError,
        EncoderMismatch,
        FilterError,
        ImageError,
        ImageTooLarge,
        InputError,
        ItemNotFound,
        MetadataError,
        OcelotError,
        Overloaded,
        RequestTimeout,
        RerankError,
        StorageError,
        UnknownWords,
    )
    from ocelot.images.file import ImageFile
    from ocelot.rerankers.base import Reranker
    from ocelot.rerankers.function import FunctionReranker
    from ocelot.types import Hit, IndexReport, Input, Item, Query, Ranking, Result, Usage

__all__ = [
    "CheckpointError", "CollectionError", "CollectionNotFound", "ConfigurationError",
    "DatabaseUnavailable", "DownloadError", "Encoder", "EncoderError", "EncoderMismatch", "Engine",
    "FilterError", "FunctionEncoder", "FunctionReranker", "Hit", "ImageError", "ImageFile",
    "ImageTooLarge", "IndexReport", "Input", "InputError", "Item", "ItemNotFound", "MetadataError",
    "OcelotError", "Overloaded", "Query", "Ranking", "RequestTimeout", "RerankError", "Reranker",
    "Result", "StorageError", "UnknownWords", "Usage", "adapt", "open",
]  # fmt: skip

__version__ = "0.1.0"

# Names load when they are first used: `import ocelot` must cost neither torch nor pymilvus.
_MODULES = {
    "Encoder": "encoders.base",
    "Engine": "engine",
    "FunctionEncoder": "encoders.function",
    "FunctionReranker": "rerankers.function",
    "ImageFile": "images.file",
    "Reranker": "rerankers.base",
    "adapt": "adapting.adapt",
    "open": "build",
} | dict.fromkeys(
    ("Hit", "IndexReport", "Input", "Item", "Query", "Ranking", "Result", "Usage"), "types"
)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module(f"ocelot.{_MODULES.get(name, 'errors')}"), name)
    raise AttributeError(f"module 'ocelot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
