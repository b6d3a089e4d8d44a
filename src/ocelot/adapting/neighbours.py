"""A catalogue without metadata: described pictures, and changes between near neighbours.

Pairs are mined as MegaPairs does (arXiv 2412.14475): similar but not the same, for an encoder; a
model says what changes, and the other neighbours are hard negatives. Here both pictures are of one
part, so that the held-out questions are about held-out pictures.
"""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ocelot.adapting.answers import CHANGES, TITLES
from ocelot.adapting.columns import Columns
from ocelot.adapting.describe import Describer
from ocelot.adapting.language import Language
from ocelot.adapting.questions import Asker, answers
from ocelot.adapting.understand import Catalogue, Change, catalogue_of, pictures_of
from ocelot.encoders.base import Encoder, Matrix
from ocelot.errors import InputError, RerankError
from ocelot.images.file import ImageFile
from ocelot.query import Input
from ocelot.settings import Settings
from ocelot.words import count

__all__ = ["described", "mined"]

_NEAREST = 8  # neighbours, of which one is described and the others are hard negatives
_SAME = 0.1  # of the usual distance to a neighbour: closer ones are near duplicates


def described(
    folder: Path,
    encoder: Encoder,
    settings: Settings,
    calls: int,
    least: int,
    given: Columns,
    language: Language,
    say: Callable[[str], None],
) -> Catalogue:
    """Let the vision model of the settings describe a folder's pictures; see `Describer`.

    Args:
        least: Pictures without which nothing is asked.

    Raises:
        ConfigurationError: The settings name no model that can be asked.
        InputError: There is no such folder, or too few pictures or calls.
        RerankError: The endpoint failed, or the model gave no answer that can be used.
    """
    folder = folder.absolute()
    pictures = sorted(pictures_of(folder), key=lambda path: _drawn(os.path.relpath(path, folder)))
    describer = Describer(settings, calls, language, say)
    titles, pairs = describer.plan(len(pictures))
    if titles < least:
        raise InputError(
            f"{count(titles)} would be described, and {least} are needed to learn from: nothing "
            "was asked. Give a folder with more pictures, or more calls (--calls)."
        )
    found = describer.describe(TITLES, [(path,) for path in pictures[:titles]])
    lines = {
        path: answer for path, answer in zip(pictures, found, strict=False) if "fault" not in answer
    }
    if not lines:
        raise RerankError(
            f"{describer.name} gave no answer that can be used ({describer.left_out()}): use "
            "another model, or raise llm_max_tokens."
        )
    source = f"described by {describer.name}"
    catalogue = catalogue_of(folder, lines, source, given, language)
    rows = catalogue.rows
    vectors = encoder.encode(Input(ImageFile.of(row.path)) for row in rows)
    changes = [*mined(Asker(catalogue), vectors)][:pairs]
    paths = {row.name: str(row.path) for row in rows}
    texts = describer.describe(
        CHANGES, [(paths[one.reference], paths[one.target]) for one in changes]
    )
    return replace(
        catalogue,
        described=True,
        changes=tuple(
            replace(one, text=text["change"])
            for one, text in zip(changes, texts, strict=True)
            if "fault" not in text
        ),
        notes=(f"left out: {describer.left_out() or 'nothing'}",),
    )


def mined(asker: Asker, vectors: Matrix) -> Iterator[Change]:
    """Pairs of rows in random order, without texts: each row with one of its near neighbours.

    Near duplicates, and pictures of which the same is known, are no pair.

    Args:
        vectors: Of the rows, shape (rows, dimension), of length 1.
    """
    rows, taken = asker.catalogue.rows, set[frozenset[int]]()
    labels = [asker.labels(row) for row in rows]
    parts = np.array([row.part for row in rows])
    near = []
    for number, part in enumerate(parts):
        distances = np.where(parts == part, 1 - vectors @ vectors[number], np.inf)
        distances[number] = np.inf
        order = np.argsort(distances, kind="stable")[:_NEAREST]
        near.append([(int(other), distances[other]) for other in order])
    usual = [one for ones in near for _, one in ones if np.isfinite(one)]
    least = _SAME * float(np.median(usual)) if usual else np.inf
    for number in sorted(range(len(rows)), key=lambda place: _drawn(rows[place].name)):
        nearest = [
            other
            for other, distance in near[number]
            if least < distance < np.inf
            and not answers(labels[other], labels[number])
            and frozenset((number, other)) not in taken
        ]
        if nearest:
            target = random.Random(rows[number].name).choice(nearest)
            taken.add(frozenset((number, target)))
            others = tuple(rows[other].name for other in nearest if other != target)
            yield Change(rows[number].name, rows[target].name, "", others)


def _drawn(name: str) -> int:
    """A place in a random order, which further pictures do not change."""
    return zlib.crc32(name.encode(errors="surrogateescape"))
