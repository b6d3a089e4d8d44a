"""Query pictures: uploads of the browser, and the pictures of stored items."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

from cachetools import LRUCache

from ocelot.assets import demo_shop
from ocelot.errors import ImageError, InputError
from ocelot.files import write_atomic
from ocelot.images.decode import hash_bytes, probe, read_file
from ocelot.service import Service

__all__ = ["QueryPictures", "use_private_folder"]

_PREVIEW = 720  # longest side, pixels
_PREVIEWS = 2_000  # previews whose item ids are remembered


@cache
def use_private_folder() -> Path:
    """Make Gradio keep its files in a private folder, which is removed when the process ends.

    A folder that `GRADIO_TEMP_DIR` names is used as it is, and kept.
    """
    named = os.environ.get("GRADIO_TEMP_DIR")
    if named:
        return Path(named)
    folder = tempfile.mkdtemp(prefix="ocelot-page-")
    os.environ["GRADIO_TEMP_DIR"] = folder  # Gradio has no other option for it
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)


class QueryPictures:
    """Files of Gradio's folder, which the page shows as the query."""

    def __init__(self, service: Service, folder: Path) -> None:
        self._service = service
        self._folder = folder.resolve()
        self._items: LRUCache[str, str] = LRUCache(_PREVIEWS)  # file name of a preview -> id

    async def read(self, path: str) -> bytes:
        """The bytes of an upload; for the preview of an item, those of the item's own file.

        Then the search recognises the item as the query itself.

        Raises:
            ImageError: The upload is not a picture, or over a limit.
            InputError: The file is in another folder.
            ItemNotFound: The item's file is gone.
        """
        if (id := self._items.get(Path(path).name)) is not None:
            return (await self._service.picture(id)).data
        return await asyncio.to_thread(self._read, self._inside(path))

    def _read(self, path: Path) -> bytes:
        limits = self._service.limits
        try:
            data = read_file(path, max_bytes=limits.upload_bytes)
            probe(data, max_pixels=limits.pixels)
        except ImageError as error:  # without the path, which is private
            gone = "there is no such" in error.reason
            reason = "it is gone; choose it again" if gone else error.reason
            raise ImageError("this picture", reason) from None
        return data

    async def take(self, path: str) -> bytes:
        """The bytes of an upload, which is removed; raises the errors of `read`."""
        upload = self._inside(path)
        try:
            return await asyncio.to_thread(self._read, upload)
        finally:
            upload.unlink(missing_ok=True)

    def _inside(self, path: str) -> Path:
        file = Path(path).resolve()
        if not file.is_relative_to(self._folder):  # a browser may name any path
            raise InputError("This file was not uploaded here.")
        return file

    async def preview(self, id: str) -> str:
        """An item's picture as a file to show; `read` gives the original."""
        small = await self._service.picture(id, _PREVIEW)
        name = f"item-{hash_bytes(id.encode())}.jpg"
        self._items[name] = id
        return await asyncio.to_thread(self._put, name, small.data)

    async def leopard(self) -> str:
        """The demo's query picture as a file."""
        data = await asyncio.to_thread((demo_shop() / "leopard.jpg").read_bytes)
        return await asyncio.to_thread(self._put, "leopard.jpg", data)

    def _put(self, name: str, data: bytes) -> str:
        path = self._folder / hash_bytes(data) / name  # as Gradio names the files that it shows
        write_atomic(path, data)  # the old file stays whole while a browser reads it
        return str(path)
