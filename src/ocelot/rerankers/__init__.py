"""Rerankers: each puts the hits of a search in a better order and gives a reason.

Modules are imported on first use, so that the offline rerankers do not import `openai`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ocelot.rerankers.cross_encoder import CrossEncoderReranker
    from ocelot.rerankers.function import FunctionReranker
    from ocelot.rerankers.fusion import FusionReranker
    from ocelot.rerankers.llm.reranker import LLMReranker

__all__ = ["CrossEncoderReranker", "FunctionReranker", "FusionReranker", "LLMReranker"]

_MODULES = {
    "CrossEncoderReranker": "cross_encoder",
    "FunctionReranker": "function",
    "FusionReranker": "fusion",
    "LLMReranker": "llm.reranker",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
