"""Make text from outside (file names, titles, replies) safe to print on a terminal."""

from __future__ import annotations

__all__ = ["printable", "sentence"]


def printable(text: str) -> str:
    """Return the text on one line, without control and escape characters.

    >>> printable("a\\x1b[31mb\\nc")
    'a�[31mb�c'
    """
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def sentence(text: str) -> str:
    """Return the printable text, ending in one full stop."""
    return printable(text).rstrip(" .") + "."
