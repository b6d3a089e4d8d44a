"""The seal of a local database: what its files were when Ocelot last wrote them.

Milvus Lite accepts an old manifest, a missing data file and a cut log as they are: it shows fewer
rows, and removes the files that an old manifest does not name. So Ocelot writes down after each
acknowledged write, and when it closes a database, which files hold the rows: `seal.json` has the
manifest and the schema as text, and the size and the CRC-32 of each other file. Before Milvus
Lite opens the database, the files are compared with the seal.

A process can die between a write and its seal. So files may be newer than the seal, never older:

- the manifest counts its versions, and a higher version than the sealed one is a later save;
- a log may be longer than its sealed beginning;
- a sealed log may be gone once the manifest says that data files hold its rows.

Index files are made from the data files. One that the seal does not confirm is removed, and
Milvus Lite makes it again.
"""

from __future__ import annotations

import json
import logging
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import TypeAdapter

from ocelot.collection.lite.folder import (
    CollectionFolder,
    Manifest,
    UnknownFormat,
    collection_folders,
    json_object,
    log_number,
    read_log,
    sequences,
)
from ocelot.files import remove, write_atomic

__all__ = ["CollectionSeal", "Damage", "FileSeal", "Seal", "file_seal", "log_damage"]

log = logging.getLogger(__name__)

_CHUNK = 4 * 2**20  # bytes read at once


@dataclass(frozen=True)
class FileSeal:
    """Size in bytes, CRC-32 (as in gzip), and rows or deletions, 0 in other files."""

    size: int
    crc32: int
    rows: int = 0


@dataclass(frozen=True)
class CollectionSeal:
    """The files of one collection, by their paths in its folder."""

    schema: str  # content of the file
    manifest: str  # content of the file; "" if there is none
    files: dict[str, FileSeal]  # data, delta and index files
    logs: dict[str, FileSeal]  # the acknowledged beginning of each file of the log


_CONTENT = TypeAdapter(dict[str, CollectionSeal])


@dataclass(frozen=True)
class Damage:
    """One file that is not what it should be."""

    collection: str  # its name; "" for the database
    file: str  # path in the folder of the collection
    reason: str  # the rest of a sentence
    rows: int = 0  # that the file held, if that is known

    def __str__(self) -> str:
        rows = f" ({self.rows:,} rows)" if self.rows else ""
        where = f"the collection {self.collection!r}" if self.collection else "the database"
        file = f"{self.file} of " if self.file else ""
        return f"{file}{where}{rows} {self.reason}"


