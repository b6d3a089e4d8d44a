"""A collection compared with the files of its pictures, and with its encoder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.encoders.base import Encoder
from ocelot.errors import ImageError, InputError, ItemNotFound
from ocelot.images.decode import SUFFIXES
from ocelot.images.places import file_of, is_url
from ocelot.images.reading import read_picture
from ocelot.images.store import ImageStore
from ocelot.images.uploads import is_upload
from ocelot.indexing import File, Progress, scan
from ocelot.indexing.scan import roots_of
from ocelot.types import Failure, Input

if TYPE_CHECKING:
    from ocelot.types import Vector

__all__ = ["LEAST", "Finding", "Verification", "compared", "cosine", "verify"]

LEAST = 0.9  # cosine similarity: above it is another precision, in int8 at least 0.92
_REPORT_EVERY = 500  # files between two calls of `progress`

Kind = Literal["gone", "away", "unreadable", "changed", "damaged", "unindexed", "vector"]


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it should be.

    The kinds: "gone": the file of a row is no longer in its folder. "away": the whole folder is
    missing or empty, as that of a disk that is not mounted. "unreadable": the file of a row cannot
    be read. "changed": it has other bytes than were indexed. "damaged": so it has, with its old
    size and time. "unindexed": a picture has no row. "vector": a row has another vector than its
    picture gets.
    """

    kind: Kind
    path: str  # of the file
    id: str = ""  # of the item; "" for a picture without a row
    reason: str = ""


@dataclass(frozen=True)
class Verification:
    """What `verify` found."""

    rows: int  # that were compared
    files: int  # that were compared
    lost: int  # rows of which no file has the picture
    findings: tuple[Finding, ...]  # what is not as it should be; empty if all is well
    compared: int  # vectors that were computed again
    difference: float  # the largest of one of their components; 0 to 2
    cosine: float  # the lowest cosine similarity of such a vector with the stored one

    def of(self, *kinds: Kind) -> list[Finding]:
        """The findings of some kinds."""
        return [finding for finding in self.findings if finding.kind in kinds]


