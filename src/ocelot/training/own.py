"""Your own triplets: JSON lines of reference, text, target and further negatives.

::

    {"reference": "red.jpg", "text": "in blue", "target": "blue.jpg", "negatives": ["navy.jpg"]}
    {"reference": null, "text": "a striped mug", "target": "mugs/7.jpg"}

Names are relative to the file's folder.
"""

from __future__ import annotations

import json
import logging
import os
import random
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ocelot.errors import ConfigurationError, ImageError, MetadataError
from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile
from ocelot.model.preprocess import Pixels, to_pixels
from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.triplets import OPEN, Draft, Shot, Traits

__all__ = [
    "Files", "Line", "OwnTriplets", "add_lines", "cut_texts", "draw_lines", "read_own",
    "usable_lines",
]  # fmt: skip

log = logging.getLogger(__name__)

_FIRST_FILE = 1_000_000_000  # the ids of items below it are the catalogue's and the photographs'
_THREADS = 8
_KEPT_BYTES = 2**29


@dataclass(frozen=True)
class Line:
    """One triplet; pictures are numbers within `OwnTriplets.files`."""

    reference: int | None
    text: str | None
    target: int
    negatives: tuple[int, ...]

    @property
    def pictures(self) -> tuple[int, ...]:
        """All that the line shows."""
        seen = () if self.reference is None else (self.reference,)
        return (*seen, self.target, *self.negatives)


@dataclass(frozen=True)
class OwnTriplets:
    """A file of triplets.

    Attributes:
        files: Every picture that it names, once.
        fingerprint: SHA-256 of the file.
    """

    file: Path
    files: tuple[Path, ...]
    lines: tuple[Line, ...]
    fingerprint: str


def read_own(file: Path) -> OwnTriplets:
    """Read a file of triplets, and see that its pictures are there.

    Raises:
        MetadataError: The file cannot be read, a line (named by number) is not such, or a
            picture is missing.
    """
    try:
        data = file.read_bytes()
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MetadataError(f"Cannot read {file}: {cause}.") from None
    numbers: dict[Path, int] = {}
    lines = [
        _line(line, numbers, file.parent, f"{file}, line {number}")
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]
    if not lines:
        raise MetadataError(f"{file} holds no triplets: write one JSON object to a line.")
    return OwnTriplets(file, tuple(numbers), tuple(lines), hash_bytes(data))


def _line(line: str, numbers: dict[Path, int], folder: Path, where: str) -> Line:
    try:
        entry: Any = json.loads(line)
    except (ValueError, RecursionError):
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

    seen = number(reference) if reference else None
    return Line(seen, text, number(target), tuple(map(number, negatives)))


def cut_texts(own: OwnTriplets, tokenizer: TextTokenizer, longest: int) -> OwnTriplets:
    """The triplets with texts of at most so many tokens; the log says how many were longer."""
    lines = []
    for line in own.lines:
        tokens = tokenizer.tokenizer.encode(line.text or "")
        if line.text and len(tokens.ids) > longest:
            end = tokens.offsets[longest - 2][1]  # the last token closes the text
            line = replace(line, text=line.text[:end])
        lines.append(line)
    cut = sum(new is not old for new, old in zip(lines, own.lines, strict=True))
    if cut:
        log.warning("%s: texts cut to their first %d tokens: %d.", own.file, longest, cut)
    return replace(own, lines=tuple(lines))


class Files:
    """Pictures of files, decoded in a few threads; those used last stay in memory.

    Args:
        size: Pixels along one side.
    """

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        self.paths, self.size = paths, size
        self._broken: set[int] = set()
        self._kept: OrderedDict[int, Pixels] = OrderedDict()
        self._room = _KEPT_BYTES // (3 * size * size)

    def read(self, numbers: Sequence[int]) -> dict[int, Pixels]:
        """uint8 pixels of shape (3, size, size), as search sees them, by the picture's number.

        A picture that cannot be decoded is left out, and reported on the log the first time.
        """
        wanted = list(dict.fromkeys(numbers))
        found = {number: self._kept[number] for number in wanted if number in self._kept}
        fresh = [n for n in wanted if n not in found and n not in self._broken]
        if fresh:
            with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1, len(fresh))) as pool:
                for number, pixels in zip(fresh, pool.map(self._decode, fresh), strict=True):
                    if isinstance(pixels, ImageError):
                        self._broken.add(number)
                        log.warning("%s Its triplets are left out.", pixels)
                    else:
                        found[number] = pixels
        for number, pixels in found.items():
            self._kept[number] = pixels
            self._kept.move_to_end(number)
        while len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return found

    def _decode(self, number: int) -> Pixels | ImageError:
        try:
            return to_pixels(ImageFile.of(self.paths[number]).rgb(), self.size)
        except ImageError as error:
            return error


def draw_lines(
    own: OwnTriplets, files: Files, count: int, *, seed: int, step: int, rank: int, size: int
) -> list[Line]:
    """One process's triplets of one step: different ones for each until all have had their turn.

    Each epoch goes through all lines in another order. A line with a picture that cannot be
    decoded is replaced by another one. The same arguments and files give the same lines.

    Args:
        rank, size: This process's number, and how many there are.

    Raises:
        ConfigurationError: Every line has a picture that cannot be decoded.
    """
    first = (step * size + rank) * count
    drawn = []
    for position in range(first, first + count):
        epoch, place = divmod(position, len(own.lines))
        drawn.append(own.lines[_order(len(own.lines), f"own/{seed}/{epoch}")[place]])
    whole = files.read([number for line in drawn for number in line.pictures])
    return [
        line
        if whole.keys() >= set(line.pictures)
        else _replacement(own, files, f"own/{seed}/at {position}")
        for position, line in enumerate(drawn, first)
    ]


@lru_cache(maxsize=4)
def _order(length: int, seed: str) -> list[int]:
    return random.Random(seed).sample(range(length), length)


def _replacement(own: OwnTriplets, files: Files, seed: str) -> Line:
    for line in random.Random(seed).sample(own.lines, len(own.lines)):
        if files.read(line.pictures).keys() >= set(line.pictures):
            return line
    raise _none_left(own)


def usable_lines(own: OwnTriplets, files: Files) -> list[Line]:
    """Those lines whose pictures can all be decoded.

    Raises:
        ConfigurationError: There is none.
    """
    whole = files.read(range(len(own.files))).keys()
    lines = [line for line in own.lines if whole >= set(line.pictures)]
    if not lines:
        raise _none_left(own)
    return lines


def _none_left(own: OwnTriplets) -> ConfigurationError:
    return ConfigurationError(
        f"Every line of {own.file} has a picture that cannot be read: the log names them."
    )


def add_lines(draft: Draft, lines: Sequence[Line]) -> None:
    """Ask for the lines' targets; each file is shown once, and counts for every line of it.

    All that lines name are candidates for every query. A picture answers a query if it is of the
    target's file; a reference that is not is therefore a negative of its own query. Whether it
    answers queries of other makers is not known, so that there it does not count.
    """
    shown: dict[int, int] = {}

    def show(number: int) -> int:
        if number not in shown:
            shown[number] = draft.add(Shot("file", number, _traits(number)))
        return shown[number]

    for line in lines:
        target, reference = show(line.target), None
        for number in line.negatives:
            show(number)
        if line.reference == line.target:  # another view of it
            reference = draft.add(Shot("file", line.target, _traits(line.target)))
        elif line.reference is not None:
            reference = show(line.reference)
        draft.ask(reference, line.text, target, _traits(line.target))


def _traits(number: int) -> Traits:
    return OPEN._replace(item=_FIRST_FILE + number)
