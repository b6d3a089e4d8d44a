"""Composed retrieval measured on a folder of pictures, with its baselines beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.encoder import Encoder, Matrix
from ocelot.errors import ImageError, InputError, MetadataError
from ocelot.evaluation.datasets import TripletQuery
from ocelot.evaluation.metrics import first_ranks, summary
from ocelot.records import Failure, Item

__all__ = ["Evaluation", "evaluate_triplets"]


@dataclass(frozen=True)
class Evaluation:
    """Figures of one run.

    Attributes:
        queries, gallery: How many.
        composed: Metrics of the whole queries.
        image_only, text_only: Metrics of the same queries with only one part of each, over
            those that have it ("queries" among the figures says how many).
        failures: Pictures of the folder that could not be read and so were not ranked.
    """

    queries: int
    gallery: int
    composed: dict[str, float]
    image_only: dict[str, float]
    text_only: dict[str, float]
    failures: tuple[Failure, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As `ocelot evaluate triplets --json` prints it."""
        table = dict(vars(self))
        table["failures"] = [vars(failure) for failure in self.failures]
        if not self.failures:
            del table["failures"]
        return table


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

    targets = [{place(name) for name in query.targets} for query in queries]
    left_out = [{place(query.reference)} if query.reference else set() for query in queries]

    def measure(items: list[Item | None]) -> dict[str, float]:
        asked = [number for number, item in enumerate(items) if item is not None]
        encoded = encoder.encode(item for item in items if item is not None)
        ranks = first_ranks(
            encoded @ vectors.T, [targets[n] for n in asked], [left_out[n] for n in asked]
        )
        return summary(ranks) | {"queries": len(asked)}

    images = [folder / query.reference if query.reference else None for query in queries]
    texts = [query.text for query in queries]
    whole = measure([Item(image, text) for image, text in zip(images, texts, strict=True)])
    del whole["queries"]
    return Evaluation(
        queries=len(queries),
        gallery=len(names),
        composed=whole,
        image_only=measure([None if image is None else Item(image) for image in images]),
        text_only=measure([None if text is None else Item(text=text) for text in texts]),
        failures=failures,
    )


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
            waiting.append(encoder.prepare(Item(picture)))
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
