"""Whether a run has anything to do, told without opening the database or the encoder.

A run that met no failure leaves a stamp: a digest of all that it went by (names, sizes and times
of the pictures, of the metadata and of the weights; the options) and of the files of its local
database as it left them. While both are the same, the same run would change nothing.

Only a local database has files to look at: what a server holds, others may change.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ocelot.indexing.metadata import find_metadata
from ocelot.indexing.scan import File, roots_of, scan
from ocelot.settings import cache_folder

__all__ = ["Stamp"]


@dataclass(frozen=True)
class Stamp:
    """What a run goes by, as it is now. Made by `of`, before the run.

    Attributes:
        found: Image files.
        inputs: Digest of all that the run goes by; "" where it met a failure already.
        database: The local database's folder.
        file: Where the stamp of the last run is.
    """

    found: int
    inputs: str
    database: str
    file: Path

    @classmethod
    def of(
        cls,
        paths: Iterable[str | Path],
        metadata: str | Path | None,
        database: str | Path,
        *,
        beside: Iterable[str | Path] = (),
        options: Iterable[object] = (),
    ) -> Stamp:
        """Look at everything once.

        Args:
            paths, metadata: As of `index_images`.
            database: Folder of the local database.
            beside: Files and folders that also decide what the run does: the encoder's.
            options: Whatever else does: the collection, the version, the settings.

        Raises:
            InputError: None of `paths` exists.
            MetadataError: A folder has several metadata files.
        """
        roots = roots_of(paths)
        named = "" if metadata is None else os.path.abspath(os.path.expanduser(metadata))
        folders = (root if os.path.isdir(root) else os.path.dirname(root) for root in roots)
        tables = [named] if named else [find_metadata(folder) or "" for folder in folders]
        run = repr((roots, named, [str(option) for option in options]))
        digest = hashlib.sha256(run.encode(errors="surrogateescape"))
        found, whole = 0, True
        for file in scan(roots):
            if isinstance(file, File):
                found += 1
                digest.update(f"{file.path}\0{file.size}\0{file.mtime_ns}\n".encode())
            else:
                whole = False
        for path in (*tables, *beside):
            digest.update(_state(path).encode())
        place = os.path.realpath(os.path.expanduser(database))
        name = hashlib.sha256(f"{place}\n{run}".encode(errors="surrogateescape")).hexdigest()
        note = cache_folder() / "runs" / f"{name[:32]}.json"
        return cls(found, digest.hexdigest() if whole else "", place, note)

    def is_kept(self) -> int | None:
        """The rows of the collection where the run has nothing to do; None where it may have."""
        try:
            note = json.loads(self.file.read_text(encoding="utf-8"))
            same = note["inputs"] == self.inputs and note["database"] == _state(self.database)
            return int(note["rows"]) if same and self.inputs else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, rows: int) -> None:
        """Leave it, right after a run without failures let its database go."""
        note = {"inputs": self.inputs, "database": _state(self.database), "rows": rows}
        with suppress(OSError):  # then the next run looks at everything
            self.file.parent.mkdir(parents=True, exist_ok=True)
            partial = self.file.with_suffix(f".{os.getpid()}.part")
            partial.write_text(json.dumps(note), encoding="utf-8")
            partial.replace(self.file)


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
