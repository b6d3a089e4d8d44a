"""Items that were removed a short while ago, to bring them back."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from cachetools import TTLCache

from ocelot.collection import Row
from ocelot.engine import Engine
from ocelot.errors import InputError, ItemNotFound
from ocelot.images.file import ImageFile
from ocelot.images.places import file_of, is_url

__all__ = ["RemovedItems"]

_MOST_BYTES, _SECONDS = 64 * 2**20, 600.0


class RemovedItems:
    """Keeps the rows of removed items in memory, and the bytes of their files."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._kept: TTLCache[str, tuple[Row, bytes]] = TTLCache(
            _MOST_BYTES, _SECONDS, getsizeof=lambda kept: min(_MOST_BYTES, 4096 + len(kept[1]))
        )

    def keep(self, id: str) -> None:
        """Keep a stored item that is about to be removed."""
        (row,) = self._engine.collection.get(id)
        data = b""
        with suppress(ItemNotFound):  # its file is gone: only the row can come back
            data = self._engine.images.original(row.item).data
        with self._lock:
            self._kept[id] = row, data

    def restore(self, id: str) -> None:
        """Store an item again. It stays kept if that fails, so that it can be tried again.

        Raises:
            ItemNotFound: It is not kept.
            InputError: Another process has stored an item with this id meanwhile.
        """
        with self._lock:
            row, data = self._kept.get(id, (None, b""))
        if row is None:
            raise ItemNotFound(
                "This picture was removed too long ago to bring it back; add it again."
            )
        if self._engine.collection.known([id]):
            self.forget(id)
            raise InputError(
                "A picture with this id was added in the meantime: it stays as it is, and there is "
                "nothing to undo any more."
            )
        places = map(file_of, row.paths)
        if data and not any(is_url(place) or os.path.exists(place) for place in places):
            # Its upload went with it.
            own = None if id == row.sha256 else id
            self._engine.add(ImageFile(data), metadata=row.metadata, id=own)
        else:
            self._engine.collection.upsert([row])
        self.forget(id)

    def forget(self, id: str) -> None:
        """Drop an item, if it is kept: it would replace what came after it."""
        with self._lock:
            self._kept.pop(id, None)

    def __contains__(self, id: str) -> bool:
        with self._lock:
            return id in self._kept
