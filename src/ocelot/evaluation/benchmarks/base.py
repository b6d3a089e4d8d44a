"""The one form that every benchmark is read into, and what its readers share."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Annotated, TypeVar

from PIL import Image
from pydantic import StringConstraints, TypeAdapter, ValidationError

from ocelot.errors import InputError, MetadataError
from ocelot.images.file import ImageFile

__all__ = [
    "Benchmark", "BenchmarkQuery", "Box", "Picture", "Text",
    "first_file", "read_json", "read_lines", "template_of", "wrong_field",
]  # fmt: skip

T = TypeVar("T")
Box = tuple[float, float, float, float]  # of a part of a picture: left, top, width and height
Text = Annotated[str, StringConstraints(pattern=r"\S")]  # not blank

_DILATION = 0.7  # of a box's width and height, on the left and above


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
    """A query with its answers. Pictures are named as in `Benchmark.pictures`."""

    id: str  # in the official files, or a number
    reference: str | None
    text: str | None  # as it is encoded
    targets: tuple[str, ...]  # first the one that the text was written for; () if not published
    gallery: tuple[str, ...]  # what is ranked; queries share one tuple where they can
    subset: tuple[str, ...] = ()  # also ranked among themselves, without the reference
    groups: tuple[str, ...] = ()  # that it counts for: a category, aspects, a task


@dataclass(frozen=True)
class Benchmark:
    """Queries over pictures, and how they are measured.

    Attributes:
        name, protocol: What is measured and how, for the report.
        template: How the text of a query was made.
        pictures: Name -> picture, of all galleries and references.
        metrics: Names of `ocelot.evaluation.metrics.measure`.
        gap: The metric of the composition gap, one of these.
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
            where = f"The benchmark {self.name}, query {query.id}"
            if query.id in seen:
                raise MetadataError(f"{where}: there are two with this id.")
            seen.add(query.id)
            for name in (query.reference, *query.targets, *query.subset):
                if name is not None and name not in self.pictures:
                    raise MetadataError(f"{where} names {name}, which is not in the gallery.")
            if not self.ranks_reference and query.targets == (query.reference,):
                raise MetadataError(f"{where}: the only target is the reference itself.")
        if not self.queries:
            raise MetadataError(f"The benchmark {self.name} has no queries.")


def read_json(file: Path, kind: type[T]) -> T:
    """The content of a JSON file, checked against a type by pydantic.

    Raises:
        MetadataError: It cannot be read, or a record (named, from 1) is wrong.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
        return TypeAdapter(kind).validate_python(content)
    except OSError as error:
        raise MetadataError(
            f"Cannot read {file}: {error.strerror}; docs/benchmarks.md says what belongs there."
        ) from None
    except ValidationError as error:
        raise MetadataError(f"{file}{wrong_field(error)}") from None
    except (ValueError, RecursionError):
        raise MetadataError(f"{file} is not JSON.") from None


def read_lines(file: Path) -> Iterator[tuple[str, str]]:
    """The lines of a text file that are not blank, each after its name for messages.

    Raises:
        MetadataError: It cannot be read.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")  # JSON may hold other line ends
    except (OSError, UnicodeDecodeError) as error:
        cause = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise MetadataError(f"Cannot read {file}: {cause}.") from None
    return (
        (f"{file}, line {number}", line) for number, line in enumerate(lines, 1) if line.strip()
    )


def wrong_field(error: ValidationError) -> str:
    """Where the first error is, counted from 1, and what is wrong there."""
    first = error.errors()[0]
    where = ""
    for part in first["loc"]:
        if isinstance(part, str):
            where += f": {part}"
        else:
            where += f" {part + 1}" if where else f", record {part + 1}"
    given = "" if first["type"] == "missing" else f", was: {first['input']!r:.100}"
    return f"{where}: {first['msg']}{given}."


def first_file(files: Iterable[Path]) -> Path:
    """The first of the files that exists, or else the first."""
    first, *others = files
    return next((file for file in (first, *others) if file.is_file()), first)


def template_of(chosen: str, named: Mapping[str, str], fields: Iterable[str]) -> str:
    """The template with a name, or one that is written out: a format string of the fields.

    >>> template_of("but", {"but": "the same, but {text}"}, ["text"])
    'the same, but {text}'

    Raises:
        InputError: There is no such template, or it has an unknown field or none.
    """
    template = named.get(chosen, chosen)
    try:
        used = {name for _, name, _, _ in Formatter().parse(template) if name is not None}
    except ValueError:  # a brace without the other one
        used = set()
    if not used or not used <= {*fields}:
        known = ", ".join(f"{{{field}}}" for field in fields)
        raise InputError(
            f"There is no template {chosen!r}: use {', '.join(named)}, or a text with {known}."
        )
    return template
