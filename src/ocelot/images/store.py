"""The pictures of stored items: the only place that turns an item into a picture of some size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ocelot.errors import ImageError, ItemNotFound
from ocelot.images.file import ImageFile
from ocelot.images.thumbnails import Thumbnails
from ocelot.images.uploads import UploadFolder

if TYPE_CHECKING:
    from PIL import Image

    from ocelot.types import Item

__all__ = ["ImageStore"]


class ImageStore:
    """Reads the files of items, keeps small copies of large ones, and keeps uploads.

    Args:
        thumbnails: Small copies of large pictures; None keeps and uses none.
        uploads: Folder for pictures that have no file of their own; made at the first upload.
    """

    def __init__(
        self, thumbnails: Thumbnails | None = None, uploads: str | Path = "ocelot-uploads"
    ) -> None:
        self.thumbnails = thumbnails
        self._uploads = Path(uploads)
        self._folder: UploadFolder | None = None

    @property
    def uploads(self) -> UploadFolder:
        """The folder for uploads.

        Raises:
            ConfigurationError: It cannot be written to.
        """
        if self._folder is None:
            self._folder = UploadFolder(self._uploads)
        return self._folder

    def original(self, item: Item) -> ImageFile:
        """The item's file; one whose content has changed since does not count.

        Raises:
            ItemNotFound: No file with this content is left.
        """
        reasons = []
        for path in item.paths:
            try:
                image = ImageFile.of(Path(path))
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
        self, item: Item, size: int, small: Mapping[str, bytes] | None = None
    ) -> Image.Image:
        """The item's picture as RGB, its longer side at most `size` pixels, never enlarged.

        Args:
            small: Small copies by content, from `small_copies`, where several items are asked
                for; by default the one of this item is looked up.

        Raises:
            ItemNotFound: Neither a file nor a small copy that is large enough is left.
            ImageError: The picture cannot be decoded.
        """
        copies = self.small_copies([item], size) if small is None else small
        image = None
        if item.sha256 in copies:
            try:
                image = ImageFile(copies[item.sha256]).rgb(size)
            except ImageError:
                image = None  # a damaged copy: the file is there
        if image is None:
            image = self.original(item).rgb(size)
        small_image = image.copy()
        small_image.thumbnail((size, size))
        return small_image

    def small_copies(self, items: Iterable[Item], size: int) -> dict[str, bytes]:
        """The JPEG files of small copies that are large enough, by content hash."""
        if self.thumbnails is None or size > Thumbnails.SIDE:
            return {}
        return self.thumbnails.get(item.sha256 for item in items)

    def forget(self, gone: Iterable[Item], kept: Iterable[Item] = ()) -> None:
        """Remove the small copies and the uploaded files of items that are gone.

        Args:
            kept: Items with the same contents, whose small copies and files stay.
        """
        kept = list(kept)
        contents = {item.sha256 for item in kept}
        paths = {path for item in kept for path in item.paths}
        gone = [
            replace(item, paths=tuple(path for path in item.paths if path not in paths))
            for item in gone
        ]
        if self.thumbnails is not None:
            self.thumbnails.drop(item.sha256 for item in gone if item.sha256 not in contents)
        if self._uploads.is_dir():
            for item in gone:
                self.uploads.forget(item)

    def close(self) -> None:
        """Close the file of small copies; a later call opens it again."""
        if self.thumbnails is not None:
            self.thumbnails.close()