class Seal:
    """The seal of one database, and the checksums that this process has computed."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.path = database / "seal.json"
        self._known: dict[Path, tuple[int, FileSeal]] = {}  # modification time, checksum
        self._logs: dict[Path, FileSeal] = {}
        self._written = b""

    def read(self) -> dict[str, CollectionSeal] | None:
        """The sealed collections by name; None if there is no seal.

        Raises `OSError` or `ValueError` if it cannot be read, or has changed.
        """
        if not self.path.exists():
            return None
        checksum, _, content = self.path.read_bytes().partition(b"\n")
        if checksum != b"%08x" % zlib.crc32(content):
            raise ValueError("another checksum")
        self._written = content
        sealed = _CONTENT.validate_json(content)
        try:
            for one in sealed.values():  # repair writes and removes what they name
                if one.manifest:
                    Manifest.parse(one.manifest)
                for file in one.logs:
                    log_number(file)
        except UnknownFormat as error:
            raise ValueError("not a seal") from error
        return sealed

    def write(self, *, durable: bool = False) -> None:
        """Seal the files as they are now. Nobody may write to the database meanwhile.

        If that is not possible, as on a full disk, the old seal stays: it is older than the
        files, which is allowed. Without an old one, this raises the `OSError`: a log that a full
        disk has cut would look like damage.
        """
        self._logs = {file: one for file, one in self._logs.items() if file.exists()}
        for _ in range(3):
            try:
                sealed = {
                    folder.name: asdict(self._seal(folder))
                    for folder in collection_folders(self.database)
                    if (folder.path / "schema.json").exists()
                }
                break
            except FileNotFoundError:
                continue  # Milvus Lite has merged data files in the background
            except (OSError, ValueError, UnknownFormat):
                return
        else:
            return
        content = json.dumps(sealed).encode()
        if content == self._written:
            return
        try:
            write_atomic(self.path, b"%08x\n%b" % (zlib.crc32(content), content), durable=durable)
            self._written = content
        except OSError as error:
            if not self.path.exists():
                raise
            log.debug("The seal %s cannot be written: %s", self.path, error)

    def _seal(self, folder: CollectionFolder) -> CollectionSeal:
        manifest = folder.manifest()
        files = [*(manifest.files if manifest else ()), *folder.indexes()]
        return CollectionSeal(
            folder.text("schema.json") or "",
            manifest.text if manifest else "",
            {file: self._checksum(folder.path / file) for file in files},
            {file: self._log_checksum(folder.path / file) for file in folder.logs()},
        )

    def check(self) -> list[Damage]:
        """Compare the files with the seal, or with each other if there is none."""
        try:
            found = self.read()
        except PermissionError:
            raise  # that is no damage
        except (OSError, ValueError):
            return [Damage("", self.path.name, "cannot be read")]
        sealed = found or {}
        folders = {folder.name: folder for folder in collection_folders(self.database)}
        damages = [
            Damage(name, "", "is gone", sum(file.rows for file in one.files.values()))
            for name, one in sealed.items()
            if name not in folders
        ]
        for name, folder in folders.items():
            damages += self._check(folder, sealed.get(name), is_sealed=found is not None)
        return damages

    def is_made_again(self, folder: CollectionFolder, sealed: CollectionSeal) -> bool:
        """Whether another program has put another collection, which is whole, in the place."""
        if [*self._check(folder, None, is_sealed=False)]:
            return False
        files = {file: self._checksum(folder.path / file) for file in folder.segments()}
        return folder.text("schema.json") != sealed.schema and not any(
            sealed.files.get(file) == checksum for file, checksum in files.items()
        )

    def _check(
        self, folder: CollectionFolder, sealed: CollectionSeal | None, *, is_sealed: bool
    ) -> Iterator[Damage]:
        name = folder.name
        if reason := _schema_damage(folder, sealed):
            yield Damage(name, "schema.json", reason)
        before = Manifest.parse(sealed.manifest) if sealed and sealed.manifest else None
        try:
            manifest = folder.manifest()
        except UnknownFormat:
            log.warning("%s cannot be checked: its format is new to this Ocelot.", folder.path)
            return
        except ValueError:
            yield Damage(name, "manifest.json", "cannot be read")
            return
        if manifest is None and (before or folder.segments()):
            yield Damage(name, "manifest.json", "is missing")
            return
        if before and manifest and manifest.text != before.text:
            if manifest.version < before.version:
                yield Damage(name, "manifest.json", "is older than what was last written")
            elif manifest.version == before.version:
                yield Damage(name, "manifest.json", "has changed")
        named = manifest.files if manifest else ()
        for file in named:
            one = sealed.files.get(file) if sealed else None
            if reason := self._damage(folder.path / file, one):
                yield Damage(name, file, reason, one.rows if one else 0)
        newest = manifest.last_sequence if manifest else 0
        late = [f for f in folder.segments() if f not in named and sequences(f)[0] > newest]
        if late and not folder.logs():  # a flush writes them before the manifest names them
            yield Damage(name, "manifest.json", f"does not name the newer file {late[0]}")
        first = manifest.first_log if manifest else 0
        for file, log_seal in (sealed.logs if sealed else {}).items():
            if log_number(file) >= first and (reason := log_damage(folder.path / file, log_seal)):
                yield Damage(name, file, reason)
        if not is_sealed:
            for file in folder.logs():
                if not read_log(folder.path / file)[1]:
                    yield Damage(name, file, "is cut or has changed")

    def _damage(self, path: Path, sealed: FileSeal | None) -> str:
        """What is wrong with a data or delta file, as the rest of a sentence; else ""."""
        try:
            if not path.is_file():
                return "is missing"
            return "has changed" if self._checksum(path) != sealed and sealed else ""
        except PermissionError:
            raise
        except (OSError, ValueError):
            return "cannot be read"

    def remove_leftovers(self) -> None:
        """Remove index files that the seal does not confirm, and logs that the files hold already.

        The index files are made again from the rows. A process that is killed while it removes
        a log may leave its deletions, and these alone make each later flush fail.
        """
        sealed = self.read() or {}
        for folder in collection_folders(self.database):
            files = sealed[folder.name].files if folder.name in sealed else {}
            for file in folder.indexes():
                path = folder.path / file
                confirmed = False
                with suppress(OSError):
                    confirmed = self._checksum(path) == files.get(file)
                if not confirmed:
                    log.info("The index file %s is made again.", path)
                    remove(path)
            with suppress(UnknownFormat):
                manifest = folder.manifest()
                for file in folder.logs():
                    if manifest and log_number(file) < manifest.first_log:
                        remove(folder.path / file)

    def _checksum(self, file: Path) -> FileSeal:
        """Checksum of a data, delta or index file; remembered while its time stays the same."""
        status = file.stat()
        time, known = self._known.get(file, (0, None))
        if known is None or (time, known.size) != (status.st_mtime_ns, status.st_size):
            known = file_seal(file)
            self._known[file] = status.st_mtime_ns, known
        return known

    def _log_checksum(self, file: Path) -> FileSeal:
        """Checksum of a file that only grows: its new bytes are added to the old checksum."""
        size = file.stat().st_size
        known = self._logs.get(file, FileSeal(0, 0))
        if known.size > size:
            known = FileSeal(0, 0)
        self._logs[file] = FileSeal(size, _crc32(file, known.crc32, known.size, size))
        return self._logs[file]


def _schema_damage(folder: CollectionFolder, sealed: CollectionSeal | None) -> str:
    try:
        text = folder.text("schema.json")
        json_object("{}" if text is None else text)
    except ValueError:
        return "cannot be read"
    if text is None and (sealed or folder.segments() or folder.logs()):
        return "is missing"
    return "has changed" if sealed and text != sealed.schema else ""


def file_seal(file: Path) -> FileSeal:
    """The seal of a data, delta or index file. Raises `OSError` or `ValueError`."""
    size = file.stat().st_size
    rows = pq.read_metadata(file).num_rows if file.suffix == ".parquet" else 0
    return FileSeal(size, _crc32(file, 0, 0, size), rows)


def log_damage(file: Path, sealed: FileSeal) -> str:
    """What is wrong with the sealed beginning of a log, as the rest of a sentence; else ""."""
    if not file.is_file():
        return "is missing"
    size = file.stat().st_size
    if size < sealed.size:
        return f"is {sealed.size - size:,} bytes shorter than what was written"
    return "" if _crc32(file, 0, 0, sealed.size) == sealed.crc32 else "has changed"


def _crc32(file: Path, checksum: int, start: int, end: int) -> int:
    """Continue a CRC-32 with the bytes from `start` to `end`."""
    with file.open("rb") as stream:
        stream.seek(start)
        while start < end and (data := stream.read(min(_CHUNK, end - start))):
            checksum = zlib.crc32(data, checksum)
            start += len(data)
    return checksum
