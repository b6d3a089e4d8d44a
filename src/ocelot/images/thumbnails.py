"""Small copies of indexed pictures, so that showing them does not decode large files again.

One SQLite file in the cache folder holds JPEG files by content hash. It is only a cache: if
anything is wrong with it, pictures are read from their own files.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from PIL import Image

from ocelot.images.decode import encode_jpeg
from ocelot.settings import cache_folder

__all__ = ["Thumbnails"]

_T = TypeVar("_T")
_BUSY_SECONDS = 2.0  # how long a write waits for another process's
_SETUP = (
    "PRAGMA journal_mode = TRUNCATE",
    "PRAGMA secure_delete = ON",
    "PRAGMA synchronous = OFF",  # what a power failure damages is made again
    """CREATE TABLE IF NOT EXISTS jpegs
    (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, jpeg BLOB NOT NULL)""",
)


class Thumbnails:
    """This user's small copies; threads and processes may share the file.

    Errors of the file are never raised: if it cannot be opened or written, nothing is cached; if
    it is damaged, it is replaced by an empty one. Only its owner can read it, and deleted copies
    are overwritten, so that a picture removed from a collection does not survive here.

    Args:
        path: The file; by default `thumbnails.sqlite` in the cache folder.
        max_bytes: The file's size is kept below about this; the oldest copies go first. With 0
            nothing is kept or returned, but copies of earlier runs can still be dropped.

    Raises:
        ConfigurationError: No path was given and there is no cache folder.
    """

    SIDE = 400  # longer side of a copy, pixels

    def __init__(self, path: Path | None = None, max_bytes: int = 2**30) -> None:
        self._path = path or cache_folder() / "thumbnails.sqlite"
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    @property
    def keeps(self) -> bool:
        """Whether copies are kept at all."""
        return self._max_bytes > 0

    @staticmethod
    def wanted(width: int, height: int) -> bool:
        """Return True if a picture of this size is large enough for a copy to save time."""
        return max(width, height) >= 2 * Thumbnails.SIDE

    @staticmethod
    def make(image: Image.Image) -> bytes:
        """The small copy of an RGB picture as a JPEG file; never enlarged."""
        small = image.copy()
        small.thumbnail((Thumbnails.SIDE, Thumbnails.SIDE), Image.Resampling.LANCZOS)
        return encode_jpeg(small, quality=85)

    def put(self, jpegs: Mapping[str, bytes]) -> None:
        """Store copies by id in one transaction; remove the oldest ones over the size limit."""

        def write(database: sqlite3.Connection) -> None:
            database.executemany(
                "INSERT OR REPLACE INTO jpegs (id, jpeg) VALUES (?, ?)", jpegs.items()
            )
            self._make_room(database)

        if jpegs and self.keeps:
            self._do(write, None)

    def get(self, ids: Iterable[str]) -> dict[str, bytes]:
        """The stored copies of these ids."""

        def read(database: sqlite3.Connection) -> dict[str, bytes]:
            query = "SELECT id, jpeg FROM jpegs WHERE id = ?"
            return dict(row for id in wanted for row in database.execute(query, (id,)))

        wanted = list(ids)
        return self._do(read, {}, create=False) if wanted and self.keeps else {}

    def drop(self, ids: Iterable[str]) -> None:
        """Remove the copies of these ids."""

        def remove(database: sqlite3.Connection) -> None:
            database.executemany("DELETE FROM jpegs WHERE id = ?", unwanted)

        unwanted = [(id,) for id in ids]
        if unwanted:
            self._do(remove, None, create=False)

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = None

    def _do(
        self, work: Callable[[sqlite3.Connection], _T], default: _T, *, create: bool = True
    ) -> _T:
        """What `work` returns in a transaction of its own; `default` on any error."""
        with self._lock:
            try:
                if self._connection is None:
                    if not create and not self._path.exists():
                        return default
                    self._connection = self._open()
                with self._connection:
                    return work(self._connection)
            except sqlite3.Error as error:
                # SQLite reports damage as the base class; locks, a full disk and the like are
                # its subclasses.
                if type(error) is sqlite3.DatabaseError:
                    self._delete_file()
            except (OSError, UnicodeEncodeError):  # no such folder; an id that is not Unicode
                pass
            return default

    def _open(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):  # connecting gives the better error
            self._path.touch(mode=0o600)
            self._path.chmod(0o600)  # if it existed
        database = sqlite3.connect(
            self._path,
            timeout=_BUSY_SECONDS,
            isolation_level="IMMEDIATE",
            check_same_thread=False,
        )
        try:
            for statement in _SETUP:
                database.execute(statement)
        except BaseException:
            database.close()
            raise
        return database

    def _delete_file(self) -> None:
        self.close()
        for suffix in ("", "-journal"):
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _make_room(self, database: sqlite3.Connection) -> None:
        while (excess := _used_bytes(database) - self._max_bytes) > 0:
            last = None
            for number, size in database.execute(
                "SELECT number, length(jpeg) FROM jpegs ORDER BY number"
            ):
                last, excess = number, excess - size
                if excess <= 0:
                    break
            if last is None:
                return
            database.execute("DELETE FROM jpegs WHERE number <= ?", (last,))


def _used_bytes(database: sqlite3.Connection) -> int:
    """Bytes of the file that are in use."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
