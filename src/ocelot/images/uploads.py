"""Uploaded pictures as files: named by their content, whole or not there at all."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ocelot.errors import ConfigurationError, StorageError
from ocelot.images.decode import MAX_PIXELS, hash_bytes
from ocelot.images.file import ImageFile

if TYPE_CHECKING:
    from ocelot.types import Item

__all__ = ["UploadFolder"]

_ASIDE, _HOUR = ".part", 3600
_SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif", "MPO": ".jpg", "HEIF": ".heic"}


class UploadFolder:
    """Keeps uploads as `ab/abcdef….jpg`: two digits of the SHA-256, then all of it.

    A file is written aside, flushed to the disk and renamed, so that a crash at any moment
    leaves either the whole file or none.

    Raises:
        ConfigurationError: The folder is not, and cannot become, one to write to.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        there = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"Uploads cannot be kept in {self.folder}: {there} is no folder that may be "
                "written to; choose another one (--uploads)."
            )
        self._sweep()

    def _sweep(self) -> None:
        """Remove what writing was interrupted at; not what somebody may be writing now."""
        for aside in self.folder.glob(f"??/*{_ASIDE}"):
            if time.time() - aside.stat().st_mtime > _HOUR:
                aside.unlink(missing_ok=True)

    def keep(
        self, image: ImageFile, id: str | None = None, *, max_pixels: int = MAX_PIXELS
    ) -> Path:
        """Write a picture for the item `id`, unless it is there; returns the path.

        Args:
            id: By default the hash of the content. Items with other ids have files of their own.

        Raises:
            ImageError: This is no image, or one with more pixels than the limit.
            StorageError: The disk refuses.
        """
        format, _, _ = image.probe(max_pixels)
        name = image.id if id in (None, image.id) else f"{image.id}-{hash_bytes(id.encode())[:16]}"
        path = self.folder / name[:2] / (name + _SUFFIX.get(format, f".{format.lower()}"))
        try:
            if not path.exists() or path.stat().st_size != len(image.data):
                _write_whole(path, image.data)
        except OSError as error:
            raise StorageError(
                f"The upload cannot be kept in {self.folder} ({error.strerror}); check the disk "
                "and the permissions, or choose another folder (OCELOT_UPLOADS)."
            ) from error
        return path

    def forget(self, item: Item) -> None:
        """Remove an item's file from this folder, where it has one; no other file is touched."""
        for path in item.paths:
            if self.owns(path):
                Path(path).unlink(missing_ok=True)

    def owns(self, path: str) -> bool:
        """Whether this folder wrote the file."""
        return Path(path).parent.parent == self.folder


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, aside = tempfile.mkstemp(dir=path.parent, suffix=_ASIDE)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    for folder in (path.parent, path.parent.parent):  # the new names must last as well
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
