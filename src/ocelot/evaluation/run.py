"""Composed retrieval measured on a folder of pictures, with its baselines beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
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
        queries: How many.
        composed: Metrics of the whole queries.
        image_only, text_only: Metrics of the same queries with only one part of each, over
            those that have it ("queries" among the figures says how many).
        chance: What the metrics are on average when pictures come in any order.
    """

    queries: int
    composed: dict[str, float]
    image_only: dict[str, float]
    text_only: dict[str, float]
    chance: dict[str, float]


@dataclass(frozen=True)
class Evaluation(Figures):
    """Figures of one run.

    Attributes:
        gallery: How many pictures were ranked.
        tasks: The figures of each task, where the queries have more than one.
        failures: Pictures of the folder that could not be read and so were not ranked.
    """

    gallery: int
    tasks: dict[str, Figures] = field(default_factory=dict)
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As `ocelot evaluate triplets --json` prints it."""
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
    *,
    progress: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Rank every picture for every query and measure where the first target comes.

    Args:
        folder: What the queries' names are relative to.
        pictures: The gallery: every picture in the folder.
        progress: Called with the number of pictures encoded so far.

    Raises:
        MetadataError: A query names a picture that is not in the gallery.
        InputError: No picture of the folder can be read.
    """
    pictures = list(pictures)
    _check_names(queries, folder, pictures)
    names, vectors, failures = _encode_gallery(encoder, folder, pictures, progress)
    places = {name: number for number, name in enumerate(names)}

    def place(name: str) -> int:
        key = _key(folder / name)
        if key not in places:
            cause = next(failure.reason for failure in failures if failure.path == key)
            raise MetadataError(f"The queries name {name}, which cannot be used: {cause}.")
        return places[key]

    search = _Search(
        vectors,
        [{place(name) for name in query.targets} for query in queries],
        [{place(query.reference)} if query.reference else set() for query in queries],
    )
    # Vectors by the query's number. A reference has its own already: it is in the gallery.
    image_only = {n: vectors[column] for n, own in enumerate(search.left_out) for column in own}
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
            "composed": search.summary(composed, numbers),
            "image_only": search.counted(image_only, numbers),
            "text_only": search.counted(text_only, numbers),
            "chance": search.chance(numbers),
        }

    return Evaluation(
        **measure(range(len(queries))),
        gallery=len(names),
        tasks={t: Figures(**measure(n)) for t, n in tasks.items()} if len(tasks) > 1 else {},
        failures=failures,
    )


@dataclass(frozen=True)
class _Search:
    """Every query over the gallery; a query is its number.

    Attributes:
        gallery: Shape (pictures, dimension).
        targets, left_out: Rows of the gallery, of each query.
    """

    gallery: Matrix
    targets: Sequence[set[int]]
    left_out: Sequence[set[int]]

    def summary(self, vectors: Vectors, numbers: Sequence[int]) -> dict[str, float]:
        """Metrics of those queries among `numbers` that have a vector."""
        asked = [n for n in numbers if n in vectors]
        rows = np.array([vectors[n] for n in asked]).reshape(-1, self.gallery.shape[1])
        columns = [self.targets[n] for n in asked], [self.left_out[n] for n in asked]
        return summary(rows @ self.gallery.T, *columns)

    def counted(self, vectors: Vectors, numbers: Sequence[int]) -> dict[str, float]:
        """The same, with how many they are."""
        return self.summary(vectors, numbers) | {"queries": sum(n in vectors for n in numbers)}

    def chance(self, numbers: Sequence[int]) -> dict[str, float]:
        """Metrics of any order."""
        wanted = [len(self.targets[n] - self.left_out[n]) for n in numbers]
        return chance(wanted, [len(self.gallery) - len(self.left_out[n]) for n in numbers])


def _check_names(queries: Sequence[TripletQuery], folder: Path, pictures: Iterable[Path]) -> None:
    """See that every query can be ranked, before anything is encoded.

    Raises:
        MetadataError: A query names a picture that is not in the gallery, or has no other
            target than its reference.
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
    encoder: Encoder, folder: Path, pictures: Iterable[Path], progress: Callable[[int], None]
) -> tuple[list[str], Matrix, tuple[Failure, ...]]:
    names: list[str] = []
    rows: list[Matrix] = []
    failures: list[Failure] = []
    waiting: list[Any] = []

    def flush() -> None:
        if waiting:
            rows.append(encoder.embed_checked(waiting))
            waiting.clear()
            progress(len(names))

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
