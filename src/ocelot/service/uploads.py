"""Uploaded pictures as files: named by their content, whole or not there at all."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from ocelot.errors import ConfigurationError, StorageError
from ocelot.images.decode import MAX_PIXELS, hash_bytes, probe
from ocelot.types import Hit

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

    def keep(self, data: bytes, id: str | None = None, *, max_pixels: int = MAX_PIXELS) -> Path:
        """Write the bytes of an image file, unless they are there; returns the path.

        Args:
            id: Their SHA-256, where that is known.

        Raises:
            ImageError: This is no image, or one with more pixels than the limit.
            StorageError: The disk refuses.
        """
        format, _, _ = probe(data, max_pixels=max_pixels)
        id = id or hash_bytes(data)
        path = self.folder / id[:2] / (id + _SUFFIX.get(format, f".{format.lower()}"))
        try:
            if not path.exists() or path.stat().st_size != len(data):
                _write_whole(path, data)
        except OSError as error:
            raise StorageError(
                f"The upload cannot be kept in {self.folder} ({error.strerror}); check the disk "
                "and the permissions, or choose another folder (OCELOT_UPLOADS)."
            ) from error
        return path

    def forget(self, hit: Hit) -> None:
        """Remove an item's file from this folder, where it has one; no other file is touched."""
        for path in hit.paths:
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
