"""Common English words, for the tokenizer and for words that change nothing in a text."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

__all__ = ["english_words"]


@lru_cache(maxsize=1)
def english_words() -> tuple[str, ...]:
    """Return common English words, lower-case and sorted."""
    return tuple((Path(__file__).parent / "english.txt").read_text(encoding="ascii").split())