def verify(
    collection: Collection,
    encoder: Encoder,
    images: ImageStore,
    paths: str | Path | Sequence[str | Path] | None = None,
    *,
    sample: int = 32,
    full: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Verification:
    """Compare a collection with its files and its encoder; nothing is changed.

    A file counts as unchanged if its size and its modification time are those of its row; where
    they differ, its bytes are compared.

    Args:
        encoder: Computes some vectors again. One with a cosine similarity below 0.9 is wrong:
            other precisions and runtimes stay above.
        images: Reads the pictures.
        paths: Folders or files to look at. By default all rows, and the pictures beside theirs:
            in the same folders, not below.
        sample: The most vectors to compute again, spread evenly over the rows.
        full: Whether to compare the bytes of every file.
        progress: Called now and then.

    Raises:
        EncoderMismatch: The collection has another encoder's fingerprint.
        InputError: None of the paths exists, or the sample is below 0.
        EncoderError, CollectionError: Encoding or reading failed.
    """
    if sample < 0:
        raise InputError(f"The sample must be a number from 0, was: {sample}.")
    collection.check(EncoderIdentity.of(encoder))
    roots = None if paths is None else roots_of(paths)
    check = _Check(collection, roots, full, progress)
    whole, findings = check.rows(), check.findings
    chosen = [whole[place] for place in _spread(len(whole), sample)]
    vectors = list(compared(chosen, collection, encoder, images))
    cosines = [cosine(row, vector) for row, vector in vectors]
    for (row, _), similarity in zip(vectors, cosines, strict=True):
        if similarity < LEAST:
            reason = f"cosine similarity {similarity:.3f}"
            findings.append(Finding("vector", next(iter(row.paths)), row.id, reason))
    unindexed = list(check.unindexed())
    differences = [float(np.abs(_unit(row) - vector).max()) for row, vector in vectors]
    return Verification(
        rows=check.count,
        files=len(check.stored) + len(unindexed),
        lost=check.lost,
        findings=(*findings, *unindexed),
        compared=len(vectors),
        difference=max(differences, default=0.0),
        cosine=min(cosines, default=1.0),
    )


class _Check:
    """Compares rows with files."""

    def __init__(
        self,
        collection: Collection,
        roots: Sequence[str] | None,
        full: bool,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.findings: list[Finding] = []
        self.count = self.lost = 0
        self.stored: set[str] = set()  # paths of rows
        self._collection, self._roots, self._full = collection, roots, full
        self._progress = progress

    def rows(self) -> list[str]:
        """Compare each row with its files; return the ids of those whose picture is there."""
        whole = []
        total = self._collection.count()
        for row in self._collection.iterate(metadata=False):
            paths = [path for path in row.paths if self._is_asked(path)]
            self.stored.update(paths)
            found = [self._compared(row, path) for path in paths]
            self.findings += filter(None, found)
            self.count += bool(paths)
            if None in found:
                whole.append(row.id)
            elif len(paths) == len(row.paths):
                self.lost += 1
            if self._progress is not None and (self.count % _REPORT_EVERY == 0 or self._full):
                self._progress(Progress(self.count, total, 0, 0, len(self.findings)))
        return whole

    def _is_asked(self, path: str) -> bool:
        return self._roots is None or any(
            path == root or path.startswith(os.path.join(root, "")) for root in self._roots
        )

    def _compared(self, row: Row, path: str) -> Finding | None:
        if is_url(path) and not self._full:  # its time is not known without fetching it
            return None
        file, same = path if os.path.exists(path) else file_of(path), False
        try:
            if not is_url(path):
                status = os.stat(file)
                same = status.st_mtime_ns == row.paths[path]
                same = same and (file != path or status.st_size == row.size)
            if same and not self._full:
                if os.access(file, os.R_OK):
                    return None
                return Finding("unreadable", path, row.id, "Permission denied")
            if read_picture(path).id == row.sha256:
                return None
        except (FileNotFoundError, NotADirectoryError):
            return Finding("gone" if _has_any(os.path.dirname(file)) else "away", path, row.id)
        except OSError as error:
            return Finding("unreadable", path, row.id, error.strerror or str(error))
        except ImageError as error:
            return Finding("unreadable", path, row.id, error.reason)
        return Finding("damaged" if same else "changed", path, row.id)

    def unindexed(self) -> Iterator[Finding]:
        """Picture files without a row; call `rows` first."""
        for found in scan(self._roots) if self._roots is not None else self._beside():
            if isinstance(found, Failure):
                yield Finding("unindexed", found.path, reason=found.reason)
            elif found.path not in self.stored and not is_upload(found.path):
                yield Finding("unindexed", found.path)

    def _beside(self) -> Iterator[File | Failure]:
        for folder in sorted({os.path.dirname(path) for path in self.stored}):
            paths = [
                os.path.join(folder, name)
                for name in sorted(_names(folder))
                if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
            ]
            if files := list(filter(os.path.isfile, paths)):
                yield from scan(files)


def compared(
    ids: Iterable[str], collection: Collection, encoder: Encoder, images: ImageStore
) -> Iterator[tuple[Row, Vector]]:
    """Rows with their vectors, and the vectors that their pictures get now.

    Rows whose pictures cannot be read or decoded are left out.
    """
    waiting = iter(ids)
    while some := list(islice(waiting, max(1, encoder.batch_size))):
        rows, inputs = [], []
        for row in collection.get(some):
            with suppress(ItemNotFound, ImageError):
                image = images.original(row.item)
                image.decoded(encoder.decode_side, keep=True)
                rows.append(row)
                inputs.append(Input(image))
        yield from zip(rows, encoder.encode(inputs), strict=True)


def _has_any(folder: str) -> bool:
    """Whether a folder has anything; the place where a disk is mounted is empty without it."""
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def _names(folder: str) -> list[str]:
    """What is in a folder; nothing if it cannot be read."""
    with suppress(OSError):
        return os.listdir(folder)
    return []


def _unit(row: Row) -> Vector:
    assert row.vector is not None
    unit: Vector = row.vector / np.linalg.norm(row.vector)
    return unit


def cosine(row: Row, vector: Vector) -> float:
    """The cosine similarity of a row's stored vector with a unit vector."""
    return float(_unit(row) @ vector)


def _spread(count: int, most: int) -> list[int]:
    """At most so many places in a list, evenly spread.

    >>> _spread(10, 4), _spread(3, 4)
    ([0, 2, 5, 7], [0, 1, 2])
    """
    return [number * count // min(most, count) for number in range(min(most, count))]
