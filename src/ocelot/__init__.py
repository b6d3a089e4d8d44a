"""Ocelot: composed image search. A picture and a sentence in, the picture meant out, with why.

>>> import ocelot
>>> ocelot.Query(text="a blue kettle")
Query(image=None, text='a blue kettle', others=())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocelot.build import open
    from ocelot.encoders.base import Encoder
    from ocelot.engine import Engine
    from ocelot.errors import OcelotError
    from ocelot.rerankers.base import Reranker
    from ocelot.types import (
        Hit,
        IndexReport,
        Input,
        Query,
        Ranking,
        Result,
        Usage,
    )

__all__ = [
    "Encoder",
    "Engine",
    "Hit",
    "IndexReport",
    "Input",
    "OcelotError",
    "Query",
    "Ranking",
    "Reranker",
    "Result",
    "Usage",
    "open",
]

__version__ = "0.1.0"

# Lazy: `import ocelot` must cost neither torch nor pymilvus.
_HOMES = {
    "Encoder": "encoders.base",
    "Engine": "engine",
    "Hit": "types",
    "IndexReport": "types",
    "Input": "types",
    "OcelotError": "errors",
    "Query": "types",
    "Ranking": "types",
    "Reranker": "rerankers.base",
    "Result": "types",
    "Usage": "types",
    "open": "build",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"ocelot.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'ocelot' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
