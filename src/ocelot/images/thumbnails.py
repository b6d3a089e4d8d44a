"""Small copies of indexed pictures, so that showing them does not decode large files again.

One SQLite file in the cache folder holds JPEG files by content hash. It is only a cache: if
anything is wrong with it, pictures are read from their own files.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from PIL import Image

from ocelot.images.decode import encode_jpeg
from ocelot.settings import cache_folder

__all__ = ["Thumbnails"]

_BUSY_SECONDS = 2.0  # how long a write waits for another process's
_SETUP = """
PRAGMA journal_mode = TRUNCATE;
PRAGMA secure_delete = ON;
PRAGMA synchronous = OFF;  -- what a power failure damages is made again
CREATE TABLE IF NOT EXISTS jpegs
(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, jpeg BLOB NOT NULL);
"""
_USED_BYTES = """
SELECT (page_count - freelist_count) * page_size
FROM pragma_page_count, pragma_freelist_count, pragma_page_size
"""


class Thumbnails:
    """This user's small copies; threads and processes may share the file.

    Errors of the file are never raised: if it cannot be opened or written, nothing is cached; if
    it is damaged, it is replaced by an empty one. Only its owner can read it, and deleted copies
    are overwritten, so that a picture removed from a collection does not survive here.

    Args:
        path: The file; by default `thumbnails.sqlite` in the cache folder.
        max_bytes: The file's size is kept below about this: the oldest copies are removed. With 0
            nothing is stored or returned, but copies of earlier runs can still be dropped.
    """

    SIDE = 400  # longer side of a copy, pixels

    def __init__(self, path: Path | None = None, max_bytes: int = 2**30) -> None:
        self._path = path or cache_folder() / "thumbnails.sqlite"
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Thumbnails, (self._path, self._max_bytes)  # results can be copied and pickled

    def wants(self, width: int, height: int) -> bool:
        """Whether a picture of this size is large enough for a copy to save time."""
        return self._max_bytes > 0 and max(width, height) >= 2 * self.SIDE

    @staticmethod
    def make(image: Image.Image) -> bytes:
        """The small copy of an RGB picture as a JPEG file; never enlarged."""
        small = image.copy()
        small.thumbnail((Thumbnails.SIDE, Thumbnails.SIDE), Image.Resampling.LANCZOS)
        return encode_jpeg(small, quality=85)

    def put(self, jpegs: Mapping[str, bytes]) -> None:
        """Store copies by content hash in one transaction; remove the oldest over the limit."""
        if not jpegs or not self._max_bytes:
            return
        with self._safely(), self._open() as database:
            insert = "INSERT OR REPLACE INTO jpegs (id, jpeg) VALUES (?, ?)"
            database.executemany(insert, jpegs.items())
            oldest = "DELETE FROM jpegs WHERE number = (SELECT min(number) FROM jpegs)"
            while database.execute(_USED_BYTES).fetchone()[0] > self._max_bytes:
                if not database.execute(oldest).rowcount:
                    break

    def get(self, id: str) -> bytes | None:
        """The stored copy of a content hash, if there is one."""
        row: tuple[bytes] | None = None
        if self._max_bytes and self._path.exists():
            with self._safely(), self._open() as database:
                query = "SELECT jpeg FROM jpegs WHERE id = ?"
                row = database.execute(query, (id,)).fetchone()
        return row[0] if row else None

    def drop(self, ids: Iterable[str]) -> None:
        """Remove the copies of these content hashes."""
        unwanted = [(id,) for id in ids]
        if unwanted and self._path.exists():
            with self._safely(), self._open() as database:
                database.executemany("DELETE FROM jpegs WHERE id = ?", unwanted)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = None

    @contextmanager
    def _safely(self) -> Iterator[None]:
        """Run the block in one thread at a time; an error of the file ends it."""
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                # SQLite reports damage as the base class; locks, a full disk and the like are
                # its subclasses.
                if type(error) is sqlite3.DatabaseError:
                    self.close()
                    for file in (self._path, self._path.with_name(f"{self._path.name}-journal")):
                        with suppress(OSError):
                            file.unlink(missing_ok=True)
            except OSError:  # no such folder
                pass

    def _open(self) -> sqlite3.Connection:
        """The database; as a context it is one transaction."""
        if self._connection is None:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(OSError):  # connecting gives the better error
                self._path.touch(mode=0o600)
                self._path.chmod(0o600)  # if it existed
            self._connection = sqlite3.connect(
                self._path, _BUSY_SECONDS, isolation_level="IMMEDIATE", check_same_thread=False
            )
            try:
                self._connection.executescript(_SETUP)
            except BaseException:
                self.close()
                raise
        return self._connection
