"""Stamps of runs: find out from the disk alone whether there is anything to index.

A run leaves a stamp: a digest of all its inputs (names, sizes and modification times of the
pictures and of the metadata; the options), and a digest of the files of its local database as it
left them. While both are the same, the same run would change nothing, and the same files would
fail. Those are tried again, as a passing cause leaves no trace in names, sizes and times.

Only a local database has files to compare: what a server holds, others may change.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from ocelot.errors import ImageError
from ocelot.files import write_atomic
from ocelot.images.file import ImageFile
from ocelot.indexing.metadata import metadata_files
from ocelot.indexing.scan import File, roots_of, scan
from ocelot.settings import cache_folder
from ocelot.types import Failure, IndexReport, Remark

__all__ = ["LastRun", "Stamp"]

_DAYS = 90  # how long a stamp is kept


class LastRun(NamedTuple):
    """What the last run left, if nothing has changed since."""

    report: IndexReport  # all files unchanged, except those that failed and still do
    rows: int  # in the collection


class Stamp:
    """The inputs of a run as they are now; made before the run.

    Args:
        paths, metadata: As of `index_images`, with its errors.
        database: Folder of the local database.
        options: Everything else that the result depends on: collection, version, settings, encoder.
    """

    def __init__(
        self,
        paths: Iterable[str | Path],
        metadata: str | Path | None,
        database: str | Path,
        *,
        options: Iterable[object] = (),
    ) -> None:
        roots = roots_of(paths)
        tables = [table.path for table in metadata_files(roots, metadata)]
        self._database = os.path.realpath(os.path.expanduser(database))
        run = (roots, metadata is not None and tables, [str(option) for option in options])
        digest = hashlib.sha256(_digest(run, list(map(_state, tables))).encode())
        self._found = 0
        for found in scan(roots):
            self._found += isinstance(found, File)
            digest.update(repr(found).encode(errors="surrogateescape"))
        self._inputs = digest.hexdigest()
        # Where the last run left its stamp.
        self.file = cache_folder() / "runs" / f"{_digest(self._database, run)[:32]}.json"

    def load(self) -> LastRun | None:
        """What the last run left if there is nothing to do; None if there may be."""
        try:
            note = json.loads(self.file.read_text(encoding="utf-8"))
            if (note["inputs"], note["database"]) != (self._inputs, _state(self._database)):
                return None
            failures = tuple(Failure(**failure) for failure in note["failures"])
            remarks = tuple(Remark(**remark) for remark in note["remarks"])
            metadata, rows = dict(note["metadata"]), int(note["rows"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        # Other paths that failed are among the inputs.
        tried = [failure for failure in failures if os.path.isfile(failure.path)]
        if not all(map(_fails_again, tried)):
            return None
        unchanged = self._found - len({failure.path for failure in tried})
        report = IndexReport(
            self._found, unchanged, failures=failures, remarks=remarks, metadata=metadata
        )
        return LastRun(report, rows)

    def save(self, rows: int, report: IndexReport) -> None:
        """Write the stamp, right after a run has closed its database with so many rows."""
        note = {"inputs": self._inputs, "database": _state(self._database), "rows": rows}
        kept = asdict(report)
        note |= {name: kept[name] for name in ("failures", "remarks", "metadata")}
        with suppress(OSError):  # then the next run compares everything
            write_atomic(self.file, json.dumps(note).encode())
            for other in self.file.parent.iterdir():
                if other.stat().st_mtime < time.time() - _DAYS * 86_400:
                    other.unlink()


def _fails_again(failure: Failure) -> bool:
    """Whether a picture cannot be decoded, for the same reason as before."""
    try:
        ImageFile.of(Path(failure.path)).rgb()
    except ImageError as error:
        return error.reason == failure.reason
    return False


def _digest(*values: object) -> str:
    return hashlib.sha256(repr(values).encode(errors="surrogateescape")).hexdigest()


def _state(path: str) -> str:
    """Digest of the names, sizes and times of a file or of a folder's files."""
    below = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
    states = []
    for file in sorted(below or [path]):
        with suppress(OSError):
            status = os.stat(file)
            if os.path.basename(file) != "LOCK":  # reading touches it
                states.append((file, status.st_size, status.st_mtime_ns, status.st_ino))
    return _digest(states)
