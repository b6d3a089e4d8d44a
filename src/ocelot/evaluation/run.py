"""Evaluate composed retrieval on a folder of pictures, with baselines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.encoders.base import Encoder, Matrix
from ocelot.errors import ImageError, InputError, MetadataError
from ocelot.evaluation.datasets import TripletQuery
from ocelot.evaluation.metrics import chance, summary
from ocelot.types import Failure, Input

if TYPE_CHECKING:
    from ocelot.types import Vector

__all__ = ["Evaluation", "Figures", "evaluate_triplets"]


@dataclass(frozen=True)
class Figures:
    """How well queries find their targets.

    Attributes:
        queries: The number of queries.
        composed: Metrics of the whole queries.
        image_only, text_only: Metrics of the same queries with only their reference, or only
            their text, over those that have it; "queries" is their number.
        chance: The expected metrics of a random order.
    """

    queries: int
    composed: dict[str, float]
    image_only: dict[str, float]
    text_only: dict[str, float]
    chance: dict[str, float]


@dataclass(frozen=True)
class Evaluation(Figures):
    """The figures of one run.

    Attributes:
        gallery: The number of pictures that were ranked.
        tasks: The figures of each task, where the queries have more than one.
        failures: Pictures that could not be read and were not ranked.
    """

    gallery: int
    tasks: dict[str, Figures] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what `ocelot evaluate triplets --json` prints."""
        table = dict(vars(self))
        table["tasks"] = {task: vars(figures) for task, figures in self.tasks.items()}
        table["failures"] = [vars(failure) for failure in self.failures]
        optional = ("tasks", "failures")
        return {key: value for key, value in table.items() if value or key not in optional}


def evaluate_triplets(
    encoder: Encoder,
    queries: Sequence[TripletQuery],
    folder: Path,
    pictures: Iterable[Path],
) -> Evaluation:
    """Rank every picture for every query, and measure where the targets are.

    Args:
        folder: The folder that the names in the queries are relative to.
        pictures: The gallery: all pictures to rank.

    Raises:
        MetadataError: A query names a picture that is not in the gallery or cannot be read, or
            its only target is its reference.
        InputError: No picture can be read.
    """
    paths = list(dict.fromkeys(os.path.normpath(picture) for picture in pictures))
    _check_names(queries, folder, set(paths))
    rows, vectors, failures = _encode_gallery(encoder, folder, paths)

    def row_of(name: str) -> int:
        path = _path(folder, name)
        if path not in rows:
            cause = next(failure.reason for failure in failures if failure.path == path)
            raise MetadataError(f"The queries name {name}, which cannot be used: {cause}.")
        return rows[path]

    # A query is given by its number, a picture by its row in `vectors`.
    targets = [{row_of(name) for name in query.targets} for query in queries]
    left_out = [{row_of(query.reference)} if query.reference else set() for query in queries]
    # A reference is in the gallery, so it is encoded already.
    image_only = {number: vectors[row] for number, own in enumerate(left_out) for row in own}
    texts = {number: query.text for number, query in enumerate(queries) if query.text}
    pairs = {
        number: Input(folder / str(queries[number].reference), text, is_query=True)
        for number, text in texts.items()
        if number in image_only
    }
    asked = (Input(text=text, is_query=True) for text in texts.values())
    text_only = dict(zip(texts, encoder.encode(asked), strict=True))
    joint = dict(zip(pairs, encoder.encode(pairs.values()), strict=True))
    composed = image_only | text_only | joint

    def figures(encoded: Mapping[int, Vector], numbers: Sequence[int]) -> dict[str, float]:
        given = [number for number in numbers if number in encoded]
        asked = np.array([encoded[number] for number in given]).reshape(-1, vectors.shape[1])
        chosen = ([sets[number] for number in given] for sets in (targets, left_out))
        return summary(asked @ vectors.T, *chosen) | {"queries": len(given)}

    def measure(numbers: Sequence[int]) -> dict[str, Any]:
        whole = figures(composed, numbers)
        return {
            "queries": whole.pop("queries"),
            "composed": whole,
            "image_only": figures(image_only, numbers),
            "text_only": figures(text_only, numbers),
            "chance": chance(
                [len(targets[number] - left_out[number]) for number in numbers],
                [len(vectors) - len(left_out[number]) for number in numbers],
            ),
        }

    tasks: dict[str, list[int]] = {}
    for number, query in enumerate(queries):
        tasks.setdefault(query.task or "other", []).append(number)
    return Evaluation(
        **measure(range(len(queries))),
        gallery=len(rows),
        tasks={t: Figures(**measure(n)) for t, n in tasks.items()} if len(tasks) > 1 else {},
        failures=failures,
    )


def _path(folder: Path, name: str) -> str:
    return os.path.normpath(folder / name)


def _check_names(queries: Sequence[TripletQuery], folder: Path, known: set[str]) -> None:
    """Check that every query can be ranked, before anything is encoded."""
    for query in queries:
        for name in (query.reference, *query.targets):
            if name is not None and _path(folder, name) not in known:
                raise MetadataError(
                    f"The queries name {name}, which cannot be used: {folder} has no such picture."
                )
        targets = {_path(folder, name) for name in query.targets}
        if query.reference is not None and targets == {_path(folder, query.reference)}:
            raise MetadataError(f"The only target of a query is its reference: {query.reference}.")


def _encode_gallery(
    encoder: Encoder, folder: Path, paths: Iterable[str]
) -> tuple[dict[str, int], Matrix, tuple[Failure, ...]]:
    """Return the row of each readable picture, the vectors, and the other pictures."""
    rows: dict[str, int] = {}
    failures: list[Failure] = []

    def prepared() -> Iterator[Any]:
        for path in paths:
            try:
                yield encoder.prepare(Input(path))
            except ImageError as error:
                failures.append(Failure(path, error.reason))
            else:
                rows[path] = len(rows)

    inputs = prepared()
    batches = []
    while batch := list(islice(inputs, encoder.batch_size)):
        batches.append(encoder.embed_checked(batch))
    if not batches:
        raise InputError(f"There is no picture that can be read in {folder}.")
    return rows, np.concatenate(batches), tuple(failures)
