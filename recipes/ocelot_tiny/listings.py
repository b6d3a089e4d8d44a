"""Product photographs and pictures of named things, read from the tables of shops and collections.

A table is a folder with `metadata.csv`: file_name, title, kind, colour, keywords, design, split. A
picture before a plain background is cut out by filling that background from the border.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ocelot.errors import ConfigurationError
from ocelot.model.preprocess import Pixels
from recipes.ocelot_tiny.colours import SHADES

__all__ = [
    "Listing",
    "family_of",
    "kind_words",
    "number_of",
    "plain_background",
    "read_listings",
    "read_rows",
    "themed_pairs",
]

_FAMILIES = {
    **{shade: family for family, shades in SHADES.items() for shade in shades},
    "gray": "grey", "silver": "grey", "steel": "grey", "violet": "purple", "mauve": "purple",
    "golden": "yellow", "wine": "red", "off white": "white", "khaki": "green", "peach": "orange",
    "cognac": "brown", "espresso": "brown", "walnut": "brown", "coffee": "brown", "taupe": "tan",
    "nude": "tan", "natural": "tan",
}  # fmt: skip

_NO_COLOURS = ("others", "other", "na", "assorted", "multi-colored", "multi-color", "mixed")

# Words of printed cases' titles that name no theme.
_VAGUE = frozenset([
    "mobile", "phone", "back", "case", "cover", "brand", "design", "hard", "soft", "red", "black",
    "blue", "white", "green", "pink", "purple", "yellow", "orange", "brown", "heart", "girl", "man",
    "woman", "person", "face", "button", "hand",
])  # fmt: skip
_PRINT_NAME = re.compile(r"designer (.{3,40}?) (?:3d printed|uv printed|printed)")


@dataclass(frozen=True)
class Listing:
    """What a table says of one picture, in lower case.

    Attributes:
        kind: The wider kind of thing, as `kinds.txt` has it; "" if it is not known.
        sort: The table's own word for the kind.
        said_colour: The table's word for the colour.
        item: Equal for pictures of one design, or of one concept.
        variant: Whether the design stands in the table in several colours.
    """

    folder: Path
    file_name: str
    title: str
    kind: str
    sort: str
    said_colour: str
    keywords: tuple[str, ...]
    item: int
    variant: bool

    @property
    def source(self) -> str:
        """Name of the table."""
        return self.folder.name

    @property
    def path(self) -> Path:
        """Where the picture is."""
        return self.folder / self.file_name

    @property
    def colour(self) -> str:
        """The table's word for the colour, or "" if it says nothing, such as "others"."""
        return "" if self.said_colour in _NO_COLOURS else self.said_colour

    @property
    def named(self) -> bool:
        """Whether it is from a collection of named things, where everything has another name."""
        return self.sort == self.title

    @property
    def surface(self) -> bool:
        """Whether it shows a surface, from edge to edge."""
        return self.title.endswith(" texture") or self.sort == "swatch"


def read_listings(
    folder: Path, *, without: AbstractSet[str] = frozenset(), held_out: bool = False
) -> list[Listing]:
    """Read a table: its lines that are trained on, or those whose split is "held-out".

    Args:
        without: Titles that are left out.

    Raises:
        ConfigurationError: It cannot be read, or lacks the columns file_name and title.
    """
    rows, file = read_rows(folder), folder / "metadata.csv"
    for number, row in enumerate(rows, 2):
        if (split := row.get("split", "")) not in ("", "train", "held-out"):
            raise ConfigurationError(
                f"{file}, line {number}: split must be train or held-out, was: {split!r}."
            )
    chosen = [row for row in rows if (row.get("split") == "held-out") is held_out]
    try:
        return [one for row in chosen if (one := _listing(folder, row)).title not in without]
    except KeyError as error:
        raise ConfigurationError(f"{file} is no table with file_name and title: {error}.") from None


