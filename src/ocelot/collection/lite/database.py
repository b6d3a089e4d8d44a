"""A local database that this process has open: locked, checked, sealed, read when read-only."""

from __future__ import annotations

import atexit
import os
import shlex
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from ocelot.collection.lite.folder import collection_folders
from ocelot.collection.lite.seal import Damage, Seal
from ocelot.errors import ConfigurationError, DatabaseUnavailable

__all__ = ["LocalDatabase", "damaged", "database_path", "in_use", "locked", "unwritten"]

_ROOM = 64 * 2**20  # bytes that must be free to open a database for reading in its own place


class LocalDatabase:
    """The folder of a local database, shared by all who use it in this process.

    Attributes:
        uri: The folder for Milvus Lite: the database itself, or a view of it.
        read_only: Whether `uri` is a view in the temporary folder. Milvus Lite writes when it
            opens a database: a lock, data files made of its log, index files. A database on a
            read-only or full disk is therefore read through a folder of links to its files.
        forgotten: Collections to be loaded again, see `forget`.
    """

    _lock = threading.RLock()
    _open: dict[Path, LocalDatabase] = {}  # noqa: RUF012  (guarded by _lock)

    def __init__(self, path: Path, *, create: bool) -> None:
        self.path = self.uri = path
        self.read_only = False
        self.forgotten: set[str] = set()
        self._users = 0
        # Whether no program in this process has opened it itself.
        self._is_ours = str(path) not in _manager()._servers
        self._seal = Seal(path)
        # Milvus Lite does not lock its log: two writes at once corrupt it.
        self._writing = threading.RLock()
        self._held = ExitStack()
        if path.is_dir() and self._is_ours:
            self.read_only = not _is_writable(path) or (not create and _is_full(path))
            if create:
                self.check_writable()
            with self._held:
                self._held.enter_context(locked(path, shared=self.read_only))
                if damages := self._seal.check():
                    raise damaged(path, damages)
                if self.read_only:
                    self.uri = self._view()
                    self._held = self._held.pop_all()  # the lock and the view last until `close`
                else:
                    with suppress(OSError):
                        self._seal.remove_leftovers()

    @classmethod
    def open(cls, path: Path, *, create: bool) -> LocalDatabase:
        """Open a database, or use the one that is open; `create` says whether to write.

        Raises:
            DatabaseUnavailable: It is damaged, in use by another process, or read-only.
            Exception: Milvus Lite does not start.
        """
        with cls._lock:
            self = cls._open.get(path) or cls(path, create=create)
            if create:
                self.check_writable()
            try:
                self._start()
            except BaseException:
                if not self._users:
                    self._held.close()
                raise
            cls._open[path] = self
            self._users += 1
            return self

    def _start(self) -> None:
        """Start Milvus Lite, unless it runs; raises whatever keeps it from that."""
        folder = str(self.uri)
        if _manager().start_and_get_uri(folder) is None:  # it does not say why
            from milvus_lite.adapter.grpc.server import start_server_in_thread

            server = start_server_in_thread(data_dir=folder, host="127.0.0.1", port=0)
            _manager()._servers[folder] = server

    def close(self) -> None:
        """Stop Milvus Lite and seal the files when the last user closes."""
        with self._lock:
            self._users -= 1
            if not self._users:
                del self._open[self.path]
                self._stop()

    def _stop(self) -> None:
        if not self._is_ours:
            return
        _manager().release_server(str(self.uri))
        self._held.close()
        if not self.read_only and self.path.is_dir():
            with suppress(DatabaseUnavailable, OSError), locked(self.path):
                self._seal.write(durable=True)

    def check_writable(self) -> None:
        """Raise a `DatabaseUnavailable` if the database can only be read."""
        if self.read_only:
            raise DatabaseUnavailable(
                f"The database {self.path} cannot be written: its folder is read-only or its disk "
                "is full; change the permissions, free some space, or choose another path."
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold during each write: one at a time; sealed once it is acknowledged."""
        self.check_writable()
        with self._writing, unwritten(self.path, writes=True):
            yield
            self._seal.write()

    def forget(self, collection: str) -> None:
        """After a failed write, let Milvus Lite read the collection from its files again.

        When it cannot write a data file, it forgets the rows in memory, and a later success
        removes the log that still holds them. When it cannot write its log, it appends later
        records behind the torn one, where none is read again.
        """
        if not (server := _manager()._servers.get(str(self.uri))):
            return  # closed meanwhile
        _, database, _ = server
        failed = database._collections.pop(("default", collection), None)
        for sink in (failed._wal._data_sink, failed._wal._delta_sink) if failed else ():
            with suppress(OSError, AttributeError):
                sink.close()
        self.forgotten.add(collection)

    def _view(self) -> Path:
        """A folder of links to the files. Milvus Lite replaces or removes links, never files."""
        files = [self.path / "aliases.json"]
        for folder in collection_folders(self.path):
            names = ("schema.json", "manifest.json", *folder.logs(), *folder.segments())
            files += [folder.path / name for name in names]
        places = {Path(tempfile.gettempdir()), *filter(Path.is_dir, [Path("/dev/shm")])}
        roomiest = max(places, key=lambda place: shutil.disk_usage(place).free)
        try:
            made = tempfile.TemporaryDirectory(prefix="ocelot-", dir=roomiest)
            view = Path(self._held.enter_context(made)) / self.path.name
            for file in filter(Path.exists, files):
                link = view / file.relative_to(self.path)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file)
        except OSError as error:
            raise DatabaseUnavailable(
                f"The database {self.path} is read-only or its disk is full, and it cannot be "
                f"read through the temporary folder {roomiest} ({error.strerror}); set TMPDIR to "
                "a folder with free space."
            ) from error
        return view


@atexit.register
def _close_all() -> None:
    """Seal what the program did not close; Milvus Lite may have stopped its servers before."""
    for database in list(LocalDatabase._open.values()):
        with suppress(Exception):
            database._stop()


def database_path(uri: str) -> Path:
    """The folder of a local database. Raises a `ConfigurationError` if it is no possible path."""
    try:
        path = Path(uri).expanduser().resolve()
        path.exists()
    except (OSError, ValueError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise ConfigurationError(
            f"The database {uri!r} cannot be used ({reason}): give another path."
        ) from error
    return path


def damaged(path: Path, damages: list[Damage]) -> DatabaseUnavailable:
    """The error for a database that its seal does not confirm."""
    more = f", and {len(damages) - 1} more" if len(damages) > 1 else ""
    return DatabaseUnavailable(
        f"The database {path} is damaged: {damages[0]}{more}. Nothing was changed: run `ocelot "
        f"repair --db {shlex.quote(str(path))}`, which keeps a copy and saves what can be read, or "
        "restore a backup."
    )


def _manager() -> Any:
    """What keeps Milvus Lite's servers in this process; imported late, as that takes 0.2 s."""
    from milvus_lite.server_manager import server_manager_instance

    return server_manager_instance


def _is_writable(path: Path) -> bool:
    lock = path / "LOCK"
    return os.access(path, os.W_OK) and (os.access(lock, os.W_OK) or not lock.exists())


def _is_full(path: Path) -> bool:
    """Whether there may be no room for the data files that Milvus Lite makes of its log."""
    logs = (
        (folder.path / file).stat().st_size
        for folder in collection_folders(path)
        for file in folder.logs()
    )
    return shutil.disk_usage(path).free < _ROOM + 2 * sum(logs)


@contextmanager
def locked(database: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock of Milvus Lite, so that no other process opens the database meanwhile.

    Raises a `DatabaseUnavailable` if one has it open.

    Args:
        shared: Let other readers hold it at the same time; needs no permission to write.
    """
    with _flock(database / "LOCK", shared=shared, wait=False):
        yield


@contextmanager
def unwritten(database: Path, *, writes: bool = False) -> Iterator[None]:
    """Wait until nobody writes a row to a database, and keep it so; for a backup.

    The process that has the database open holds this lock only during each write. What Milvus
    Lite does in the background, merging data files, goes on. Raises an `OSError` if the lock
    cannot be taken, as on a full disk.

    Args:
        writes: Whether the caller is the one who writes.
    """
    file = database / "WRITE"
    if not file.exists() and os.access(database, os.W_OK):
        file.touch()
    with _flock(file, shared=not writes, wait=True):
        yield


@contextmanager
def _flock(file: Path, *, shared: bool, wait: bool) -> Iterator[None]:
    """Hold a lock between processes. Windows has none; a missing file to be shared needs none."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        handle = os.open(file, os.O_RDONLY if shared else os.O_CREAT | os.O_RDWR, 0o644)
    except FileNotFoundError:  # nobody can have opened it, or written to it
        yield
        return
    try:
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(handle, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise in_use(file.parent) from None
        yield
    finally:
        os.close(handle)


def in_use(database: Path | str) -> DatabaseUnavailable:
    """The error for a database that another process has open."""
    return DatabaseUnavailable(
        f"The database {database} is in use by another process, and a local database serves one "
        "process at a time: wait for it or stop it, or use a Milvus server."
    )
