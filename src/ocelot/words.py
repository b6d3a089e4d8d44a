"""Words of messages."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["count", "does_not_know"]


def count(number: int, word: str = "picture") -> str:
    """A number with its noun.

    >>> count(1), count(1200), count(2, "query")
    ('1 picture', '1,200 pictures', '2 queries')
    """
    if number != 1:
        word = f"{word[:-1]}ies" if word.endswith("ry") else f"{word}s"
    return f"{number:,} {word}"


def does_not_know(encoder: str, words: Sequence[str]) -> str:
    """Which words an encoder has never seen, the first five; "" for none.

    >>> does_not_know("ocelot-tiny", ["blorf", "fnord"])
    'ocelot-tiny does not know: blorf, fnord'
    """
    more = f" and {len(words) - 5} more" if len(words) > 5 else ""
    return f"{encoder} does not know: {', '.join(words[:5])}{more}" if words else ""
