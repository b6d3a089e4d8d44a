"""What is known of an encoder beside its network: the words that it has seen in training.

A folder in Ocelot's format may hold `words.txt`, one word to a line, in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from ocelot.errors import CheckpointError

__all__ = ["read_words", "unknown_words", "words_of", "write_words"]

_FILE = "words.txt"
_WORD = re.compile(r"[^\W\d_]+")
_ENDINGS = ("s", "es", "'s")


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without numbers and signs.

    >>> words_of("A T-shirt, size 42: l'été")
    ['a', 't', 'shirt', 'size', 'l', 'été']
    """
    return _WORD.findall(text.lower())


def unknown_words(text: str, seen: frozenset[str]) -> tuple[str, ...]:
    """Return the words of a text that were not seen in training, each once, in order.

    A plural is known where its singular is, and the other way round; a single letter is no word.

    Args:
        seen: Empty if it is not known which words were seen: nothing is unknown then.

    >>> unknown_words("red blorfs and kettles", frozenset({"red", "and", "kettle"}))
    ('blorfs',)
    """
    if not seen:
        return ()
    return tuple(dict.fromkeys(word for word in words_of(text) if not _known(word, seen)))


def _known(word: str, seen: frozenset[str]) -> bool:
    if word in seen or (len(word) == 1 and word.isascii()):
        return True
    return any(word + ending in seen or word.removesuffix(ending) in seen for ending in _ENDINGS)


def read_words(folder: Path) -> frozenset[str]:
    """Read the words that the encoder of a folder has seen; empty if the folder does not say.

    Raises:
        CheckpointError: The file cannot be read.
    """
    file = folder / _FILE
    try:
        return frozenset(file.read_text(encoding="utf-8").split())
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise CheckpointError(f"Cannot read {file}: {cause}.") from None


def write_words(folder: Path, texts: Iterable[str], before: Iterable[str] = ()) -> None:
    """Write the words of texts, and those that were seen `before`."""
    words = sorted({*before, *(word for text in texts for word in words_of(text))})
    (folder / _FILE).write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
