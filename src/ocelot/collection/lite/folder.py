"""The files of a local database, read without Milvus Lite.

Layout of milvus-lite 3.2 (manifest format 2)::

    shop.db/
        LOCK                            locked by the process that has the database open
        aliases.json                    second names of collections
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
from pathlib import Path
from typing import Any

import pyarrow as pa

__all__ = [
    "CollectionFolder", "Manifest", "UnknownFormat", "collection_folders", "json_object",
    "log_number", "read_log", "sequences",
]  # fmt: skip

_FORMAT = 2
_LOG = re.compile(r"wal/wal_(?:data|delta)_(\d+)\.arrow")
_SEGMENT = re.compile(r"partitions/[^/\\]+/(data|delta)/\1_(\d+)_(\d+)\.parquet")


class UnknownFormat(Exception):
    """The manifest was written by a Milvus Lite whose format is not known here."""


@dataclass(frozen=True)
class Manifest:
    """What `manifest.json` says.

    Attributes:
        version: Counts the saves of the manifest.
        last_sequence: Sequence number of the newest row or deletion in the files.
        first_log: Number of the first log that the files do not hold yet.
        files: Data and delta files, relative to the folder of the collection.
    """

    text: str
    content: dict[str, Any]
    version: int
    last_sequence: int
    first_log: int
    files: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Manifest:
        """Raises `UnknownFormat` if it has another format, `ValueError` if it is no manifest."""
        content = json_object(text)
        try:
            if content["manifest_format_version"] != _FORMAT:
                raise UnknownFormat
            files = tuple(
                f"partitions/{partition}/{file}"
                for partition, kinds in content["partitions"].items()
                for kind in ("data_files", "delta_files")
                for file in kinds[kind]
            )
            version, sequence = int(content["version"]), int(content["current_seq"])
            first_log = int(content["active_wal_number"] or 0)
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not a manifest ({error})") from error
        for file in files:  # repair writes and removes what a manifest names
            _matched(_SEGMENT, file)
        return cls(text, content, version, sequence, first_log, files)


@dataclass(frozen=True)
class CollectionFolder:
    """The folder of one collection."""

    path: Path

    @property
    def name(self) -> str:
        """Name of the collection."""
        return self.path.name

    def manifest(self, file: str = "manifest.json") -> Manifest | None:
        """The manifest; None if there is no such file. Raises as `Manifest.parse`."""
        text = self.text(file)
        return None if text is None else Manifest.parse(text)

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


def sequences(file: str) -> tuple[int, int]:
    """The lowest and the highest sequence number in a data or delta file, as its name says."""
    match = _matched(_SEGMENT, file)
    return int(match[2]), int(match[3])


def _matched(pattern: re.Pattern[str], file: str) -> re.Match[str]:
    match = pattern.fullmatch(file)
    if not match:
        raise ValueError(f"the file {file!r} has another name")
    return match


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
