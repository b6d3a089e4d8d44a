"""Backups of local databases: one tar file with the database and its uploads.

::

    backup.json         what it holds, where the uploads were, how many files follow
    database/…          the folder of the database
    uploads/0/ab/ab…    the first folder of uploads, and so on

A backup is taken while another process serves or indexes: see `ocelot.collection.lite.snapshot`.
The files of the uploads are linked under the same lock. The file of a row is there before the row
is, and is removed after it, so each row of the backup has its upload.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path, PurePosixPath
from typing import Any

from ocelot.collection import Collection
from ocelot.collection.lite.database import database_path
from ocelot.collection.lite.folder import collection_folders, json_object
from ocelot.collection.lite.seal import Seal
from ocelot.collection.lite.snapshot import link_or_copy, snapshot
from ocelot.collection.rows import chunks
from ocelot.errors import CollectionNotFound, ConfigurationError, InputError, StorageError
from ocelot.files import atomic_path, partials_of, remove_partial
from ocelot.images.decode import hash_bytes
from ocelot.images.uploads import is_upload, uploads_beside

__all__ = ["Backup", "Restored", "backup", "restore"]

_FORMAT = 1
_NOT_WHOLE = (
    tarfile.TarError,
    FileNotFoundError,
    FileExistsError,  # two files with one name
    NotADirectoryError,
    IsADirectoryError,
    KeyError,
    TypeError,
    OverflowError,
    ValueError,
)


@dataclass(frozen=True)
class Backup:
    """What `backup` wrote."""

    file: Path
    collections: tuple[str, ...]  # names
    uploads: int  # uploaded pictures
    bytes: int


@dataclass(frozen=True)
class Restored:
    """What `restore` made."""

    database: Path
    rows: Mapping[str, int]  # name of each collection of Ocelot -> its number of rows
    uploads: int  # uploaded pictures
    made: str  # when the backup was made, ISO 8601


def backup(db: str | Path, file: str | Path, uploads: str | Path | None = None) -> Backup:
    """Write a backup of a local database, which another process may be using, to a tar file.

    Writes of that process wait for a moment; where uploads are on another disk than the database,
    until they are copied. Pictures that were indexed where they are do not belong to it.

    Args:
        db: The path of the database.
        file: The .tar file, which is replaced as a whole; or a folder, for a file named after
            the database and the time.
        uploads: Folder for uploads; by default those beside the database.

    Raises:
        ConfigurationError: The database is on a server, or the file would be inside it.
        CollectionNotFound: There is no database.
        DatabaseUnavailable: It is damaged.
        StorageError: The file cannot be written.
    """
    database = _local(db)
    if not collection_folders(database):
        raise CollectionNotFound(f"There is no database {db}: correct the path.")
    target = Path(file).expanduser()
    if target.suffix != ".tar":
        target /= f"{database.stem}-{datetime.now():%Y%m%d-%H%M%S}.tar"
    if database.resolve() in target.resolve().parents:
        raise ConfigurationError(
            f"{target} is inside the database, and would be lost with it: choose another path."
        )
    # Beside the database, files can be linked; but its disk may be read-only.
    beside = database if os.access(database.parent, os.W_OK) else target
    with _staging(beside, target) as staging:
        with snapshot(database, staging / "database"):
            made = datetime.now(timezone.utc).isoformat(timespec="seconds")
            names = [folder.name for folder in collection_folders(staging / "database")]
            folders = {name: _uploads_of(database, name, uploads) for name in names}
            for number, folder in enumerate(dict.fromkeys(folders.values())):
                for upload in _uploads_in(folder):
                    parts = upload.relative_to(folder)
                    with suppress(FileNotFoundError):  # its row was deleted before
                        link_or_copy(upload, staging / "uploads" / str(number) / parts)
        found = sorted(one for one in staging.rglob("*") if one.is_file())
        note = {
            "format": _FORMAT,
            "made": made,
            "database": str(database),
            "uploads": folders,
            "files": len(found),
        }
        (staging / "backup.json").write_text(json.dumps(note, default=str), encoding="utf-8")
        # Without `dereference`, hard links would be stored once: two files with one content.
        with (
            atomic_path(target, durable=True) as partial,
            tarfile.open(partial, "w", dereference=True) as tar,
        ):
            for one in (staging / "backup.json", *found):
                tar.add(one, one.relative_to(staging).as_posix())
    return Backup(target, tuple(names), sum(map(is_upload, found)), target.stat().st_size)


def restore(file: str | Path, db: str | Path, uploads: str | Path | None = None) -> Restored:
    """Make a local database of a backup. It appears as a whole, after everything is checked.

    If the uploads come to another folder than they were in, the paths of their rows follow.

    Args:
        file: A file that `backup` wrote.
        db: The path of the database, which must not exist.
        uploads: Folder for uploads; by default those beside the database.

    Raises:
        ConfigurationError: The database exists, or its path cannot be used.
        InputError: The file is not a whole backup.
        StorageError: The database cannot be written.
    """
    database = _local(db)
    if database.exists() or database.suffix != ".db":
        reason = "exists already; move it away first" if database.exists() else "is no such path"
        raise ConfigurationError(
            f"Nothing was restored: {db} {reason}, or choose another path that ends with .db."
        )
    with _staging(database, database) as staging:
        note = _extract(Path(file), staging)
        ready = (staging / "database").rename(staging / database.name)
        moved: dict[str, Path] = {}  # old folder of uploads -> new one
        rows: dict[str, int] = {}
        for name, old in note["uploads"].items():
            moved.setdefault(old, _uploads_of(database, name, uploads))
        for name in note["uploads"]:
            with (
                suppress(ConfigurationError),  # another program's collection
                Collection.open(ready, name=name) as collection,
            ):
                _relocate(collection, moved)
                rows[name] = collection.count()
        count = 0
        for number, new in enumerate(moved.values()):
            folder = staging / "uploads" / str(number)
            for upload in _uploads_in(folder):
                count += is_upload(upload)
                with atomic_path(new / upload.relative_to(folder)) as partial:
                    link_or_copy(upload, partial)  # what is there has the same content
        ready.rename(database)
    return Restored(database, rows, count, note["made"])


def _local(db: str | Path) -> Path:
    if "://" in str(db):
        raise ConfigurationError(
            "Only a local database can be backed up and restored so: for a server, use "
            "milvus-backup (github.com/zilliztech/milvus-backup), or `ocelot export` for one "
            "collection."
        )
    return database_path(str(db))


def _uploads_of(database: Path, name: str, uploads: str | Path | None) -> Path:
    return Path(os.path.abspath(os.path.expanduser(uploads or uploads_beside(str(database), name))))


def _uploads_in(folder: Path) -> Iterator[Path]:
    """The uploads in a folder, and the marks of those that wait for their rows."""

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # there are none, or no more
            raise error

    for place, _, names in os.walk(folder, onerror=failed):
        for path in (Path(place, name) for name in names):
            if is_upload(path) or path.suffix == ".pending":
                yield path


@contextmanager
def _staging(beside: Path, target: Path) -> Iterator[Path]:
    """A temporary folder beside a path; errors of files become those of writing `target`."""
    try:
        beside.parent.mkdir(parents=True, exist_ok=True)
        remove_partial(partials_of(beside))  # of processes that were killed
        with tempfile.TemporaryDirectory(".part", f".{beside.name}.", beside.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise StorageError(
            f"{target} cannot be written ({error.strerror or error}): free some space, check the "
            "permissions, or choose another path."
        ) from error


def _extract(file: Path, staging: Path) -> dict[str, Any]:
    """Unpack a backup and check all of it; return the content of its `backup.json`."""
    try:
        tar = tarfile.open(file, "r:")  # noqa: SIM115
    except (OSError, tarfile.TarError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"The backup {file} cannot be read ({reason}): check the path.") from error
    unpacked = []
    try:
        with tar:
            for member in tar:
                unpacked.append(_unpack(tar, member, staging))
        note = json_object((staging / "backup.json").read_text("utf-8"))
        if note["format"] != _FORMAT:
            raise ValueError(f"its format {note['format']} is of another Ocelot")
        texts = [note["made"], *dict(note["uploads"]).values()]
        if not isinstance(note["files"], int) or not all(isinstance(one, str) for one in texts):
            raise ValueError("its backup.json has values of other types")
        if note["files"] != len(unpacked) - 1:
            raise ValueError(f"it has {len(unpacked) - 1:,} of {note['files']:,} files")
        if damages := Seal(staging / "database").check():
            raise ValueError(str(damages[0]))
        if {*note["uploads"]} != {one.name for one in collection_folders(staging / "database")}:
            raise ValueError("it names other collections than it holds")
        for path in filter(is_upload, unpacked):
            if hash_bytes(path.read_bytes()) != path.name[:64]:
                raise ValueError(f"the upload {path.name} has changed")
    except _NOT_WHOLE as error:
        raise InputError(
            f"The backup {file} is not whole, or is none ({error}): nothing was restored; take "
            "another one."
        ) from error
    return note


def _unpack(tar: tarfile.TarFile, member: tarfile.TarInfo, staging: Path) -> Path:
    parts = PurePosixPath(member.name).parts
    own = parts and parts[0] in ("backup.json", "database", "uploads")
    # Of a sparse file, a few bytes make any size.
    stream = tar.extractfile(member) if member.isreg() and not member.issparse() else None
    if not own or ".." in parts or "\\" in member.name or stream is None:
        raise ValueError(f"it holds {member.name!r}")
    path = staging.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with stream, path.open("xb") as target:
        shutil.copyfileobj(stream, target)
    path.chmod(member.mode & 0o666)
    os.utime(path, (member.mtime, member.mtime))
    return path


def _relocate(collection: Collection, moved: Mapping[str, Path]) -> None:
    """Let the rows of uploads say where these are now."""

    def place(path: str) -> str:
        folder = os.path.dirname(os.path.dirname(path))
        inside = folder in moved and is_upload(path)
        return str(moved[folder] / os.path.relpath(path, folder)) if inside else path

    places = {
        row.id: {place(path): at for path, at in row.paths.items()}
        for row in collection.iterate(metadata=False)
        if any(place(path) != path for path in row.paths)
    }
    for ids in chunks(places):
        collection.upsert(replace(row, paths=places[row.id]) for row in collection.get(ids))
