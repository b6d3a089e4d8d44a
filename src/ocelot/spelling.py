"""When two spellings are one word: for the words that an encoder knows, and for those of titles."""

from __future__ import annotations

import unicodedata

__all__ = ["forms_of", "without_accents"]

_ENDINGS = ("s", "es")


def without_accents(text: str) -> str:
    """A text without the accents on its letters.

    >>> without_accents("l'été")
    "l'ete"
    """
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFD", text)
    return "".join(char for char in parts if unicodedata.category(char) != "Mn")


def forms_of(word: str) -> set[str]:
    """A word, and the same with a plain -s or -es more or less.

    >>> sorted(forms_of("mugs"))
    ['mug', 'mugs', 'mugses', 'mugss']
    """
    return {word, *(word + end for end in _ENDINGS), *map(word.removesuffix, _ENDINGS)}
