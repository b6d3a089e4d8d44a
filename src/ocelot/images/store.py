"""The pictures of stored items: only this module turns an item into a picture of some size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from ocelot.errors import ImageError, ItemNotFound
from ocelot.images.file import ImageFile
from ocelot.images.reading import read_picture
from ocelot.images.thumbnails import Thumbnails
from ocelot.images.uploads import UploadFolder

if TYPE_CHECKING:
    from ocelot.types import Item

__all__ = ["ImageStore"]


class ImageStore:
    """Reads the pictures of items, and keeps small copies and uploads.

    Args:
        thumbnails: Small copies of large pictures; None to use none.
        uploads: Folder for pictures that were not given as files; made at the first upload.
        owner: Names the collection if others keep their uploads in the same folder.
    """

    def __init__(
        self,
        thumbnails: Thumbnails | None = None,
        uploads: str | Path = "ocelot-uploads",
        owner: str = "",
    ) -> None:
        self.thumbnails = thumbnails
        self._uploads = Path(uploads)
        self._owner = owner

    @cached_property
    def uploads(self) -> UploadFolder:
        """The folder for uploads; `ConfigurationError` if it cannot be written to."""
        return UploadFolder(self._uploads, self._owner)

    def original(self, item: Item) -> ImageFile:
        """The first of the item's files that still has the indexed content, or `ItemNotFound`."""
        reasons = []
        for path in item.paths:
            try:
                image = read_picture(path)
            except ImageError as error:
                reasons.append(error.reason)
                continue
            if image.id == item.sha256:
                return image
            reasons.append("its content has changed")
        raise ItemNotFound(
            f"The picture of the item {item.id} cannot be read any more ({reasons[0]}); index "
            "its folder again."
        )

    def picture(
        self, item: Item, size: int, resample: Image.Resampling = Image.Resampling.BICUBIC
    ) -> Image.Image:
        """The item's picture as RGB, its longer side at most `size` pixels, never enlarged.

        Raises:
            ItemNotFound: Neither a file nor a small copy that is large enough is left.
            ImageError: The picture cannot be decoded.
        """
        image: Image.Image | None = None
        if self.thumbnails is not None and size <= Thumbnails.SIDE:
            with suppress(ImageError):  # a damaged copy, or none: read the file
                image = ImageFile(self.thumbnails.get(item.sha256) or b"").rgb(size)
        image = (image or self.original(item).rgb(size)).copy()
        image.thumbnail((size, size), resample)
        return image

    def settle(self, paths: Iterable[str]) -> None:
        """Note that rows with these paths are written; some may be uploads."""
        if "uploads" in vars(self):  # else none was made here
            self.uploads.settle(list(filter(self.uploads.is_pending, paths)))

    def unsettled(self, *, exclusive: bool) -> set[str]:
        """Uploads whose rows were perhaps never written; see `UploadFolder.unsettled`."""
        return self.uploads.unsettled(exclusive=exclusive) if self._uploads.is_dir() else set()

    def forget(self, gone: Sequence[Item], kept: Sequence[Item] = ()) -> None:
        """Remove small copies and uploads of items that are gone, except those of `kept` ones."""
        if self.thumbnails is not None:
            self.thumbnails.drop({item.sha256 for item in gone} - {item.sha256 for item in kept})
        if self._uploads.is_dir():
            paths = {path for item in kept for path in item.paths}
            self.uploads.forget({path for item in gone for path in item.paths} - paths)

    def close(self) -> None:
        """Close the database of small copies; the next use opens it again."""
        if self.thumbnails is not None:
            self.thumbnails.close()