def read_rows(folder: Path) -> list[dict[str, str]]:
    """Read the lines of a folder's `metadata.csv`; what a short line lacks is "".

    Raises:
        ConfigurationError: It cannot be read.
    """
    file = folder / "metadata.csv"
    try:
        with open(file, newline="", encoding="utf-8-sig") as stream:
            return list(csv.DictReader(stream, restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"Cannot read {file}: {cause}.") from None


def _listing(folder: Path, row: Mapping[str, str]) -> Listing:
    title, sort = row["title"].lower().strip(), row.get("kind", "").lower()
    if not row.get("split") and not title.endswith(" texture"):
        sort = title  # such a table names things by title, and its kinds are chapters
    wider = _kinds().get(sort, (sort, ()))[0]
    design = row.get("design", "")
    of_item = f"{folder.name}/{design}" if design else title
    if row.get("split") and not design:
        of_item = f"{folder.name}/{row['file_name']}"
    return Listing(
        folder=folder,
        file_name=row["file_name"],
        title=title,
        kind=wider,
        sort=sort,
        said_colour=row.get("colour", "").lower(),
        keywords=tuple(filter(None, re.split(r"[;,]\s*", row.get("keywords", "").lower().strip()))),
        item=number_of(of_item),
        variant=bool(design),
    )


def number_of(words: str) -> int:
    """Return a number that is the same in every process, and in a run that is resumed."""
    return zlib.crc32(words.encode())


@lru_cache(maxsize=1)
def _kinds() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    table = {}
    for line in (Path(__file__).parent / "kinds.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            word, wider, spoken = (part.strip() for part in line.split(":"))
            table[word] = wider, tuple(spoken.split(", "))
    return table


def kind_words(sort: str) -> tuple[str, ...]:
    """Return the words for a shop's kind, its own first.

    >>> kind_words("boot")
    ('boot', 'boots', 'ankle boots')
    """
    return tuple(dict.fromkeys([sort, *_kinds().get(sort, (sort, ()))[1]]))


@lru_cache(maxsize=4096)
def family_of(colour: str) -> str | None:
    """Return the family of a shop's word for a colour, or None.

    >>> family_of("navy blue"), family_of("oil-rubbed bronze"), family_of("black leather")
    ('blue', None, 'black')
    """
    if colour in _FAMILIES:
        return _FAMILIES[colour]
    words = re.findall("[a-z]+", colour)
    found = {_FAMILIES[word] for word in words if word in _FAMILIES}
    return found.pop() if len(found) == 1 else None


def plain_background(colours: Pixels) -> Pixels | None:
    """Where the thing before a plain background is.

    Args:
        colours: RGB, uint8, shape (height, width, 3).

    Returns:
        uint8, shape (height, width), 0 to 255 with a soft edge; None if the border is not plain.
    """
    import cv2

    border = np.concatenate([colours[0], colours[-1], colours[:, 0], colours[:, -1]]).astype(int)
    ground = np.median(border, axis=0)
    if (np.abs(border - ground).max(axis=1) < 14).mean() < 0.6:
        return None
    framed = np.pad(colours, ((1, 1), (1, 1), (0, 0)))
    framed[[0, -1]] = framed[:, [0, -1]] = ground.astype(np.uint8)
    cv2.setNumThreads(1)  # a forked process could not use its threads
    # A vignette or a soft shadow drifts slowly, an edge does not.
    mask = np.zeros((framed.shape[0] + 2, framed.shape[1] + 2), np.uint8)
    flags = 4 | (255 << 8) | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE
    cv2.floodFill(np.ascontiguousarray(framed), mask, (0, 0), 0, (14,) * 3, (14,) * 3, flags)
    inside = cv2.bitwise_not(mask[2:-2, 2:-2])
    return np.asarray(cv2.GaussianBlur(inside, (3, 3), 0), np.uint8)


def themed_pairs(listings: Mapping[int, Listing], concepts: Sequence[int]) -> list[tuple[int, int]]:
    """Pair pictures that share a theme, told by the titles of printed phone cases.

    Args:
        listings: By number of the picture.
        concepts: Numbers of the pictures of named things.

    Returns:
        A concept with a case whose title names it, and two cases with one print.
    """
    named: dict[str, list[int]] = {}
    for number in concepts:
        listing = listings[number]
        for word in {listing.title, *listing.keywords[:2]} - _VAGUE:
            if len(word) > 2:
                named.setdefault(word, []).append(number)
    pairs: list[tuple[int, int]] = []
    prints: dict[str, list[int]] = {}
    for number, listing in listings.items():
        if listing.kind != "phone case":
            continue
        if found := _PRINT_NAME.search(listing.title):
            prints.setdefault(found[1], []).append(number)
            for word in found[1].split():
                for known in {word, word.removesuffix("s")}:
                    pairs += [(concept, number) for concept in named.get(known, ())]
    for same in prints.values():
        pairs += [(a, b) for a in same for b in same if a != b]
    return pairs
