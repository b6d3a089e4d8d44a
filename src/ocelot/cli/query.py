"""The arguments of `ocelot search` as a query: which are pictures, and which are words."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ocelot.errors import ImageError, ImageTooLarge, InputError
from ocelot.images.decode import MAX_BYTES, SUFFIXES
from ocelot.images.file import ImageFile
from ocelot.query import Query, read_text

__all__ = ["query_of"]

_STANDARD_INPUT = "-"


def query_of(
    arguments: Sequence[str], images: Sequence[str], text: str | None, **parts: Any
) -> Query:
    """Return the query.

    Args:
        arguments: Pictures and words in any order: files, URLs and "-" are pictures; the rest,
            joined by spaces, is the text.
        images, text: What the options `--image` and `--text` give besides. A minus before a word
            of the text makes it a negative one; see `read_text`.
        **parts: As `Query` takes them; None and empty lists count as not given.

    Raises:
        InputError: There is nothing to search for, or it is not clear what an argument is.
        ImageError: A picture cannot be read.
    """
    pictures = [argument for argument in arguments if _is_picture(argument)]
    words = " ".join(argument for argument in arguments if argument not in pictures)
    if words and text is not None:
        raise InputError(
            f"The text is given twice, as {words!r} and as --text {text!r}: give it once."
        )
    wanted, unwanted = read_text(words or text or "")
    pictures = [*images, *pictures]
    given = {name: value for name, value in parts.items() if value is not None and value != []}
    if texts := [one for one in (unwanted, given.get("negative_text")) if one]:
        given["negative_text"] = ", ".join(texts)
    if not all(pictures):
        raise InputError("A picture is an empty text: give a file, a URL, or - for standard input.")
    if not pictures and not given.get("items") and not (wanted and wanted.strip()):
        besides = f" besides {unwanted!r}, which is not wanted" if unwanted else ""
        raise InputError(
            f"There is nothing to search for{besides}: give a picture, a text, or both, as in "
            '`ocelot search A.jpg "in green"`.'
        )
    if pictures.count(_STANDARD_INPUT) > 1:
        raise InputError("Standard input can be read once only: give one picture as -.")
    files = [_read() if name == _STANDARD_INPUT else name for name in pictures]
    return Query(files, wanted, **given)


def _is_picture(argument: str) -> bool:
    """Return True for a file, a URL and "-"; raise an `InputError` if it is not clear."""
    if argument == _STANDARD_INPUT or "://" in argument.split(" ")[0]:
        return True
    if os.sep in argument and os.path.exists(argument):
        return True
    is_file, has_suffix = os.path.isfile(argument), Path(argument).suffix.lower() in SUFFIXES
    if has_suffix and not is_file:
        raise InputError(
            f"There is no picture {argument}: correct the path, or give a text with --text."
        )
    if is_file and not has_suffix:
        raise InputError(
            f"{argument!r} is a file here, and may be meant as a word: give it with --image or "
            "--text."
        )
    return is_file


def _read() -> ImageFile:
    """Read a picture from standard input."""
    data = sys.stdin.buffer.read(MAX_BYTES + 1) if sys.stdin is not None else b""
    if not data:
        raise ImageError("standard input", "it is empty")
    if len(data) > MAX_BYTES:
        raise ImageTooLarge("standard input", f"it is larger than {MAX_BYTES / 2**20:.0f} MiB")
    return ImageFile(data, "standard input")
