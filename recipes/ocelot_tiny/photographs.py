"""Photographs as one array on disk: cut out of their backgrounds, their colours measured.

A folder of photographs has `metadata.csv` beside it, with the columns file_name, category and,
for a finer name, text. Those that show one article before a background ("articles", told by how
their file names begin) are cut out with GrabCut (Rother et al., SIGGRAPH 2004), so that training
can recolour them and put them elsewhere; the others are used whole.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ocelot.errors import ConfigurationError, ImageError
from ocelot.images.file import ImageFile
from recipes.ocelot_tiny.colours import CLEAR, measure_colour, name_of
from recipes.ocelot_tiny.listings import Listing, family_of, plain_background, read_rows

__all__ = [
    "SIDE",
    "Joined",
    "PhotoSet",
    "Photograph",
    "cut_out",
    "read_listing_set",
    "read_metadata",
    "read_names",
    "read_photo_set",
]

SIDE = 144

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


@dataclass(frozen=True)
class Photograph:
    """One photograph of an photos.

    Attributes:
        kind, sort: What it shows, in words: "t-shirt"; "pear" and more finely "conference".
        box: Where it lies in its square: left, top, right, bottom in 0…1.
        article: Whether it is cut out.
        object_box: Where the article lies in the square; `box` where none is cut out.
        main: Main colour of the article, RGB 0…255.
        reach: How far from the main colour recolouring reaches.
        colour: Family of the main colour, where it has a clear one.
        recolourable: Whether the main colour is the article's, so that it can be changed.
        listing: What the table says of it, of a picture from a table.
    """

    file_name: str
    kind: str
    sort: str
    box: tuple[float, float, float, float]
    article: bool
    object_box: tuple[float, float, float, float]
    main: tuple[float, float, float]
    reach: float
    colour: str | None
    recolourable: bool = False
    listing: Listing | None = None


@dataclass(frozen=True)
class PhotoSet:
    """Photographs and their pixels.

    Attributes:
        pixels: uint8, shape (n, 4, SIDE, SIDE): red, green, blue, and where the article is
            (255 everywhere in a photograph that is used whole).
    """

    photographs: tuple[Photograph, ...]
    pixels: Pixels | Joined

    def __add__(self, other: PhotoSet) -> PhotoSet:
        return PhotoSet(self.photographs + other.photographs, Joined(self.pixels, other.pixels))


class Joined:
    """Two arrays of pictures on disk, read as one by the numbers of their rows."""

    def __init__(self, first: Pixels | Joined, second: Pixels | Joined) -> None:
        self.first, self.second = first, second

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def __getitem__(self, rows: Sequence[int]) -> Pixels:
        found = np.empty((len(rows), 4, SIDE, SIDE), np.uint8)
        numbers = np.asarray(rows)
        early = numbers < len(self.first)
        found[early] = self.first[numbers[early].tolist()]
        found[~early] = self.second[(numbers[~early] - len(self.first)).tolist()]
        return found


def read_photo_set(
    folder: Path,
    cache: Path,
    *,
    articles: str,
    without: frozenset[str] = frozenset(),
    only: frozenset[str] | None = None,
    workers: int = 0,
) -> PhotoSet:
    """Read a folder of photographs, each file once, through a file that keeps them prepared.

    Args:
        cache: Where the prepared pictures are kept (`.npy`, with `.json` beside it).
        articles: Beginning of the file names of those that show one article; "" is all.
        without: File names that must not be read: the held-out ones.
        only: File names to read; None reads all.
        workers: Processes.

    Raises:
        ConfigurationError: The folder has no such metadata, or a photograph cannot be read.
    """
    rows = [
        row
        for row in read_metadata(folder)
        if row["file_name"] not in without and (only is None or row["file_name"] in only)
    ]
    if not rows:
        raise ConfigurationError(f"{folder / 'metadata.csv'} names no photograph to use.")
    jobs = [Job(folder, *_words(row), row["file_name"].startswith(articles)) for row in rows]
    return _prepared(jobs, cache, workers)


def read_listing_set(listings: Sequence[Listing], cache: Path, *, workers: int = 0) -> PhotoSet:
    """Read the pictures of tables in the same way.

    Raises:
        ConfigurationError: A picture cannot be read.
    """
    jobs = [
        Job(one.folder, one.file_name, one.kind, one.sort, not one.surface, one) for one in listings
    ]
    found = _prepared(jobs, cache, workers)
    photographs = map(_with_listing, found.photographs, listings)
    return PhotoSet(tuple(photographs), found.pixels)


def _with_listing(photograph: Photograph, listing: Listing) -> Photograph:
    """Believe the table's colour; recolour only where the measured one agrees."""
    measured = name_of(np.array(photograph.main), 30) if photograph.article else None
    family, case = family_of(listing.colour), listing.kind == "phone case"
    return replace(
        photograph,
        colour=family,
        recolourable=family is not None and measured == family and not case,
        # A phone case is printed on all over, whatever was printed on it.
        reach=math.inf if case else photograph.reach,
        listing=listing,
    )


