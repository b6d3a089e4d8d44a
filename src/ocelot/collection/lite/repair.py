"""Repair of a damaged local database: copied aside, then cut down to what can be read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ocelot.collection.lite.database import database_path, locked
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
from ocelot.collection.lite.seal import CollectionSeal, Damage, Seal, file_seal, log_damage
from ocelot.errors import CollectionNotFound, ConfigurationError, StorageError
from ocelot.files import atomic_path, remove, write_atomic

__all__ = ["Loss", "Repair", "repair"]


@dataclass(frozen=True)
class Loss:
    """What could not be saved."""

    collection: str
    reason: str  # a sentence
    pictures: tuple[str, ...] = ()  # paths of lost rows, as far as they can be read


@dataclass(frozen=True)
class Repair:
    """What `repair` did."""

    copy: Path | None  # of the damaged database; None if nothing was damaged
    damages: tuple[Damage, ...] = ()
    losses: tuple[Loss, ...] = ()


def repair(uri: str) -> Repair:
    """Repair a local database in its place, after a copy of it is made beside it.

    Everything that the seal or the files themselves confirm is kept.

    Raises:
        ConfigurationError: It is not a path.
        CollectionNotFound: There is no database.
        DatabaseUnavailable: A process has the database open.
        StorageError: The disk has no room for the copy, or the folder cannot be written.
    """
    if "://" in uri:
        raise ConfigurationError(f"Only a local database can be repaired, not {uri!r}.")
    database = database_path(uri)
    seal = Seal(database)
    if not collection_folders(database) and not seal.path.exists():
        raise CollectionNotFound(f"There is no database {uri}: correct the path.")
    try:
        with locked(database):
            if not (damages := seal.check()):
                return Repair(None)
            copy = _copy_aside(database)
            sealed: dict[str, CollectionSeal] = {}
            with suppress(OSError, ValueError):
                sealed = seal.read() or {}
            losses: list[Loss] = []
            for folder in collection_folders(database):
                before = sealed.get(folder.name)
                if before and seal.is_made_again(folder, before):
                    losses.append(Loss(folder.name, "Another program has made it again."))
                else:
                    losses += _Salvage(folder, before).run()
            losses += [
                Loss(damage.collection, f"The collection {damage.collection!r} is gone.")
                for damage in damages
                if damage.collection and not damage.file
            ]
            remove(seal.path)
    except OSError as error:
        raise StorageError(
            f"The database {database} cannot be repaired ({error.strerror or error}): free some "
            "space, or check the permissions."
        ) from error
    return Repair(copy, tuple(damages), tuple(losses))


def _copy_aside(database: Path) -> Path:
    copy = database.with_name(f"{database.stem}-damaged-{datetime.now():%Y%m%d-%H%M%S-%f}.db")
    with atomic_path(copy) as partial:
        try:
            shutil.copytree(database, partial, symlinks=True)
        except shutil.Error as error:
            _, _, reason = error.args[0][0]  # of the first of the files
            raise OSError(reason) from error
    return copy


class _Salvage:
    """Cuts the folder of one collection down to what can be read."""

    def __init__(self, folder: CollectionFolder, sealed: CollectionSeal | None) -> None:
        self.folder = folder
        self.sealed = sealed or CollectionSeal("", "", {}, {})
        self.is_sealed = sealed is not None
        self.losses: list[Loss] = []

    def run(self) -> list[Loss]:
        """Repair the folder; return what could not be saved."""
        if not self._restore_schema():
            shutil.rmtree(self.folder.path)
            self._lost("Its schema is lost, so the collection was removed; the copy has its files.")
            return self.losses
        manifest = self._newest_manifest()
        kept = [file for file in self._files(manifest) if self._keep(file)]
        first_log = manifest.first_log if manifest else 0
        sealed_logs = {log for log in self.sealed.logs if log_number(log) >= first_log}
        for log in sorted({*self.folder.logs(), *sealed_logs}):
            self._keep_log(log)
        for index in self.folder.indexes():
            remove(self.folder.path / index)
        self._write_manifest(manifest, kept)
        return self.losses

    def _lost(self, reason: str, pictures: Iterable[str] = ()) -> None:
        self.losses.append(Loss(self.folder.name, reason, tuple(pictures)))

    def _restore_schema(self) -> bool:
        if self.is_sealed:
            _write(self.folder.path / "schema.json", self.sealed.schema)
            return True
        with suppress(ValueError):
            json_object(self.folder.text("schema.json") or "")
            return True
        return False

    def _newest_manifest(self) -> Manifest | None:
        # The sealed one comes first: it wins over one of the same version.
        found = [Manifest.parse(self.sealed.manifest)] if self.sealed.manifest else []
        for file in ("manifest.json", "manifest.json.prev"):
            with suppress(ValueError, UnknownFormat):
                if manifest := self.folder.manifest(file):
                    found.append(manifest)
        return max(found, key=lambda one: one.version, default=None)

    def _files(self, manifest: Manifest | None) -> list[str]:
        """The data and delta files to keep: those that are named, and newer ones.

        If one is missing, also those that are not named: Milvus Lite may have merged its rows into
        another file. Rows that are in two files count once, by their sequence numbers.
        """
        on_disk = self.folder.segments()
        if manifest is None:
            self._lost("No manifest can be read: pictures that were deleted may be there again.")
            return on_disk
        unnamed = [file for file in on_disk if file not in manifest.files]
        if set(manifest.files) <= set(on_disk):
            unnamed = [file for file in unnamed if sequences(file)[0] > manifest.last_sequence]
        elif unnamed:
            self._lost("Unnamed files were kept: pictures that were deleted may be there again.")
        return [*manifest.files, *unnamed]

    def _keep(self, file: str) -> bool:
        """Keep what can be read of a data or delta file."""
        path, sealed = self.folder.path / file, self.sealed.files.get(file)
        what = "deletions" if "/delta/" in file else "pictures"
        name = f"{file} ({sealed.rows:,} {what})" if sealed else f"{file} ({what})"
        if not path.is_file():
            remove(path)
            self._lost(f"{name} is missing.")
            return False
        try:
            changed = sealed is not None and file_seal(path) != sealed
            table = pq.read_table(path)
            table.validate(full=True)
        except (pa.ArrowException, OSError, ValueError):
            self._lost(f"{name} cannot be read.", _pictures_in(path))
            path.unlink()
            return False
        if changed:
            table, pictures = _sound(table)
            with atomic_path(path) as partial:
                pq.write_table(table, partial)
            kept = f"{table.num_rows:,} of them look right and were kept"
            self._lost(f"{name} has changed: {kept}.", pictures)
        return True

    def _keep_log(self, file: str) -> None:
        """Keep a log up to its first record that cannot be read."""
        path, sealed = self.folder.path / file, self.sealed.logs.get(file)
        damage = log_damage(path, sealed) if sealed else ""
        batches, whole = read_log(path)
        if whole and not damage:
            return
        parts = [_sound(pa.Table.from_batches([batch])) for batch in batches]
        if parts:
            schema = parts[0][0].schema
            with atomic_path(path) as partial, pa.ipc.new_stream(partial, schema) as stream:
                for table, _ in parts:
                    stream.write_table(table)
        else:
            remove(path)
        if damage or not self.is_sealed:  # else it has only a record that was never acknowledged
            rows = sum(table.num_rows for table, _ in parts)
            kept = f": {rows:,} rows of it look right and were kept" if rows else ""
            self._lost(
                f"{file} with the last changes {damage or 'is cut'}{kept}.",
                (picture for _, pictures in parts for picture in pictures),
            )

    def _write_manifest(self, manifest: Manifest | None, files: list[str]) -> None:
        old = manifest.content if manifest else {}
        partitions: dict[str, dict[str, list[str]]] = {
            name: {"data_files": [], "delta_files": []}
            for name in old.get("partitions", {"_default": {}})
        }
        for file in files:
            _, partition, kind, name = file.split("/")
            kinds = partitions.setdefault(partition, {"data_files": [], "delta_files": []})
            kinds[f"{kind}_files"].append(f"{kind}/{name}")
        content = {
            **old,
            "manifest_format_version": 2,
            "version": (manifest.version if manifest else 0) + 1,
            "current_seq": max([old.get("current_seq", 0), *(sequences(f)[1] for f in files)]),
            "active_wal_number": old.get("active_wal_number"),
            "partitions": partitions,
        }
        _write(self.folder.path / "manifest.json", json.dumps(content, indent=2))
        remove(self.folder.path / "manifest.json.prev")


def _write(path: Path, text: str) -> None:
    if path.is_dir():
        remove(path)
    write_atomic(path, text.encode())


def _sound(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """Split rows of Ocelot by whether they can be right: rows, and paths of the other pictures."""
    if not {"paths", "vector", "$meta"} <= set(table.column_names):
        return table, []
    vectors = pc.list_flatten(table.column("vector").combine_chunks())
    lengths = np.linalg.norm(vectors.to_numpy().reshape(table.num_rows, -1), axis=1)
    sound = np.abs(lengths - 1) < 1e-3  # not where a number is NaN
    for column in ("paths", "$meta"):
        sound &= [_mapping(text) is not None for text in table.column(column).to_pylist()]
    return table.filter(pa.array(sound)), _pictures(table.filter(pa.array(~sound)))


def _mapping(text: str | None) -> dict[str, Any] | None:
    """A JSON object; None if the text is not one."""
    with suppress(ValueError):
        return json_object(text or "{}")
    return None


def _pictures(table: pa.Table) -> list[str]:
    return [path for text in table.column("paths").to_pylist() for path in _mapping(text) or ()]


def _pictures_in(file: Path) -> list[str]:
    """The paths of the pictures in a file of which another column cannot be read."""
    try:
        return _pictures(pq.read_table(file, columns=["paths"]))
    except (pa.ArrowException, OSError, ValueError, KeyError):
        return []
