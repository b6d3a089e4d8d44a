"""A copy of a local database at one moment, while another process may be using it.

Only one process can open a local database, so the copy is made of its files. What makes it whole:

- Each write of rows holds a lock (`unwritten`), which the copy holds too. So the log, which is
  the only file that is appended to, ends with an acknowledged write.
- Milvus Lite merges data files in the background, and writes when it opens and closes a database,
  without that lock. Then the manifest, which is replaced as a whole and counts its versions, is
  another one after the copy than before, and the copy is made again. Data files never change.
- The seal is copied first: it may be older than the files, never newer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ocelot.collection.lite.database import damaged, unwritten
from ocelot.collection.lite.folder import Manifest, UnknownFormat, collection_folders
from ocelot.collection.lite.seal import Damage, Seal
from ocelot.errors import DatabaseUnavailable
from ocelot.files import remove

__all__ = ["link_or_copy", "snapshot"]

_ATTEMPTS = 20  # a change in the background is rare, and takes no longer than one copy


@contextmanager
def snapshot(database: Path, copy: Path) -> Iterator[None]:
    """Copy a database; within the context nobody writes to it, so that more can be copied.

    On the same file system, data files become hard links, which takes no time and no space.
    Index files are left out: Milvus Lite makes them again.

    Args:
        copy: A folder that does not exist.

    Raises:
        DatabaseUnavailable: The database is damaged, or changes all the time.
        OSError: A file cannot be read or written.
    """
    with unwritten(database):
        try:
            copied = any(_copied(database, copy) for _ in range(_ATTEMPTS))
        except (ValueError, UnknownFormat):
            new = [Damage("", "", "has a format that is new to this Ocelot")]
            raise damaged(database, Seal(database).check() or new) from None
        if not copied:
            raise DatabaseUnavailable(
                f"The database {database} cannot be copied, as another program than Ocelot changes "
                "it all the time, or a data file is missing: stop that program, or run `ocelot "
                "repair`."
            )
        yield
    if damages := Seal(copy).check():
        raise damaged(database, damages)


def _copied(database: Path, copy: Path) -> bool:
    """Copy the files; False if they have changed meanwhile."""
    remove(copy)
    copy.mkdir()
    try:
        if (database / "seal.json").exists():
            shutil.copy2(database / "seal.json", copy)
        texts, logs = before = _state(database)
        for file in (*texts, *logs):
            (copy / file).parent.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (copy / file).write_bytes(text)
            if file.name == "manifest.json":
                for segment in Manifest.parse(text.decode()).files:
                    link_or_copy(database / file.parent / segment, copy / file.parent / segment)
        for file in logs:
            shutil.copy2(database / file, copy / file)
        return _state(database) == before
    except FileNotFoundError:  # Milvus Lite has merged data files, and removed the old ones
        return False


def _state(database: Path) -> tuple[dict[Path, bytes], dict[Path, int]]:
    """The small files, which are replaced as a whole, and the sizes of the logs."""
    small = [file for file in database.glob("*.json") if file.name != "seal.json"]
    small += database.glob("collections/*/schema.json")
    small += database.glob("collections/*/manifest.json")
    logs = [folder.path / file for folder in collection_folders(database) for file in folder.logs()]
    return (
        {file.relative_to(database): file.read_bytes() for file in small},
        {file.relative_to(database): file.stat().st_size for file in logs},
    )


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file that never changes a second name, or copy it to another file system."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(source, target)