@dataclass(frozen=True)
class Job:
    """A photograph to prepare."""

    folder: Path
    file_name: str
    kind: str
    sort: str
    article: bool
    listing: Listing | None = None


def _prepared(jobs: Sequence[Job], cache: Path, workers: int) -> PhotoSet:
    index = cache.with_suffix(".json")
    if index.is_file() and cache.is_file():
        kept = [_photograph(entry) for entry in json.loads(index.read_text(encoding="utf-8"))]
        asked = [(job.file_name, job.kind, job.sort) for job in jobs]
        if [(one.file_name, one.kind, one.sort) for one in kept] == asked:
            return PhotoSet(tuple(kept), np.load(cache, mmap_mode="r"))
        index.unlink()  # it must never stand beside the pictures of another list
    cache.parent.mkdir(parents=True, exist_ok=True)
    partial = cache.with_suffix(".part.npy")
    pixels = np.lib.format.open_memmap(
        partial, mode="w+", dtype=np.uint8, shape=(len(jobs), 4, SIDE, SIDE)
    )
    photographs = []
    with ProcessPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for number, (photograph, picture) in enumerate(pool.map(_prepare, jobs, chunksize=16)):
            photographs.append(photograph)
            pixels[number] = picture
    pixels.flush()
    partial.replace(cache)
    partial = index.with_suffix(".part.json")
    partial.write_text(json.dumps([vars(one) for one in photographs]), encoding="utf-8")
    partial.replace(index)
    return PhotoSet(tuple(photographs), np.load(cache, mmap_mode="r"))


def _photograph(entry: dict[str, Any]) -> Photograph:
    lists = {key: tuple(value) for key, value in entry.items() if isinstance(value, list)}
    return Photograph(**{**entry, **lists})


def _words(row: dict[str, str]) -> tuple[str, str, str]:
    """File name, kind and sort of a line of the metadata."""
    kind, sort = row["category"], row.get("text") or row["category"]
    return row["file_name"], kind.lower(), sort.lower()


def read_metadata(folder: Path) -> list[dict[str, str]]:
    """The lines of a folder's `metadata.csv`, one for each file name.

    Raises:
        ConfigurationError: It cannot be read, or a line missing_for file_name or category.
    """
    rows, file = read_rows(folder), folder / "metadata.csv"
    for number, row in enumerate(rows, 2):
        if not row.get("file_name") or not row.get("category"):
            raise ConfigurationError(
                f"{file}, line {number}: a photograph needs file_name and category."
            )
    return list({row["file_name"]: row for row in rows}.values())


