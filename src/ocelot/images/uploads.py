"""Uploaded pictures as files, named by their content."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

from ocelot.errors import ConfigurationError, StorageError
from ocelot.files import atomic_path, partials_of, remove_partial
from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile

__all__ = ["UploadFolder", "is_upload", "uploads_beside"]

_HOUR = 3600
_OWN_NAME = re.compile(r"([0-9a-f]{2})[0-9a-f]{62}(-[0-9a-f]{16})?\.[a-z0-9]+")
_SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif", "MPO": ".jpg", "HEIF": ".heic"}


def uploads_beside(database: str, collection: str = "ocelot") -> str:
    """The folder for uploads of a collection, unless another is set: `shop.db` -> `shop-uploads`.

    A deleted item's file must not be another collection's, so each collection has its own; one that
    `ocelot reindex` made has that of the first one.

    >>> uploads_beside("a/shop.db"), uploads_beside("shop.db", "toys")
    ('a/shop-uploads', 'shop-toys-uploads')
    """
    first = re.sub(r"_[0-9a-f]{12}$", "", collection)
    name = "" if first == "ocelot" else f"-{first}"
    return f"{os.path.expanduser(database.removesuffix('.db'))}{name}-uploads"


def is_upload(path: str | Path) -> bool:
    """Whether a path is one that `UploadFolder` gives to its files."""
    folder, name = os.path.split(path)
    own = _OWN_NAME.fullmatch(name)
    return own is not None and os.path.basename(folder) == own[1]


class UploadFolder:
    """Keeps uploads as `ab/abcdef….jpg`: the first two digits of the SHA-256, then all of it.

    A file is there before its row is: until `settle`, a mark in the folder `pending` says so. If
    the process is killed between the two, `unsettled` finds the file.

    Args:
        owner: Names the collection where several share the folder; each has files of its own.
    """

    _pending: ClassVar[set[str]] = set()  # paths that runs of this process have yet to settle

    def __init__(self, folder: str | Path, owner: str = "") -> None:
        self.folder = Path(os.path.abspath(folder))
        self._owner = owner
        self._marks = self.folder / (f"pending-{_tag(owner)}" if owner else "pending")
        existing = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"Uploads cannot be kept in {self.folder}: {existing} is not a writable folder; "
                "choose another one (--uploads)."
            )
        remove_partial(self.folder.glob("??/*.part"))

    def keep(self, image: ImageFile, id: str | None = None) -> Path:
        """Write a picture for the item `id` unless it is already there; return its path.

        Args:
            id: By default the hash of the content. Items with other ids get their own files.

        Raises:
            ImageError: This is not an image, or it is too large.
            StorageError: The file cannot be written.
        """
        format, _, _ = image.probe()
        name = image.id
        own_id = "" if id is None or id == image.id else id
        if self._owner or own_id:
            name += f"-{_tag(self._owner, own_id)}"
        path = self.folder / name[:2] / (name + _SUFFIX.get(format, f".{format.lower()}"))
        mark, size = self._mark(path), -1
        try:
            with suppress(FileNotFoundError):
                size = path.stat().st_size
            whole = size == len(image.data)
            if not whole or mark.exists():  # of a run that was killed
                self._pending.add(str(path))
            if not whole:
                mark.parent.mkdir(parents=True, exist_ok=True)
                mark.touch()
                _write(path, image.data)
        except OSError as error:
            self.settle([str(path)])
            raise StorageError(
                f"The upload cannot be kept in {self.folder} ({error.strerror}); check the disk "
                "and the permissions, or choose another folder (OCELOT_UPLOADS)."
            ) from error
        return path

    def is_pending(self, path: str) -> bool:
        """Whether a run of this process has yet to settle a file."""
        return path in self._pending

    def settle(self, paths: Iterable[str]) -> None:
        """Note that the rows of these files are written."""
        for path in paths:
            with suppress(OSError):  # a mark too many is found again
                self._mark(path).unlink(missing_ok=True)
            self._pending.discard(path)

    def abandon(self, paths: Iterable[str]) -> None:
        """Leave files to the next `unsettled`, as their run is over and cannot settle them."""
        self._pending.difference_update(paths)

    def unsettled(self, *, exclusive: bool) -> set[str]:
        """Files whose rows were perhaps never written, as their run was killed.

        Args:
            exclusive: Whether no other process can be writing the rows. Otherwise only files
                that have waited for an hour are returned.
        """
        found = set()
        for mark in self._marks.glob("*"):
            path = str(self.folder / mark.name[:2] / mark.stem)
            with suppress(OSError):  # another process has removed it
                waited = time.time() - mark.stat().st_mtime
                if path not in self._pending and (exclusive or waited > _HOUR):
                    found.add(path)
        return found

    def forget(self, paths: Iterable[str]) -> None:
        """Delete those of the files that this folder wrote; others may be below it, too."""
        for path in map(Path, paths):
            if not is_upload(path) or path.parent.parent != self.folder:
                continue
            try:
                for file in (path, *partials_of(path)):  # a kill may leave one of these
                    file.unlink(missing_ok=True)
            except OSError as error:
                raise StorageError(
                    f"The upload {path} cannot be deleted ({error.strerror}); delete it by hand."
                ) from error
            self.settle([str(path)])
            with suppress(OSError):  # other files are in it
                path.parent.rmdir()

    def _mark(self, path: str | Path) -> Path:
        return self._marks / f"{os.path.basename(path)}.pending"


def _write(path: Path, data: bytes, attempts: int = 10) -> None:
    try:
        with atomic_path(path, durable=True) as partial:
            partial.touch(mode=0o600)
            partial.write_bytes(data)
    except (FileNotFoundError, FileExistsError):  # another thread has removed the empty folder
        if attempts == 1:
            raise
        _write(path, data, attempts - 1)


def _tag(*names: str) -> str:
    """16 hex digits that tell names apart, which may hold any characters."""
    return hash_bytes("\0".join(names).encode("utf-8", "surrogatepass"))[:16]
