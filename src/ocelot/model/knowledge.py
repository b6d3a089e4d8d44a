"""What is known of an encoder beside its network: the words that it has seen in training.

A folder in Ocelot's format may hold `words.txt`, one word to a line, in lower case.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from ocelot.errors import CheckpointError
from ocelot.spelling import forms_of, without_accents

__all__ = ["read_words", "unknown_words", "words_of", "write_words"]

_FILE = "words.txt"


def words_of(text: str) -> list[str]:
    """Return the words of a text as a tokenizer reads them: lower-case and without accents.

    Numbers, signs and single letters of the Latin alphabet are no words.

    >>> words_of("A T-shirt, size 42: l'Été")
    ['shirt', 'size', 'ete']
    """
    plain = without_accents(text.lower())
    runs = ("".join(run) for letters, run in groupby(plain, _is_letter) if letters)
    return [word for word in runs if len(word) > 1 or not word.isascii()]


def _is_letter(char: str) -> bool:
    return unicodedata.category(char)[0] in "LM"


def unknown_words(text: str, seen: frozenset[str]) -> tuple[str, ...]:
    """Return the words of a text that were not seen in training, each once, in order.

    A word with a plain -s or -es more or less is the same word.

    Args:
        seen: Empty if it is not known which words were seen: nothing is unknown then.

    >>> unknown_words("red blorfs and kettles", frozenset({"red", "and", "kettle"}))
    ('blorfs',)
    """
    if not seen:
        return ()
    return tuple(dict.fromkeys(word for word in words_of(text) if not forms_of(word) & seen))


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
