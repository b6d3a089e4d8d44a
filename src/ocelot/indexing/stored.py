"""What a collection says about files: one small entry for each path."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ocelot.collection import Collection

__all__ = ["StoredFile", "StoredFiles", "metadata_hash"]

_ENTRY = struct.Struct("=32sqqq")


class StoredFile(NamedTuple):
    """What a row says about one of its paths.

    Attributes:
        id: SHA-256 of the content, 32 bytes.
        size: Size in bytes.
        mtime_ns: Modification time in nanoseconds.
        metadata_hash: Hash of the row's metadata; 0 if that was not read.
    """

    id: bytes
    size: int
    mtime_ns: int
    metadata_hash: int


class StoredFiles:
    """All paths and contents of a collection, packed: a run over many files keeps them in memory.

    Rows whose ids are not content hashes are left out: they belong to whoever added them.

    Attributes:
        ids: Contents that are stored or about to be; grows during the run.
    """

    def __init__(self) -> None:
        self.ids: set[bytes] = set()
        self._entries: dict[str, bytes] = {}

    @classmethod
    def read(cls, collection: Collection, *, metadata: bool) -> StoredFiles:
        """Read the rows of a collection.

        Args:
            metadata: Whether to hash the metadata; False is quicker.
        """
        stored = cls()
        for row in collection.iterate(metadata=metadata):
            if row.id != row.sha256:
                continue
            id = bytes.fromhex(row.id)
            stored.ids.add(id)
            hashed = metadata_hash(row.metadata) if metadata else 0
            for path, mtime_ns in row.paths.items():
                entry = _ENTRY.pack(id, row.size, mtime_ns, hashed)
                stored._entries[path] = stored._entries.get(path, b"") + entry
        return stored

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def at(self, path: str) -> list[StoredFile]:
        """What the rows with this path say about it: one row, or several after an interruption."""
        return [StoredFile(*entry) for entry in _ENTRY.iter_unpack(self._entries.get(path, b""))]


def metadata_hash(metadata: Mapping[str, object]) -> int:
    """A hash to compare metadata within one process."""
    return hash(json.dumps(metadata, sort_keys=True))
