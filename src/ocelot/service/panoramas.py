"""Panoramas of recent answers, drawn when somebody asks to see one."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace

from ocelot.errors import ItemNotFound
from ocelot.images.decode import encode_jpeg
from ocelot.images.store import ImageStore
from ocelot.rerankers.panorama.compose import MAX_CANDIDATES, panorama_of_hits
from ocelot.types import Hit, Query

__all__ = ["Panoramas"]


@dataclass(frozen=True)
class _Recipe:
    query: Query
    hits: tuple[Hit, ...]

    @property
    def size(self) -> int:
        """Bytes kept, about."""
        pictures = (len(image.data) for image in self.query.images)
        return sum(pictures) + 1000 * len(self.hits)


class Panoramas:
    """What is needed to draw the panoramas of the last answers, up to a number of bytes.

    Drawing is a pure function of the query, the hits and their pictures, so what is drawn is the
    one that a reranker was shown.

    Args:
        images: Where the hits' pictures are read from.
        max_bytes: Kept of the queries' pictures, about.
        max_count: Answers that are kept.
    """

    def __init__(
        self,
        images: ImageStore,
        *,
        max_bytes: int = 32 * 2**20,
        max_count: int = 300,
    ) -> None:
        self._images = images
        self._max_bytes = max_bytes
        self._max_count = max_count
        self._bytes = 0
        self._kept: OrderedDict[str, _Recipe] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, query: Query, hits: tuple[Hit, ...]) -> str | None:
        """Remember an answer; returns the key under which `draw` finds it, None without hits."""
        if not hits:
            return None
        shown = tuple(replace(hit, vector=None, metadata={}) for hit in hits[:MAX_CANDIDATES])
        images = [image.without_pixels() for image in query.images]
        key, recipe = secrets.token_urlsafe(16), _Recipe(Query(images, query.text), shown)
        with self._lock:
            self._kept[key] = recipe
            self._bytes += recipe.size
            while self._bytes > self._max_bytes or len(self._kept) > self._max_count:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= dropped.size
        return key

    def draw(self, key: str) -> bytes:
        """The panorama as a JPEG file.

        Raises:
            ItemNotFound: There is no such panorama, or not any more.
        """
        with self._lock:
            recipe = self._kept.get(key)
        if recipe is None:
            raise ItemNotFound("There is no such panorama (any more); search again.")
        return encode_jpeg(panorama_of_hits(recipe.query, recipe.hits, self._images))
