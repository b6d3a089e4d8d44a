"""The files of a local database, read without Milvus Lite.

Layout of milvus-lite 3.2 (manifest format 2)::

    shop.db/
        LOCK                            locked by the process that has the database open
        seal.json                       ours: see `ocelot.collection.lite.seal`
        WRITE                           ours: locked during each write
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
    "first_sequence",
    "json_object",
    "last_sequence",
    "log_number",
    "read_log",
    "row_count",
]

_FORMAT = 2
_LOG = re.compile(r"wal/wal_(?:data|delta)_(\d+)\.arrow")
_SEGMENT = re.compile(r"partitions/[^/\\]+/(data|delta)/\1_(\d+)_(\d+)\.parquet")


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
            _ = self.version, self.last_sequence, self.first_log
            elsewhere = [file for file in self.files if not _SEGMENT.fullmatch(file)]
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a manifest ({error})") from error
        if elsewhere:  # repair writes and removes what a manifest names
            raise ValueError(f"names the file {elsewhere[0]}")

    @cached_property
    def content(self) -> dict[str, Any]:
        """The parsed text."""
        return json_object(self.text)

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
        """Content of a text file; None if it is missing. Raises `ValueError` if it is not UTF-8."""
        path = self.path / file
        return path.read_text("utf-8") if path.is_file() else None

    def segments(self) -> list[str]:
        """Data and delta files on the disk, whether the manifest names them or not."""
        return list(filter(_SEGMENT.fullmatch, self._under("partitions/*/*/*.parquet")))

    def indexes(self) -> list[str]:
        """Index files on the disk."""
        return self._under("partitions/*/indexes/*")

    def logs(self) -> list[str]:
        """Files of the write-ahead log, in order."""
        return list(filter(_LOG.fullmatch, self._under("wal/*.arrow")))

    def _under(self, pattern: str) -> list[str]:
        found = self.path.glob(pattern)
        return sorted(file.relative_to(self.path).as_posix() for file in found)


def collection_folders(database: Path) -> list[CollectionFolder]:
    """The collections of a database, in order of their names."""
    parent = database / "collections"
    folders = sorted(parent.iterdir()) if parent.is_dir() else []
    return [CollectionFolder(folder) for folder in folders if folder.is_dir()]


def json_object(text: str | bytes) -> dict[str, Any]:
    """The JSON object that a text holds. Raises `ValueError` if it holds none."""
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def log_number(file: str) -> int:
    """Number of a file of the log. Raises `ValueError` if the path is none of a log."""
    return int(_matched(_LOG, file)[1])


def first_sequence(file: str) -> int:
    """The lowest sequence number in a data or delta file, as its name says."""
    return int(_matched(_SEGMENT, file)[2])


def last_sequence(file: str) -> int:
    """A number that no sequence number in a data or delta file exceeds, as its name says."""
    return int(_matched(_SEGMENT, file)[3])


def _matched(pattern: re.Pattern[str], file: str) -> re.Match[str]:
    match = pattern.fullmatch(file)
    if not match:
        raise ValueError(f"the file {file!r} has another name")
    return match


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
