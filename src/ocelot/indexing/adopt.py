"""From another program's collection to rows of Ocelot's own, with the vectors that are there.

    rows ─▶ path new? ─▶ read, hash, decode ─▶ content new? ─▶ write

An item is its picture, so rows whose files are missing are reported and left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.collection import Collection, clean_metadata
from ocelot.collection.foreign import ForeignCollection, ForeignRow
from ocelot.encoders.base import Encoder
from ocelot.errors import EncoderMismatch, ImageError, InputError
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.images.thumbnails import Thumbnails
from ocelot.indexing.folders import StoredFiles
from ocelot.indexing.pipeline import Job, Progress, Run
from ocelot.indexing.writer import Change
from ocelot.telemetry import span
from ocelot.types import Failure, Input

__all__ = ["AdoptReport", "adopt_rows", "check_vectors"]

_CHECKED = 8  # vectors compared with the encoder's
_LOOKED_AT = 1_000  # rows to choose them from
_LEAST = 0.98  # cosine similarity; another precision or decoder stays above, another model below
_AHEAD = 64  # pictures read ahead


@dataclass(frozen=True)
class AdoptReport:
    """What became of the rows of another collection."""

    found: int  # rows
    adopted: int  # pictures that are now stored, with the vectors of their rows
    duplicates: int  # rows whose picture was there already, from another row or an earlier run
    failures: tuple[Failure, ...]  # rows that are not taken over, with reasons
    seconds: float  # wall time


def check_vectors(source: ForeignCollection, encoder: Encoder, root: str | Path = ".") -> None:
    """Encode a few pictures of a collection, and compare the vectors with those stored there.

    Raises:
        EncoderMismatch: They do not agree.
        InputError: There is no picture to compare.
    """
    if source.dimension != encoder.dimension:
        raise EncoderMismatch(
            f"{source} has vectors of {source.dimension} dimensions, and the encoder "
            f"{encoder.name} makes {encoder.dimension}: name the encoder that made them."
        )
    rows = {_place(row, root): row for row in islice(source.rows(), _LOOKED_AT) if row.path}
    reason = f"no row has a path in the field {source.path_field!r}"
    if rows:
        reason = f"there is no file {next(iter(rows))}"
    there = [path for path in rows if os.path.isfile(path)]
    images: list[ImageFile] = []
    for path in there[:: max(1, len(there) // _CHECKED)]:
        try:
            image = ImageFile.of(path)
            image.rgb()
        except ImageError as error:
            reason = f"{error.name}: {error.reason}"
        else:
            images.append(image)
    images = images[:_CHECKED]
    if not images:
        raise InputError(
            f"{source} cannot be compared with the encoder {encoder.name} ({reason}): name the "
            "folder that relative paths start from (root), and their field (path_field)."
        )
    encoded = encoder.encode([Input(image) for image in images])
    stored = np.array([rows[image.name].vector for image in images])
    lengths = np.maximum(np.linalg.norm(stored, axis=1), 1e-12)
    cosines = (encoded * stored).sum(axis=1) / lengths
    if cosines.min() < _LEAST:
        raise EncoderMismatch(
            f"{source} does not have the vectors of the encoder {encoder.name}: of "
            f"{len(images)} compared, {(cosines < _LEAST).sum()} differ, most that of "
            f"{images[cosines.argmin()].name} (cosine similarity {cosines.min():.2f}). Nothing "
            "was changed: name the encoder that made them, or index the pictures."
        )


@span("ocelot.index")
def adopt_rows(
    source: ForeignCollection,
    collection: Collection,
    encoder: Encoder,
    images: ImageStore,
    root: str | Path = ".",
    progress: Callable[[Progress], None] | None = None,
) -> AdoptReport:
    """Store the pictures of another collection with the vectors from there.

    Call `check_vectors` first. Relative paths start from the folder `root`.
    """
    run = _AdoptRun(collection, encoder, images, None, progress)
    with run:
        run.total = source.count
        run.take_all(run.ahead(run.read, run.jobs(source, root), _AHEAD))
        done = run.finish()
    return AdoptReport(done.found, done.encoded, run.duplicates, done.failures, done.seconds)


def _place(row: ForeignRow, root: str | Path) -> str:
    return os.path.abspath(os.path.join(root, row.path))


@dataclass
class _AdoptJob(Job):
    """A row on its way."""

    fields: Mapping[str, Any] = field(default_factory=dict)


class _AdoptRun(Run):
    """A run over the rows of another collection."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.duplicates = 0
        self._paths: set[str] = set()
        self._contents = StoredFiles(self.collection, metadata=False).ids

    def jobs(self, source: ForeignCollection, root: str | Path) -> Iterator[_AdoptJob]:
        for number, row in enumerate(source.rows(), 1):
            path, length = _place(row, root), float(np.linalg.norm(row.vector))
            if not row.path:
                error = InputError("it has no path of a picture")
                yield _AdoptJob(f"row {number}", error=error)
            elif path in self._paths:  # indexed twice, as the tutorial does when it runs again
                self.duplicates += 1
                self.count()
            elif length == 0:
                yield _AdoptJob(path, error=InputError("its vector is all zeros"))
            else:
                self._paths.add(path)
                vector = row.vector / length
                yield _AdoptJob(path, path, vector=vector, fields=row.metadata)

    def read(self, job: _AdoptJob) -> None:
        """Read and hash the picture, and check the rest; runs in threads."""
        image = ImageFile.of(job.path)
        job.width, job.height = image.decoded(Thumbnails.SIDE, keep=True).size
        self.make_thumbnail(job, image)
        job.id, job.sha256, job.size = image.id, image.id, len(image.data)
        job.metadata = clean_metadata(job.fields)
        try:
            job.mtime_ns = os.stat(job.path).st_mtime_ns
        except OSError as error:
            raise ImageError(job.name, error.strerror or str(error)) from error

    def take(self, job: _AdoptJob) -> None:
        if job.error is not None:
            raise job.error
        content = bytes.fromhex(job.id)
        if content in self._contents:
            self.duplicates += 1
            self.update(job.id, Change(add={job.path: job.mtime_ns}))
            return
        self._contents.add(content)
        self.write([job])
