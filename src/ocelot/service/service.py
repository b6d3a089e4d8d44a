"""One warm engine for many callers at once: what the HTTP API and the page both stand on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ocelot.assets import copy_demo_shop
from ocelot.collection.rows import check_id
from ocelot.encoders.base import Matrix
from ocelot.engine import Engine
from ocelot.errors import ImageError, ItemNotFound, OcelotError, Overloaded, RequestTimeout
from ocelot.images.decode import hash_bytes
from ocelot.indexing import Progress
from ocelot.rerankers.base import Reranker
from ocelot.service.facets import Facet, examples_of, facets_of
from ocelot.service.images import Cache, Picture, original, thumbnail
from ocelot.service.limits import Limits
from ocelot.service.metrics import Metrics
from ocelot.service.panoramas import Panoramas
from ocelot.service.redaction import checked, for_anybody, unjudged
from ocelot.service.uploads import UploadFolder
from ocelot.service.values import Answer, Overview
from ocelot.service.workers import Workers
from ocelot.types import Hit, IndexReport, Input, Query

__all__ = ["Service"]

_OVERVIEW_SECONDS = 5.0  # how old what is said about metadata may be


class Service:
    """Searches, reranks, adds and shows, for callers that await from any event loop.

    Searches run in bounded threads; a full queue raises `Overloaded`, a late answer
    `RequestTimeout`.
    When an awaiting task is cancelled, what has not started for it never starts.

    Args:
        engine: Owned by the service from here on.
        rerankers: Those on offer, by name.
        default: Which of them reranks unless a caller says otherwise; None: none.
        uploads: Folder for uploaded pictures.

    Attributes:
        rerankers: Names on offer, the default first.
        default: As given.
        encoder: Whose vectors the collection holds.
    """

    def __init__(
        self,
        engine: Engine,
        rerankers: Mapping[str, Reranker],
        *,
        default: str | None = None,
        uploads: str | Path,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.metrics = metrics or Metrics()
        self.default = default
        self.rerankers = tuple(sorted(rerankers, key=lambda name: name != default))
        self._rerankers = dict(rerankers)
        self._engine = engine
        self.encoder = engine.collection.identity
        self._uploads = UploadFolder(uploads)
        self._panoramas = Panoramas(engine.thumbnails)
        self._thumbnails = Cache(64 * 2**20)
        self._overview: tuple[float, tuple[Facet, ...], tuple[Hit, ...]] | None = None
        self._locks = [threading.Lock() for _ in range(64)]  # of ids, by their first digits
        self._filling = threading.Lock()
        seconds, threads, queue = self.limits.seconds, self.limits.threads, self.limits.queue
        many: dict[str, Any] = {"threads": threads, "queue": queue, "metrics": self.metrics}
        few: dict[str, Any] = {"threads": 4, "queue": 4 * queue, "metrics": self.metrics}
        self._search = Workers("search", timeout=seconds, **many)
        self._items = Workers("items", timeout=seconds, **few)
        self._checks = Workers("checks", timeout=min(seconds, 5.0), **few)
        # A language model answers when it likes, within its own limits; what must wait for a
        # thread as long as a search may take goes without a verdict.
        self._judging = Workers("rerank", timeout=3600.0, patience=seconds, **many)
        self.closed = False

    # Searching

    async def search(
        self,
        query: Query,
        *,
        limit: int = 9,
        filter: str | None = None,
        min_score: float | None = None,
        keep_reference: bool = False,
        reranked: bool = False,
    ) -> Answer:
        """The pictures closest to a query, in retrieval order; as `Engine.search`.

        Args:
            reranked: Whether `rerank` will follow; the hits then carry their vectors.
        """
        result = await self._search.run(
            self._engine.search,
            query,
            limit=limit,
            filter=checked(filter),
            min_score=min_score,
            keep_reference=keep_reference,
            with_vectors=reranked,
        )
        self.metrics.searched(result)
        return Answer(result, self._panoramas.keep(query, result.hits))

    async def rerank(self, answer: Answer, name: str | None = None) -> Answer:
        """The answer with a reranker's verdict; unchanged without hits.

        Args:
            name: One of `rerankers`; None takes the default.
        """
        chosen = self._rerankers[name or self.default or self.rerankers[0]]
        try:
            result = await self._judging.run(self._engine.rerank, answer.result, chosen)
        except (Overloaded, RequestTimeout) as error:  # a late verdict never costs the hits
            result = unjudged(answer.result, chosen.name, str(error))
        else:
            result = for_anybody(result)
        if result.ranking is not None:
            self.metrics.ranked(result.ranking, result.timings.get("rerank", 0.0))
        return replace(answer, result=result)

    async def similar(
        self,
        id: str,
        *,
        limit: int = 9,
        filter: str | None = None,
        min_score: float | None = None,
    ) -> tuple[Hit, ...]:
        """The items closest to an indexed one; as `Engine.similar`."""
        options = {"limit": limit, "filter": checked(filter), "min_score": min_score}
        return await self._search.run(self._engine.similar, id, **options)

    async def embed(self, items: Iterable[Input]) -> Matrix:
        """Unit vectors of images, texts, or both, shape (n, dimension)."""
        return await self._search.run(self._engine.encoder.encode, list(items))

    async def panorama(self, key: str) -> bytes:
        """The panorama of a recent answer as a JPEG file; `ItemNotFound` when it is gone."""
        return await self._items.run(self._panoramas.draw, key)

    # Items

    async def add(self, data: bytes, metadata: Mapping[str, Any] | None = None) -> tuple[Hit, bool]:
        """Keep and index an uploaded picture; whole and searchable once this returns.

        Returns:
            The item, and whether its content is new.

        Raises:
            ImageError, MetadataError: The picture or its metadata cannot be used.
        """
        return await self._search.run(self._add, data, metadata)

    def _add(self, data: bytes, metadata: Mapping[str, Any] | None) -> tuple[Hit, bool]:
        id = hash_bytes(data)
        with self._lock_of(id):
            path = self._uploads.keep(data, id, max_pixels=self.limits.pixels)
            try:
                hit, created = self._engine.add(path, metadata=metadata, data=data)
            except BaseException as error:
                with suppress(OcelotError):  # a file without its item is of no use
                    if not self._engine.get([path.stem]):
                        path.unlink(missing_ok=True)
                if isinstance(error, ImageError):  # our folders are no business of the sender
                    raise ImageError("the image", error.reason) from None
                raise
        self._overview = None
        return hit, created

    def _lock_of(self, id: str) -> threading.Lock:
        """Reading an item and writing it again is one step for others."""
        return self._locks[int(id[:2], 16) % len(self._locks)]

    async def get(self, id: str) -> Hit:
        """An item by its id; `ItemNotFound` when it is not indexed."""
        return await self._items.run(self._get, id)

    def _get(self, id: str) -> Hit:
        found = self._engine.get([id])
        if not found:
            raise ItemNotFound(f"No item with the id {id} is indexed.")
        return found[0]

    async def delete(self, id: str) -> None:
        """Remove an item, and its file where it was uploaded; other files are never touched."""
        await self._items.run(self._delete, id)

    def _delete(self, id: str) -> None:
        check_id(id)
        with self._lock_of(id):
            hit = self._get(id)
            self._engine.delete([id])
            self._uploads.forget(hit)
        self._thumbnails.drop(id)
        self._overview = None

    async def picture(self, id: str, size: int | None = None) -> Picture:
        """An item's picture: as it was indexed, or as a JPEG of at most `size` pixels a side.

        Raises:
            ItemNotFound: There is no such item, or no file with its content any more; where a
                small copy is kept that is large enough, that is shown all the same.
        """
        cached = None if size is None else self._thumbnails.get(id, size)
        if cached is not None:
            return cached
        return await self._items.run(self._picture, id, size)

    def _picture(self, id: str, size: int | None) -> Picture:
        hit = self._get(id)
        if size is None:
            return original(hit)
        small = thumbnail(hit, size, self._engine.thumbnails)
        with self._lock_of(id):  # what was removed meanwhile is not kept
            self._get(id)
            self._thumbnails.put(id, size, small)
        return small

    # The collection

    async def overview(self) -> Overview:
        """What the collection holds; metadata is described from a sample, some seconds old."""
        return await self._items.run(self._look)

    def _look(self) -> Overview:
        info = self._engine.collection.describe()
        kept = self._overview
        if kept is None or time.monotonic() - kept[0] > _OVERVIEW_SECONDS:
            rows = self._engine.collection.sample()
            facets = facets_of(row.metadata for row in rows)
            kept = self._overview = (time.monotonic(), facets, examples_of(rows))
        return Overview(info, *kept[1:])

    async def count(self) -> int:
        """Items in the collection; also tells whether the database answers."""
        return await self._items.run(self._engine.count)

    async def ready(self) -> None:
        """Return soon when the database answers.

        Raises:
            RequestTimeout, CollectionError: It does not.
        """
        await self._checks.run(self._engine.count)

    def fill_with_demo(self, progress: Callable[[Progress], None] | None = None) -> IndexReport:
        """Copy the demo shop beside the uploads and index it. Blocks; call it in a thread.

        Raises:
            Overloaded: It is being filled already.
        """
        if not self._filling.acquire(blocking=False):
            raise Overloaded("The demo shop is being indexed already; wait for it.", 10)
        try:
            shop = copy_demo_shop(self._uploads.folder / "demo")
            return self._engine.index(
                shop / "images",
                metadata=shop / "metadata.csv",
                batch_size=8,  # so that no query waits long behind a batch
                progress=progress,
            )
        finally:
            self._overview = None
            self._filling.release()

    @property
    def busy(self) -> bool:
        """Whether a reranker is at work."""
        return self._judging.held > 0

    def close(self) -> None:
        """Let what runs finish, write everything to its place, and close the database."""
        if self.closed:
            return
        self.closed = True
        self._judging.close(wait=False)  # a language model may keep a thread for minutes
        for pool in (self._search, self._items, self._checks):
            pool.close()
        self._engine.encoder.close()
        try:
            self._engine.collection.flush()
        finally:
            self._engine.close()
