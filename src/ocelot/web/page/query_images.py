"""Query pictures: read from where the browser's upload lies, or from the item that they show."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from cachetools import LRUCache

from ocelot.assets import demo_shop
from ocelot.errors import ImageError, InputError
from ocelot.images.decode import hash_bytes, probe, read_file
from ocelot.service import Service

__all__ = ["QueryPictures"]

_PREVIEW = 720  # longest side, pixels
_PREVIEWS = 2_000  # shown pictures of items whose ids are remembered


class QueryPictures:
    """Files of one folder, which the page shows as the query.

    Args:
        folder: Where uploads arrive; emptied by its owner.
    """

    def __init__(self, service: Service, folder: Path) -> None:
        self._service = service
        self._folder = folder.resolve()
        self._items: LRUCache[str, str] = LRUCache(_PREVIEWS)  # file name of a preview -> id

    async def read(self, path: str) -> bytes:
        """The bytes of an upload; or of an item's own file, where `path` is its preview.

        So a query is the very file, and its own item can be told apart from the others.

        Raises:
            ImageError: It is no picture, or over a limit.
            InputError: It lies elsewhere.
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
        except ImageError as error:  # said without the path, which is the server's own
            gone = "there is no such" in error.reason
            reason = "it is gone; choose it again" if gone else error.reason
            raise ImageError("this picture", reason) from None
        return data

    async def take(self, path: str) -> bytes:
        """The bytes of an upload, which is removed.

        Raises:
            ImageError, InputError: As in `read`.
        """
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
        return await asyncio.to_thread(self._put_leopard)

    def _put_leopard(self) -> str:
        return self._put("leopard.jpg", (demo_shop() / "leopard.jpg").read_bytes())

    def _put(self, name: str, data: bytes) -> str:
        path = self._folder / hash_bytes(data) / name  # where Gradio puts what it shows
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(aside, path)  # whole for those who look at it already
        return str(path)
