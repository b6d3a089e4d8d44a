"""Loading parts: encoded pictures as Parquet files, so that a failed load never encodes again.

A part has the columns of an export, `ocelot.collection.columns`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq

from ocelot.collection import Collection
from ocelot.images.places import file_of
from ocelot.indexing.cluster.sources import Listing, is_container
from ocelot.indexing.folders import FolderRun
from ocelot.indexing.pipeline import Job
from ocelot.indexing.scan import File
from ocelot.types import Failure, IndexReport

if TYPE_CHECKING:
    Keys = np.ndarray[Any, np.dtype[np.bytes_]]

__all__ = ["LINKS", "LoadRun", "is_done", "key_of", "stored_keys"]

_FIELDS = ("id", "size", "width", "height")
LINKS = "ocelot.links"  # in the metadata of a schema: pictures that are in another listed file


def key_of(path: str, size: int, version: int | str) -> bytes:
    """What tells whether a picture is encoded: 24 hex digits.

    Args:
        version: The time of its file, or the hash of its content where that is not known.
    """
    name = f"{path}\0{size}\0{version}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(name, digest_size=12).hexdigest().encode()


def stored_keys(folder: Path, collection: Collection) -> Keys:
    """The sorted keys of all pictures that are in parts or in the collection."""
    keys = [
        key_of(path, row.size, mtime_ns or row.sha256)
        for row in collection.iterate(metadata=False)
        if row.id == row.sha256
        for path, mtime_ns in row.paths.items()
    ]
    for part in folder.glob("part-*.parquet"):
        for row in pq.read_table(part, columns=["paths", "size", "id"]).to_pylist():
            for path, mtime_ns in json.loads(row["paths"]).items():
                keys.append(key_of(path, row["size"], mtime_ns or row["id"]))
    return np.sort(np.array(keys, dtype="S24"))


def is_done(key: bytes, keys: Keys) -> bool:
    """Whether a key is among sorted ones."""
    place = int(np.searchsorted(keys, np.bytes_(key)))
    return place < len(keys) and keys[place] == key


class LoadRun(FolderRun):
    """Brings a collection up to date with parts, as a run over folders does with files."""

    def load_parts(
        self, folder: Path, listing: Listing, failures: Sequence[Failure], prune: bool
    ) -> IndexReport:
        """Load the parts that belong to listed files; `failures` could not be encoded."""
        self.compare(listing.tables, metadata=any(is_container(f.path) for f in listing.files))
        self.failures += [*listing.failures, *failures]
        self.done += len(failures)
        self._seen: set[str] = set()
        self.total = len(listing.files)
        self.take_all(self._jobs(folder, {file.path: file.mtime_ns for file in listing.files}))
        for file in listing.files:  # those that another run has stored
            if file.path not in self._seen and self._stored.at(file.path):
                self.is_unchanged(file)
        self.settle({file.path for file in listing.files} if prune else None)
        return self.finish()

    def _jobs(self, folder: Path, current: dict[str, int]) -> Iterator[Job]:
        for part in sorted(folder.glob("part-*.parquet"), reverse=True):
            links = json.loads(pq.read_schema(part).metadata[LINKS.encode()])
            for row, vector in _rows(part):
                ((path, mtime_ns),) = json.loads(row["paths"]).items()
                file = path if path in current else file_of(path)
                file, stamp = links.get(path, (file, mtime_ns))
                if path in self._seen or current.get(file) != stamp:
                    continue  # an older version of the picture, or of another source
                self._seen.add(path)
                metadata = json.loads(row["$meta"])
                del metadata["sha256"]
                if file != path and metadata:  # of a folder, the tables of today count
                    self._lines[path] = metadata
                if not self.is_unchanged(File(path, row["size"], mtime_ns)):
                    id, size, width, height = (row[name] for name in _FIELDS)
                    yield Job(path, path, mtime_ns, id, id, size, width, height, vector=vector)

    def add(self, job: Job) -> None:
        """Write a row that has its vector already."""
        self.write([job])


def _rows(part: Path) -> Iterator[tuple[dict[str, Any], Any]]:
    """The rows of a part without their vectors, and these."""
    with pq.ParquetFile(part) as file:
        for batch in file.iter_batches(batch_size=1_000):
            vectors = batch.column("vector").flatten().to_numpy().reshape(batch.num_rows, -1)
            yield from zip(batch.drop_columns(["vector"]).to_pylist(), vectors, strict=True)