def read_names(file: Path) -> frozenset[str]:
    """File names of photographs, one to a line.

    Raises:
        ConfigurationError: It cannot be read.
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigurationError(f"Cannot read {file}: {cause}.") from None
    return frozenset(line.strip() for line in lines) - {""}


def _prepare(job: Job) -> tuple[Photograph, Pixels]:
    try:
        image = ImageFile.of(job.folder / job.file_name).rgb()
    except ImageError as error:
        raise ConfigurationError(str(error)) from None
    if job.listing:  # seen as search sees it: the square in the middle
        image = ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BICUBIC)
    image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
    colours = np.asarray(image)
    height, width = colours.shape[:2]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    mask, article = None, job.article
    if article:
        mask = plain_background(colours) if job.listing else cut_out(colours)
    if mask is None:
        mask = np.zeros((height, width), np.uint8)
    # A cut-out of a speck or of everything has failed: such a photograph is used whole.
    least = 0.02 if job.listing else 0.06
    article = article and least < float((mask > 127).mean()) < 0.92
    if article:
        main, reach, colour = measure_colour(colours, mask)
        rows, columns = np.flatnonzero((mask > 127).any(1)), np.flatnonzero((mask > 127).any(0))
        inner = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    else:
        mask = np.full((height, width), 255, np.uint8)
        main, reach, colour = (128.0, 128.0, 128.0), CLEAR, None
        inner = (0, 0, width, height)
    border = ((top, SIDE - height - top), (left, SIDE - width - left))
    square = np.pad(colours, (*border, (0, 0)), mode="edge").transpose(2, 0, 1)
    alpha = np.pad(mask, border)[None]
    box = (left / SIDE, top / SIDE, (left + width) / SIDE, (top + height) / SIDE)
    corners = (inner[0] + left, inner[1] + top, inner[2] + left, inner[3] + top)
    photograph = Photograph(
        file_name=job.file_name,
        kind=job.kind,
        sort=job.sort,
        box=box,
        article=article,
        object_box=tuple(float(corner) / SIDE for corner in corners),  # type: ignore[arg-type]
        main=main,
        reach=reach,
        colour=colour,
        recolourable=article,
    )
    return photograph, np.concatenate([square, alpha])


def cut_out(colours: Pixels) -> Pixels:
    """Where the one article of a photograph is.

    GrabCut from a guess: the frame is background, the middle is the article.

    Args:
        colours: RGB, uint8, shape (height, width, 3).

    Returns:
        uint8, shape (height, width), 0 to 255 with a soft edge; all 0 where it has no frame.

    Raises:
        ConfigurationError: opencv is not installed.
    """
    try:
        import cv2
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Photographs are cut out with opencv: pip install --editable '.[recipe]'."
        ) from None

    height, width = colours.shape[:2]
    if min(height, width) < 3:
        return np.zeros((height, width), np.uint8)
    y, x = np.mgrid[0:height, 0:width]
    x, y = (x + 0.5) / width * 2 - 1, (y + 0.5) / height * 2 - 1
    guess = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    guess[(x / 0.84) ** 2 + (y / 0.92) ** 2 < 1] = cv2.GC_PR_FGD
    guess[(np.abs(x) > 0.93) | (np.abs(y) > 0.93)] = cv2.GC_BGD
    guess[(x / 0.2) ** 2 + (y / 0.2) ** 2 < 1] = cv2.GC_FGD
    cv2.setRNGSeed(1)
    cv2.setNumThreads(1)
    behind, before, unread = np.zeros((1, 65)), np.zeros((1, 65)), (0, 0, 1, 1)
    picture = np.ascontiguousarray(colours)
    cv2.grabCut(picture, guess, unread, behind, before, 4, cv2.GC_INIT_WITH_MASK)
    inside = ((guess == cv2.GC_FGD) | (guess == cv2.GC_PR_FGD)).astype(np.uint8)
    contours, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    # Lettering that looked like background belongs to the article; crumbs beside it do not.
    largest = max((cv2.contourArea(contour) for contour in contours), default=0)
    parts = [contour for contour in contours if cv2.contourArea(contour) > 0.15 * largest]
    holes = cv2.bitwise_not(inside)
    filled = np.zeros_like(inside)
    cv2.drawContours(filled, parts, -1, 255, cv2.FILLED)
    opened = cv2.morphologyEx(holes, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    filled[(opened == 255) & (inside == 0)] = 0
    return np.asarray(cv2.GaussianBlur(filled, (3, 3), 0), np.uint8)
