"""Uploaded pictures as files, named by their content."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ocelot.errors import ConfigurationError, StorageError
from ocelot.files import atomic_path
from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile

__all__ = ["UploadFolder"]

_HOUR = 3600
_OWN_NAME = re.compile(r"([0-9a-f]{2})[0-9a-f]{62}(-[0-9a-f]{16})?\.[a-z0-9]+")
_SUFFIX = {"JPEG": ".jpg", "TIFF": ".tif", "MPO": ".jpg", "HEIF": ".heic"}


class UploadFolder:
    """Keeps uploads as `ab/abcdef….jpg`: the first two digits of the SHA-256, then all of it.

    Files are written atomically and flushed to the disk, so that a crash leaves either the whole
    file or none.

    Raises:
        ConfigurationError: The folder cannot be made or written to.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        existing = next(path for path in (self.folder, *self.folder.parents) if path.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
            raise ConfigurationError(
                f"Uploads cannot be kept in {self.folder}: {existing} is not a writable folder; "
                "choose another one (--uploads)."
            )
        # Remove leftovers of interrupted writes, but not what is being written now.
        for partial in self.folder.glob("??/*.part"):
            with suppress(OSError):  # another process may remove it at the same time
                if time.time() - partial.stat().st_mtime > _HOUR:
                    partial.unlink()

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
        if id is not None and id != image.id:
            name += f"-{hash_bytes(id.encode('utf-8', 'surrogatepass'))[:16]}"
        path = self.folder / name[:2] / (name + _SUFFIX.get(format, f".{format.lower()}"))
        try:
            if not path.exists() or path.stat().st_size != len(image.data):
                with atomic_path(path, durable=True) as partial:
                    partial.touch(mode=0o600)
                    partial.write_bytes(image.data)
        except OSError as error:
            raise StorageError(
                f"The upload cannot be kept in {self.folder} ({error.strerror}); check the disk "
                "and the permissions, or choose another folder (OCELOT_UPLOADS)."
            ) from error
        return path

    def forget(self, paths: Iterable[str]) -> None:
        """Delete those of the files that this folder wrote; others may be below it, too.

        Raises:
            StorageError: A file cannot be deleted.
        """
        for path in map(Path, paths):
            own = _OWN_NAME.fullmatch(path.name)
            if own and path.parent == self.folder / own[1]:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise StorageError(
                        f"The upload {path} cannot be deleted ({error.strerror}); "
                        "delete it by hand."
                    ) from error
