"""Files of triplets: JSON lines of reference, text, target and further negatives.

::

    {"reference": "red.jpg", "text": "in blue", "target": "blue.jpg", "negatives": ["navy.jpg"]}
    {"reference": null, "text": "a striped mug", "target": "mugs/7.jpg"}

Names are relative to the file's folder.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from ocelot.errors import MetadataError
from ocelot.images.decode import hash_bytes
from ocelot.model.tokenizer import TextTokenizer

__all__ = ["Triplet", "TripletFile", "cut_texts", "read_triplet_file"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Triplet:
    """One triplet; its pictures are numbers within `TripletFile.pictures`."""

    reference: int | None
    text: str | None
    target: int
    negatives: tuple[int, ...]

    @property
    def pictures(self) -> tuple[int, ...]:
        """All pictures that it names."""
        numbers = (self.reference, self.target, *self.negatives)
        return tuple(number for number in numbers if number is not None)


@dataclass(frozen=True)
class TripletFile:
    """A file of triplets.

    Attributes:
        pictures: Every picture that the triplets name, once.
        fingerprint: SHA-256 of the file.
    """

    path: Path
    pictures: tuple[Path, ...]
    triplets: tuple[Triplet, ...]
    fingerprint: str


def read_triplet_file(path: Path) -> TripletFile:
    """Read a file of triplets and check that its pictures exist.

    Raises:
        MetadataError: The file cannot be read, a line (the message has its number) is wrong, or
            a picture is missing.
    """
    try:
        data = path.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MetadataError(f"Cannot read {path}: {cause}.") from None
    numbers: dict[Path, int] = {}
    triplets = [
        _triplet(line, numbers, path.parent, f"{path}, line {number}")
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]
    if not triplets:
        raise MetadataError(f"{path} holds no triplets: write one JSON object to a line.")
    return TripletFile(path, tuple(numbers), tuple(triplets), hash_bytes(data))


def _triplet(line: str, numbers: dict[Path, int], folder: Path, where: str) -> Triplet:
    try:
        entry: Any = from_json(line)  # unlike json, it refuses half surrogate pairs
    except ValueError:
        raise MetadataError(f"{where} is not JSON.") from None
    if not isinstance(entry, dict):
        raise MetadataError(f"{where} is not a JSON object.")
    reference, text, target = (entry.get(key) for key in ("reference", "text", "target"))
    for name, value in (("reference", reference), ("text", text)):
        if value is not None and not isinstance(value, str):
            raise MetadataError(f"{where}: {name} must be text or null, was: {value!r}.")
    text = (text or "").strip() or None
    if not (reference or text):
        raise MetadataError(f"{where} has neither a reference nor a text.")
    if not isinstance(target, str) or not target:
        raise MetadataError(f"{where}: target must be a file name, was: {target!r}.")
    negatives = entry.get("negatives") or []
    if not isinstance(negatives, list) or not all(isinstance(name, str) for name in negatives):
        raise MetadataError(f"{where}: negatives must be a list of file names.")

    def number(name: str) -> int:
        path = Path(os.path.normpath(folder / name))
        if path not in numbers and not path.is_file():
            raise MetadataError(f"{where}: there is no picture {path}.")
        return numbers.setdefault(path, len(numbers))

    shown = number(reference) if reference else None
    return Triplet(shown, text, number(target), tuple(map(number, negatives)))


def cut_texts(file: TripletFile, tokenizer: TextTokenizer, longest: int) -> TripletFile:
    """Cut texts to `longest` tokens; the log says once how many were longer."""
    triplets, cut = list(file.triplets), 0
    for place, triplet in enumerate(triplets):
        tokens = tokenizer.tokenizer.encode(triplet.text or "")
        if triplet.text and len(tokens.ids) > longest:
            end = tokens.offsets[longest - 2][1]  # the last token closes the text
            triplets[place] = replace(triplet, text=triplet.text[:end])
            cut += 1
    if cut:
        log.warning("%s: texts cut to their first %d tokens: %d.", file.path, longest, cut)
    return replace(file, triplets=tuple(triplets))
