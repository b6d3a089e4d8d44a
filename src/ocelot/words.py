"""Words of messages."""

from __future__ import annotations

__all__ = ["count"]


def count(number: int, word: str = "picture") -> str:
    """A number with its noun.

    >>> count(1), count(1200), count(2, "query")
    ('1 picture', '1,200 pictures', '2 queries')
    """
    if number != 1:
        word = f"{word[:-1]}ies" if word.endswith("ry") else f"{word}s"
    return f"{number:,} {word}"
