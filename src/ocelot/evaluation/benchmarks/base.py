"""The one form that every benchmark is read into, and what its readers share."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from ocelot.errors import InputError, MetadataError
from ocelot.images.file import ImageFile

__all__ = [
    "Benchmark", "BenchmarkQuery", "Box", "Picture", "Record",
    "files_by_name", "filled", "first_folder", "read_json", "read_records", "template_of",
]  # fmt: skip

_DILATION = 0.7  # of a box's width and height, on the left and above


class Box(NamedTuple):
    """A part of a picture, in pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Picture:
    """A picture of a benchmark: a file, or the surroundings of a box in it."""

    path: Path
    box: Box | None = None

    def file(self) -> ImageFile:
        """The picture. A box is cropped as GeneCIS does: enlarged, then squared with black.

        Raises:
            ImageError: It cannot be read.
        """
        file = ImageFile.of(self.path)
        if self.box is None:
            return file
        whole, (left, top, width, height) = file.rgb(), self.box
        left, top = max(0, left - _DILATION * width), max(0, top - _DILATION * height)
        right = min(whole.width, left + (1 + _DILATION) * width)
        bottom = min(whole.height, top + (1 + _DILATION) * height)
        crop = whole.crop((round(left), round(top), round(right), round(bottom)))
        side = max(crop.size)
        square = Image.new("RGB", (side, side))
        square.paste(crop, ((side - crop.width) // 2, (side - crop.height) // 2))
        return ImageFile(ImageFile.of(square).data, f"{self.path} (a part of it)")


@dataclass(frozen=True)
class BenchmarkQuery:
    """A query with its answers. Pictures are named as in `Benchmark.pictures`.

    Attributes:
        id: Its id in the official files, or a number.
        reference: The reference picture, or None.
        text: The text as it is encoded, or None.
        targets: What answers it, first the one that the text was written for; empty if the
            answers are not published.
        gallery: What is ranked. Queries share one tuple where they can.
        subset: Pictures that are also ranked among themselves, without the reference.
        groups: Names of the groups that it counts for: a category, aspects, a task.
    """

    id: str
    reference: str | None
    text: str | None
    targets: tuple[str, ...]
    gallery: tuple[str, ...]
    subset: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Benchmark:
    """Queries over pictures, and how they are measured.

    Attributes:
        name, protocol: What is measured and how, for the report.
        template: How the text of a query was made.
        pictures: Name -> picture, of all galleries and references.
        metrics: Names of `ocelot.evaluation.metrics.measure`.
        gap: The metric of the composition gap.
        ranks_reference: Whether a query's own reference is ranked, too.
        averages_groups: Whether the figures are the unweighted mean of those of the groups.
        strict: Whether a picture that a query names must be readable; else it counts as a miss.
    """

    name: str
    protocol: str
    template: str
    pictures: Mapping[str, Picture]
    queries: tuple[BenchmarkQuery, ...]
    metrics: tuple[str, ...]
    gap: str = "R@10"
    ranks_reference: bool = True
    averages_groups: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for query in self.queries:
            if query.id in seen:
                raise MetadataError(f"The benchmark {self.name} has two queries {query.id}.")
            seen.add(query.id)
        if not self.queries:
            raise MetadataError(f"The benchmark {self.name} has no queries.")


class Record:
    """One object of a JSON file, which names the file and its number (from 1) in errors."""

    def __init__(self, fields: Any, where: str) -> None:
        if not isinstance(fields, dict):
            raise MetadataError(f"{where} is not a JSON object.")
        self.fields, self.where = fields, where

    def wrong(self, key: str, wanted: str) -> MetadataError:
        """An error that says what a field must be."""
        return MetadataError(
            f"{self.where}: {key} must be {wanted}, was: {self.fields.get(key)!r:.100}."
        )

    def text(self, key: str) -> str:
        """A text that is not blank."""
        value = self.fields.get(key)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "text")
        return value

    def integer(self, key: str) -> int:
        """A whole number."""
        value = self.fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(key, "a whole number")
        return value

    def items(self, key: str, kind: type, *, least: int = 1) -> list[Any]:
        """A list of values of one type."""
        value = self.fields.get(key)
        wanted = isinstance(value, list) and all(type(one) is kind for one in value)
        if not isinstance(value, list) or not wanted or len(value) < least:
            raise self.wrong(key, f"a list of {least} or more values of type {kind.__name__}")
        return value

    def part(self, key: str) -> Record:
        """An object within this one."""
        return Record(self.fields.get(key), f"{self.where}, {key}")

    def known(self, key: str, name: str, names: Iterable[str]) -> str:
        """The name, which must be one of the gallery's."""
        if name not in names:
            raise MetadataError(f"{self.where}: {key} names {name}, which is not in the gallery.")
        return name


def read_json(file: Path) -> Any:
    """The content of a JSON file.

    Raises:
        MetadataError: It cannot be read.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise MetadataError(
            f"Cannot read {file}: {error.strerror}; docs/benchmarks.md says what belongs there."
        ) from None
    except (ValueError, RecursionError):
        raise MetadataError(f"{file} is not JSON.") from None


def read_records(file: Path) -> list[Record]:
    """The objects of a JSON list."""
    content = read_json(file)
    if not isinstance(content, list):
        raise MetadataError(f"{file} is not a JSON list.")
    return [Record(one, f"{file}, record {number}") for number, one in enumerate(content, 1)]


def first_folder(*folders: Path | None) -> Path:
    """The first of the folders that exists, or the last that is given."""
    given = [folder for folder in folders if folder is not None]
    return next((folder for folder in given if folder.is_dir()), given[-1])


def files_by_name(folders: Iterable[Path]) -> dict[str, Path]:
    """The files of those folders that exist, by name; a file in an earlier folder counts."""
    found: dict[str, Path] = {}
    for folder in folders:
        if folder.is_dir():
            for entry in os.scandir(folder):
                found.setdefault(entry.name, Path(entry.path))
    return found


def template_of(chosen: str, named: Mapping[str, str], fields: Iterable[str]) -> str:
    """The template with a name, or one that is written out and has a field such as `{text}`.

    >>> template_of("but", {"but": "the same, but {text}"}, ["text"])
    'the same, but {text}'

    Raises:
        InputError: There is no such template, or it has an unknown field or none.
    """
    template = named.get(chosen, chosen)
    used = set(re.findall(r"\{(\w*)\}", template))
    if not used or not used <= {*fields}:
        known = ", ".join(f"{{{field}}}" for field in fields)
        raise InputError(
            f"There is no template {chosen!r}: use {', '.join(named)}, or a text with {known}."
        )
    return template


def filled(template: str, fields: Mapping[str, str]) -> str:
    """The template with its fields.

    >>> filled("{concept} that {text}", {"text": "is asleep", "concept": "a cat"})
    'a cat that is asleep'
    """
    return re.sub(r"\{(\w+)\}", lambda found: fields[found[1]], template)
