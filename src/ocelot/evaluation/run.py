"""Evaluate composed retrieval on a folder of pictures, with baselines."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.encoders.base import Encoder, Matrix
from ocelot.errors import ImageError, InputError, MetadataError
from ocelot.evaluation.datasets import TripletQuery
from ocelot.evaluation.metrics import chance, summary
from ocelot.types import Failure, Input

__all__ = ["Evaluation", "Figures", "evaluate_triplets"]

Vectors = Mapping[int, np.ndarray[Any, np.dtype[np.float32]]]


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
        return {key: value for key, value in table.items() if value or key not in _OPTIONAL}


_OPTIONAL = ("tasks", "failures")


def evaluate_triplets(
    encoder: Encoder,
    queries: Sequence[TripletQuery],
    folder: Path,
    pictures: Iterable[Path],
) -> Evaluation:
    """Rank every picture for every query, and measure where the first target is.

    Args:
        folder: The folder that the names in the queries are relative to.
        pictures: The gallery: all pictures to rank.

    Raises:
        MetadataError: A query names a picture that is not in the gallery.
        InputError: No picture can be read.
    """
    pictures = list(pictures)
    _check_names(queries, folder, pictures)
    names, vectors, failures = _encode_gallery(encoder, folder, pictures)
    rows = {name: row for row, name in enumerate(names)}

    def row_of(name: str) -> int:
        key = _key(folder / name)
        if key not in rows:
            cause = next(failure.reason for failure in failures if failure.path == key)
            raise MetadataError(f"The queries name {name}, which cannot be used: {cause}.")
        return rows[key]

    gallery = _Gallery(
        vectors,
        [{row_of(name) for name in query.targets} for query in queries],
        [{row_of(query.reference)} if query.reference else set() for query in queries],
    )
    # Vectors by the number of the query. A reference is in the gallery, so it is encoded already.
    image_only = {n: vectors[row] for n, own in enumerate(gallery.left_out) for row in own}
    texts = {n: query.text for n, query in enumerate(queries) if query.text}
    pairs = {
        n: Input(folder / str(queries[n].reference), text)
        for n, text in texts.items()
        if n in image_only
    }
    text_only = dict(zip(texts, encoder.encode(texts.values()), strict=True))
    joint = dict(zip(pairs, encoder.encode(pairs.values()), strict=True))
    composed = image_only | text_only | joint
    tasks: dict[str, list[int]] = {}
    for number, query in enumerate(queries):
        tasks.setdefault(query.task or "other", []).append(number)

    def measure(numbers: Sequence[int]) -> dict[str, Any]:
        return {
            "queries": len(numbers),
            "composed": gallery.summary(composed, numbers),
            "image_only": gallery.counted(image_only, numbers),
            "text_only": gallery.counted(text_only, numbers),
            "chance": gallery.chance(numbers),
        }

    return Evaluation(
        **measure(range(len(queries))),
        gallery=len(names),
        tasks={t: Figures(**measure(n)) for t, n in tasks.items()} if len(tasks) > 1 else {},
        failures=failures,
    )


@dataclass(frozen=True)
class _Gallery:
    """The pictures to rank. A query is given by its number.

    Attributes:
        vectors: Shape (pictures, dimension).
        targets, left_out: For each query, rows of the gallery.
    """

    vectors: Matrix
    targets: Sequence[set[int]]
    left_out: Sequence[set[int]]

    def summary(self, vectors: Vectors, numbers: Sequence[int]) -> dict[str, float]:
        """Return the metrics of those of the queries that have a vector."""
        given = [n for n in numbers if n in vectors]
        rows = np.array([vectors[n] for n in given]).reshape(-1, self.vectors.shape[1])
        scores = rows @ self.vectors.T
        return summary(scores, [self.targets[n] for n in given], [self.left_out[n] for n in given])

    def counted(self, vectors: Vectors, numbers: Sequence[int]) -> dict[str, float]:
        """Return the same, with the number of these queries."""
        return self.summary(vectors, numbers) | {"queries": sum(n in vectors for n in numbers)}

    def chance(self, numbers: Sequence[int]) -> dict[str, float]:
        """Return the expected metrics of a random order."""
        wanted = [len(self.targets[n] - self.left_out[n]) for n in numbers]
        return chance(wanted, [len(self.vectors) - len(self.left_out[n]) for n in numbers])


def _check_names(queries: Sequence[TripletQuery], folder: Path, pictures: Iterable[Path]) -> None:
    """Check that every query can be ranked, before anything is encoded.

    Raises:
        MetadataError: A query names a picture that is not in the gallery, or its only target is
            its reference.
    """
    known = {_key(picture) for picture in pictures}
    for query in queries:
        for name in (query.reference, *query.targets):
            if name is not None and _key(folder / name) not in known:
                raise MetadataError(
                    f"The queries name {name}, which cannot be used: {folder} has no such picture."
                )
        targets = {_key(folder / name) for name in query.targets}
        if query.reference is not None and targets == {_key(folder / query.reference)}:
            raise MetadataError(f"The only target of a query is its reference: {query.reference}.")


def _key(path: Path) -> str:
    return os.path.normpath(path)


def _encode_gallery(
    encoder: Encoder, folder: Path, pictures: Iterable[Path]
) -> tuple[list[str], Matrix, tuple[Failure, ...]]:
    names: list[str] = []
    rows: list[Matrix] = []
    failures: list[Failure] = []
    waiting: list[Any] = []

    def flush() -> None:
        if waiting:
            rows.append(encoder.embed_checked(waiting))
            waiting.clear()

    for picture in pictures:
        try:
            waiting.append(encoder.prepare(Input(picture)))
        except ImageError as error:
            failures.append(Failure(_key(picture), error.reason))
            continue
        names.append(_key(picture))
        if len(waiting) == encoder.batch_size:
            flush()
    flush()
    if not rows:
        raise InputError(f"There is no picture that can be read in {folder}.")
    return names, np.concatenate(rows), tuple(failures)
