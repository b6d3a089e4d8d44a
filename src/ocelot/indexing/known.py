"""What the stored rows say of their files: one small entry for each path."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ocelot.collection import Collection

__all__ = ["Known", "Seen", "digest"]

_ENTRY = struct.Struct("=32sqqq")


class Seen(NamedTuple):
    """What a row says of one of its paths.

    Attributes:
        id: SHA-256 of the content, 32 bytes.
        size: Bytes.
        mtime_ns: Time of change, nanoseconds.
        digest: Of the row's metadata; 0 where that was not read.
    """

    id: bytes
    size: int
    mtime_ns: int
    digest: int


class Known:
    """All paths of a collection and all ids, packed: a run over many files holds them throughout.

    Attributes:
        ids: Of the contents that are stored or about to be; grows with the run.
    """

    def __init__(self) -> None:
        self.ids: set[bytes] = set()
        self._entries: dict[str, bytes] = {}

    @classmethod
    def read(cls, collection: Collection, *, metadata: bool) -> Known:
        """What a collection holds now.

        Args:
            metadata: Whether digests are wanted; without them reading is quicker.
        """
        known = cls()
        for row in collection.iterate(metadata=metadata):
            id = bytes.fromhex(row.id)
            known.ids.add(id)
            held = digest(row.metadata) if metadata else 0
            for path, mtime_ns in row.paths.items():
                entry = _ENTRY.pack(id, row.size, mtime_ns, held)
                known._entries[path] = known._entries.get(path, b"") + entry
        return known

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def at(self, path: str) -> list[Seen]:
        """What the rows that claim a path say of it: one, or several after an interruption."""
        return [Seen(*entry) for entry in _ENTRY.iter_unpack(self._entries.get(path, b""))]


def digest(metadata: Mapping[str, object]) -> int:
    """Tells metadata apart within one run."""
    return hash(json.dumps(metadata, sort_keys=True))
