"""Whether a run has anything to do, told without opening the database or the encoder.

A run leaves a stamp: a digest of all that it went by (names, sizes and times of the pictures and
of the metadata; the options) and of the files of its local database as it left them. While both
are the same, the same run would change nothing, and fail with the same files: the stamp tells of
those, and tries each of them again, as a passing cause leaves no trace in names, sizes and times.

Only a local database has files to look at: what a server holds, others may change.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ocelot.errors import ImageError
from ocelot.images.file import ImageFile
from ocelot.indexing.metadata import find_metadata
from ocelot.indexing.scan import File, roots_of, scan
from ocelot.settings import cache_folder
from ocelot.types import Failure, IndexReport

__all__ = ["Kept", "Stamp"]

_DAYS = 90  # that a stamp is kept


@dataclass(frozen=True)
class Kept:
    """What a run that has nothing to do would say.

    Attributes:
        report: All files unchanged, but for those that failed and still do.
        rows: Of the collection.
    """

    report: IndexReport
    rows: int


@dataclass(frozen=True)
class Stamp:
    """What a run goes by, as it is now. Made by `of`, before the run.

    Attributes:
        found: Image files.
        inputs: Digest of all that the run goes by.
        tables: Paths of the metadata files.
        database: The local database's folder.
        file: Where the stamp of the last run is.
    """

    found: int
    inputs: str
    tables: tuple[str, ...]
    database: str
    file: Path

    @classmethod
    def of(
        cls,
        paths: Iterable[str | Path],
        metadata: str | Path | None,
        database: str | Path,
        *,
        options: Iterable[object] = (),
    ) -> Stamp:
        """Look at everything once.

        Args:
            paths, metadata: As of `index_images`.
            database: Folder of the local database.
            options: Whatever else decides what the run does: the collection, the version, the
                settings, the encoder's files.

        Raises:
            InputError: None of `paths` exists.
            MetadataError: A folder has several metadata files.
        """
        roots = roots_of(paths)
        named = "" if metadata is None else os.path.abspath(os.path.expanduser(metadata))
        folders = (root if os.path.isdir(root) else os.path.dirname(root) for root in roots)
        beside = [named] if named else [find_metadata(folder) for folder in folders]
        tables = tuple(str(table) for table in beside if table)
        run = repr((roots, named, [str(option) for option in options]))
        digest = hashlib.sha256(run.encode(errors="surrogateescape"))
        found = 0
        for file in scan(roots):
            if isinstance(file, File):
                found += 1
                digest.update(f"{file.path}\0{file.size}\0{file.mtime_ns}\n".encode())
            else:
                digest.update(f"{file.path}\0{file.reason}\n".encode())
        for table in tables:
            digest.update(_state(table).encode())
        place = os.path.realpath(os.path.expanduser(database))
        name = hashlib.sha256(f"{place}\n{run}".encode(errors="surrogateescape")).hexdigest()
        note = cache_folder() / "runs" / f"{name[:32]}.json"
        return cls(found, digest.hexdigest(), tables, place, note)

    def kept(self) -> Kept | None:
        """What the last run left, where the run has nothing to do; None where it may have."""
        try:
            note = json.loads(self.file.read_text(encoding="utf-8"))
            if (note["inputs"], note["database"]) != (self.inputs, _state(self.database)):
                return None
            failures = tuple(Failure(*failure) for failure in note["failures"])
            rows = int(note["rows"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        tried = [one for one in failures if self._is_of_a_picture(one)]
        if not all(map(_fails_again, tried)):
            return None
        unchanged = self.found - len({failure.path for failure in tried})
        return Kept(IndexReport(self.found, unchanged, failures=failures), rows)

    def keep(self, rows: int, failures: Iterable[Failure] = ()) -> None:
        """Leave it, right after a run let its database go.

        Args:
            rows: Of the collection.
            failures: Of the run.
        """
        note = {
            "inputs": self.inputs,
            "database": _state(self.database),
            "rows": rows,
            "failures": [(failure.path, failure.reason) for failure in failures],
        }
        with suppress(OSError):  # then the next run looks at everything
            self.file.parent.mkdir(parents=True, exist_ok=True)
            partial = self.file.with_suffix(f".{os.getpid()}.part")
            partial.write_text(json.dumps(note), encoding="utf-8")
            partial.replace(self.file)
            for other in self.file.parent.iterdir():
                if other.stat().st_mtime < time.time() - _DAYS * 86_400:
                    other.unlink()

    def _is_of_a_picture(self, failure: Failure) -> bool:
        """Whether it is of a file that was found; others are in the digest, as are tables."""
        return failure.path not in self.tables and os.path.isfile(failure.path)


def _fails_again(failure: Failure) -> bool:
    """Whether a picture cannot be used for the same reason as before.

    False also where it can be read and the reason was another, such as its metadata.
    """
    try:
        ImageFile.of(Path(failure.path)).rgb()
    except ImageError as error:
        return error.reason == failure.reason
    return False


def _state(path: str | Path) -> str:
    """Digest of a file's, or all of a folder's, names, sizes and times; "" where there is none."""
    if not os.path.exists(path):
        return ""
    files = [str(path)]
    if os.path.isdir(path):
        # Locks are touched by whoever reads.
        files = [
            os.path.join(folder, name)
            for folder, _, names in os.walk(path)
            for name in names
            if name != "LOCK"
        ]
    digest = hashlib.sha256()
    for file in sorted(files):
        with suppress(OSError):
            status = os.stat(file)
            line = f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ino}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
