"""The files of a local database, read without Milvus Lite.

Layout of milvus-lite 3.2 (manifest format 2)::

    shop.db/
        LOCK                            locked by the process that has the database open
        seal.json                       ours: see `ocelot.collection.lite.seal`
        collections/NAME/
            schema.json
            manifest.json               names the data files; replaced as a whole
            wal/wal_data_000002.arrow   rows that are in no data file yet; appended to
            wal/wal_delta_000002.arrow  the same for deletions
            partitions/P/data/*.parquet     rows; never changed
            partitions/P/delta/*.parquet    deletions; never changed
            partitions/P/indexes/*          made from the data files when they are missing
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = [
    "CollectionFolder",
    "Manifest",
    "UnknownFormat",
    "collection_folders",
    "last_sequence",
    "log_number",
    "read_log",
    "row_count",
]

_FORMAT = 2
_LOG = re.compile(r"wal_(?:data|delta)_(\d+)\.arrow")
_SEGMENT = re.compile(r"(?:data|delta)_\d+_(\d+)\.parquet")


class UnknownFormat(Exception):
    """The manifest was written by a Milvus Lite whose format is not known here."""


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    Raises:
        UnknownFormat: It has another format.
        ValueError: It is not a manifest.
    """

    text: str

    def __post_init__(self) -> None:
        try:
            if self.content["manifest_format_version"] != _FORMAT:
                raise UnknownFormat
            _ = self.version, self.last_sequence, self.first_log, self.files
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a manifest ({error})") from error

    @cached_property
    def content(self) -> dict[str, Any]:
        """The parsed text."""
        content = json.loads(self.text)
        if not isinstance(content, dict):
            raise ValueError("not an object")
        return content

    @property
    def version(self) -> int:
        """Counts the saves of the manifest."""
        return int(self.content["version"])

    @property
    def last_sequence(self) -> int:
        """Sequence number of the newest row or deletion in the files."""
        return int(self.content["current_seq"])

    @property
    def first_log(self) -> int:
        """Number of the first log that the files do not hold yet."""
        return int(self.content["active_wal_number"] or 0)

    @property
    def files(self) -> tuple[str, ...]:
        """Data and delta files, relative to the folder of the collection."""
        return tuple(
            f"partitions/{partition}/{file}"
            for partition, kinds in self.content["partitions"].items()
            for kind in ("data_files", "delta_files")
            for file in kinds[kind]
        )


@dataclass(frozen=True)
class CollectionFolder:
    """The folder of one collection."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the collection."""
        return self.path.name

    def manifest(self, file: str = "manifest.json") -> Manifest | None:
        """The manifest; None if there is no such file.

        Raises:
            UnknownFormat, ValueError: It cannot be read.
        """
        text = self.text(file)
        return None if text is None else Manifest(text)

    def text(self, file: str) -> str | None:
        """Content of a text file; None if it is missing.

        Raises:
            ValueError: It is not UTF-8, or a folder.
        """
        try:
            return (self.path / file).read_text("utf-8")
        except FileNotFoundError:
            return None
        except IsADirectoryError as error:
            raise ValueError("a folder") from error

    def segments(self) -> list[str]:
        """Data and delta files on the disk, whether the manifest names them or not."""
        return self._under("partitions/*/data/*.parquet", "partitions/*/delta/*.parquet")

    def indexes(self) -> list[str]:
        """Index files on the disk."""
        return self._under("partitions/*/indexes/*")

    def logs(self) -> list[str]:
        """Files of the write-ahead log, in order."""
        return self._under("wal/*.arrow")

    def _under(self, *patterns: str) -> list[str]:
        found = (file for pattern in patterns for file in self.path.glob(pattern))
        return sorted(file.relative_to(self.path).as_posix() for file in found)


def collection_folders(database: Path) -> list[CollectionFolder]:
    """The collections of a database, in order of their names."""
    folders = sorted((database / "collections").glob("*"))
    return [CollectionFolder(folder) for folder in folders if folder.is_dir()]


def log_number(file: str) -> int:
    """Number of a file of the log."""
    match = _LOG.fullmatch(os.path.basename(file))
    return int(match[1]) if match else 0


def last_sequence(file: str) -> int:
    """The highest sequence number in a data or delta file, as its name says."""
    match = _SEGMENT.fullmatch(os.path.basename(file))
    return int(match[1]) if match else 0


def row_count(file: Path) -> int:
    """How many rows a data or delta file holds, by its footer. Raises `ValueError`, `OSError`."""
    return int(pq.read_metadata(file).num_rows)


def read_log(file: Path) -> tuple[list[pa.RecordBatch], bool]:
    """The readable batches of a log, and whether the log is whole to its last byte."""
    batches: list[pa.RecordBatch] = []
    try:
        with pa.OSFile(os.fspath(file)) as source, pa.ipc.open_stream(source) as stream:
            for batch in stream:
                batch.validate(full=True)
                batches.append(batch)
    except (pa.ArrowException, OSError):
        return batches, False
    return batches, True
