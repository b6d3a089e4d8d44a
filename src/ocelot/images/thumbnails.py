"""Small copies of indexed pictures, so that showing them does not decode large files again.

One SQLite file in the cache folder, JPEG files by item id. It is a cache and no more: whatever
is wrong with its file, a picture is read from its own.
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
_PATIENCE = 2.0  # seconds that a write may wait for another process's
_AT_ONCE = 500  # ids in one statement
_TABLE = """CREATE TABLE IF NOT EXISTS jpegs
    (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, jpeg BLOB NOT NULL)"""


class Thumbnails:
    """The small copies of this user's pictures; for threads and processes at once.

    Never raises on account of its file: one that cannot be opened or written to is a cache that
    stays as it is, and a damaged one is begun anew. Only its owner may read it, and a copy that
    goes is overwritten: what is deleted from a shop is gone from here too.

    Args:
        path: Of the file; `thumbnails.sqlite` in the cache folder when not given.
        max_bytes: The file grows no larger, about; the oldest copies make room. With 0 none are
            kept or given; those of earlier runs can still be dropped.

    Raises:
        ConfigurationError: No path was given and there is no place for a cache folder.
    """

    SIDE = 400  # longer side of a copy, pixels

    def __init__(self, path: Path | None = None, max_bytes: int = 2**30) -> None:
        self._path = path or cache_folder() / "thumbnails.sqlite"
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    @property
    def keeps(self) -> bool:
        """Whether there is any use in making copies."""
        return self._max_bytes > 0

    @staticmethod
    def wanted(width: int, height: int) -> bool:
        """Whether a picture of this size is slower to read than its copy is worth keeping."""
        return max(width, height) >= 2 * Thumbnails.SIDE

    @staticmethod
    def make(image: Image.Image) -> bytes:
        """The copy of an RGB picture as a JPEG file; one that is small already keeps its size."""
        small = image.copy() if max(image.size) <= Thumbnails.SIDE else _shrunk(image)
        return encode_jpeg(small, quality=85)

    def put(self, jpegs: Mapping[str, bytes]) -> None:
        """Keep copies by item id, in one transaction; the oldest go where room is short."""

        def write(database: sqlite3.Connection) -> None:
            with database:
                database.executemany(
                    "INSERT OR REPLACE INTO jpegs (id, jpeg) VALUES (?, ?)", jpegs.items()
                )
                self._make_room(database)

        if jpegs and self.keeps:
            self._do(write, None)

    def get(self, ids: Iterable[str]) -> dict[str, bytes]:
        """The copies that there are of these items."""
        wanted = list(ids)

        def read(database: sqlite3.Connection) -> dict[str, bytes]:
            found: dict[str, bytes] = {}
            for some in _pieces(wanted):
                found.update(
                    database.execute(f"SELECT id, jpeg FROM jpegs WHERE id IN {_marks(some)}", some)
                )
            return found

        return self._do(read, {}, create=False) if wanted and self.keeps else {}

    def drop(self, ids: Iterable[str]) -> None:
        """Forget the copies of these items."""
        unwanted = list(ids)

        def remove(database: sqlite3.Connection) -> None:
            with database:
                for some in _pieces(unwanted):
                    database.execute(f"DELETE FROM jpegs WHERE id IN {_marks(some)}", some)

        if unwanted:
            self._do(remove, None, create=False)

    def close(self) -> None:
        """Let the file go; a later call opens it again."""
        with self._lock:
            if self._connection is not None:
                with suppress(sqlite3.Error):
                    self._connection.close()
            self._connection = None

    def _do(
        self, work: Callable[[sqlite3.Connection], _T], otherwise: _T, *, create: bool = True
    ) -> _T:
        with self._lock:
            try:
                if self._connection is None:
                    if not create and not self._path.exists():
                        return otherwise
                    self._connection = self._opened()
                return work(self._connection)
            except sqlite3.Error as error:
                # SQLite's word for damage; its kinds are locks, a full disk, and the like.
                if type(error) is sqlite3.DatabaseError:
                    self._begin_anew()
            except (OSError, UnicodeEncodeError):  # no such place; an id that is no Unicode text
                pass
            return otherwise

    def _opened(self) -> sqlite3.Connection:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):  # SQLite says it better
            self._path.touch(mode=0o600)
            self._path.chmod(0o600)  # one that was there
        database = sqlite3.connect(
            self._path, timeout=_PATIENCE, isolation_level="IMMEDIATE", check_same_thread=False
        )
        try:
            database.execute("PRAGMA journal_mode = TRUNCATE")
            database.execute("PRAGMA secure_delete = ON")
            database.execute("PRAGMA synchronous = OFF")  # what a power cut spoils is made again
            database.execute(_TABLE)
        except BaseException:
            database.close()
            raise
        return database

    def _begin_anew(self) -> None:
        self.close()
        for suffix in ("", "-journal"):
            with suppress(OSError):
                self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _make_room(self, database: sqlite3.Connection) -> None:
        while (excess := _used(database) - self._max_bytes) > 0:
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


def _shrunk(image: Image.Image) -> Image.Image:
    side = Thumbnails.SIDE
    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)


def _used(database: sqlite3.Connection) -> int:
    """Bytes of the file that hold something."""
    pages, free, size = (
        database.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _pieces(ids: list[str]) -> Iterable[list[str]]:
    return (ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE))


def _marks(ids: list[str]) -> str:
    return f"({', '.join('?' * len(ids))})"
