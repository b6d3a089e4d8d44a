"""Text for a terminal; file names, titles and replies of models are made safe to print."""

from __future__ import annotations

__all__ = ["pictures", "printable", "sentence"]


def printable(text: str) -> str:
    """Return the text on one line, without control and escape characters.

    >>> printable("a\\x1b[31mb\\nc")
    'a�[31mb�c'
    """
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def sentence(text: str) -> str:
    """Return the printable text, ending in one full stop."""
    return printable(text).rstrip(" .") + "."


def pictures(count: int) -> str:
    """Return "1 picture", "2 pictures" and so on."""
    return f"{count} picture{'' if count == 1 else 's'}"
