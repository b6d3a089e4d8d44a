"""One warm engine for many callers at once, used by the HTTP API and the page."""

from __future__ import annotations

import math
import platform
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from cachetools import LRUCache, TTLCache, cachedmethod

from ocelot import __version__
from ocelot.assets import copy_demo_shop
from ocelot.collection.facets import Facet, examples_of, facets_of
from ocelot.encoders.base import Matrix
from ocelot.engine import Engine
from ocelot.errors import FilterError, OcelotError, Overloaded, RequestTimeout
from ocelot.images.file import ImageFile
from ocelot.indexing import Progress
from ocelot.rerankers.base import Reranker
from ocelot.service.metrics import Metrics
from ocelot.service.pictures import Panoramas, Picture, original, small
from ocelot.service.redaction import check_filter, redacted, unranked
from ocelot.service.removed import RemovedItems
from ocelot.service.values import MAX_RERANKED, Answer, Limits, Overview
from ocelot.service.workers import Workers
from ocelot.types import Hit, IndexReport, Input, Item, Query, Result

__all__ = ["Service"]

T = TypeVar("T")

_SMALL_BYTES = 64 * 2**20  # of small pictures in memory
_OVERVIEW_SECONDS = 5.0  # the metadata fields are read again after this time
_RERANK_SECONDS = 3600.0  # a language model has its own, shorter timeout


class Service:
    """Searches, reranks, adds and shows pictures, for callers in any event loop.

    Searches run in a limited number of threads: a full queue raises `Overloaded`, a late answer
    `RequestTimeout`. When an awaiting task is cancelled, its work that has not started never
    starts.

    Args:
        engine: Owned by the service from here on.
        rerankers: The rerankers that callers can choose, by name.
        default: Name of the reranker to use where a caller names none; None for no reranking.
        limits: Limits of requests and threads.
        metrics: Where to count.

    Attributes:
        rerankers: Names of the rerankers, the default first.
        encoder: Identity of the encoder that made the collection's vectors.
        closed: Whether `close` was called.
    """

    def __init__(
        self,
        engine: Engine,
        rerankers: Mapping[str, Reranker],
        *,
        default: str | None = None,
        limits: Limits | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.metrics = metrics or Metrics()
        self.default = default
        self.rerankers = tuple(sorted(rerankers, key=lambda name: name != default))
        self.encoder = engine.collection.identity
        self.closed = False
        runs = {"version": __version__, "python": platform.python_version()}
        self.metrics.build.info({**runs, "encoder": self.encoder.name})
        self._rerankers = dict(rerankers)
        self._engine = engine
        self._panoramas = Panoramas(engine.images)
        self._removed = RemovedItems(engine)
        self._lock = threading.Lock()  # of the two caches
        self._small: LRUCache[tuple[str, int], Picture] = LRUCache(
            _SMALL_BYTES, getsizeof=lambda picture: len(picture.data)
        )
        self._samples: TTLCache[Any, Any] = TTLCache(1, _OVERVIEW_SECONDS)
        self._id_locks = [threading.Lock() for _ in range(64)]

        seconds, threads, queue = self.limits.seconds, self.limits.threads, self.limits.queue
        self._search = Workers("search", threads, queue, seconds, self.metrics)
        self._items = Workers("items", 4, 4 * queue, seconds, self.metrics)
        self._checks = Workers("checks", 4, 4 * queue, min(seconds, 5.0), self.metrics)
        # Reranking that waits for a thread longer than a request may take is left out.
        self._reranking = Workers(
            "rerank", threads, queue, _RERANK_SECONDS, self.metrics, patience=seconds
        )

    # Searching

    async def search(self, query: Query, *, reranked: bool = False, **options: Any) -> Answer:
        """The pictures closest to a query, in retrieval order.

        Args:
            reranked: Whether `rerank` will follow; the hits then carry their vectors.
            **options: `limit`, `filter` and others of `Engine.search`.
        """
        check_filter(options.get("filter"))
        result = await self._search.run(
            self._engine.search, query, rerank=False, with_vectors=reranked, **options
        )
        return self._answer(result)

    def _answer(self, result: Result) -> Answer:
        self.metrics.searched(result)
        return Answer(result, self._panoramas.keep(result.query, result.hits))

    async def search_many(
        self, searches: Sequence[Mapping[str, Any]]
    ) -> list[Answer | OcelotError]:
        """Several searches, encoded together and not reranked; see `Engine.search_many`."""
        found: list[Any] = [_refusal(one.get("filter")) for one in searches]
        usable = [one for one, error in zip(searches, found, strict=True) if error is None]
        results = iter(await self._search.run(self._engine.search_many, usable))
        found = [error or next(results) for error in found]
        return [one if isinstance(one, OcelotError) else self._answer(one) for one in found]

    async def rerank(self, answer: Answer, name: str | None = None) -> Answer:
        """The answer with a reranker's verdict; unchanged without hits.

        A full queue or a timeout costs the verdict and never the hits. Hits after the first
        `MAX_RERANKED` stay behind them: a language model would be asked for minutes.

        Args:
            name: One of `rerankers`; None takes the default.
        """
        reranker = self._rerankers[name or self.default or self.rerankers[0]]
        hits = answer.result.hits
        head = replace(answer.result, hits=hits[:MAX_RERANKED])
        try:
            result = redacted(await self._reranking.run(self._engine.rerank, head, reranker))
        except (Overloaded, RequestTimeout) as error:
            result = unranked(head, reranker.name, error)
        if result.ranking is not None:
            self.metrics.ranked(result.ranking, result.timings.get("rerank", 0.0))
        result = replace(result, hits=(*result.hits, *hits[MAX_RERANKED:]))
        return replace(answer, result=result)

    async def nearest(self, vector: Sequence[float], **options: Any) -> tuple[Hit, ...]:
        """The items closest to a vector; options as of `Engine.nearest`."""
        check_filter(options.get("filter"))
        return await self._search.run(self._engine.nearest, vector, **options)

    async def similar(self, id: str, **options: Any) -> tuple[Hit, ...]:
        """The items closest to a stored one; options as of `Engine.similar`."""
        check_filter(options.get("filter"))
        return await self._search.run(self._engine.similar, id, **options)

    async def embed(self, items: Iterable[Input]) -> Matrix:
        """Unit vectors of images, texts, or both, shape (n, dimension)."""
        return await self._search.run(self._engine.encoder.encode, list(items))

    async def similarities(self, query: Input, documents: Sequence[Input | str]) -> list[float]:
        """Cosine similarities of documents, or of stored items by their ids, to a query.

        Raises:
            ItemNotFound: There is no item with one of the ids.
        """
        return await self._search.run(self._engine.similarities, query, documents)

    async def panorama(self, key: str) -> bytes:
        """The panorama of a recent answer as a JPEG file; `ItemNotFound` when it was dropped."""
        return await self._items.run(self._panoramas.draw, key)

    # Items

    async def work(self, function: Callable[..., T], *args: Any) -> T:
        """Run a function on pictures in the threads for items, within their limits."""
        return await self._items.run(function, *args)

    async def add(
        self,
        image: ImageFile,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> tuple[Item, bool]:
        """Store an uploaded picture. It is on disk and searchable once this returns.

        Args:
            id: The caller's own; by default the SHA-256 of the picture.

        Returns:
            The item, and whether it is new.

        Raises:
            ImageError, MetadataError: The picture or its metadata cannot be used.
        """
        return await self._search.run(self._add, image, metadata, id)

    def _add(
        self, image: ImageFile, metadata: Mapping[str, Any] | None, id: str | None
    ) -> tuple[Item, bool]:
        outcome, started = "failed", time.perf_counter()
        try:
            with self._lock_of(id or image.id):
                image.probe(self.limits.pixels)
                created = not self._engine.collection.known([id or image.id])
                item = self._engine.add(image, metadata=metadata, id=id)
                self._removed.forget(item.id)
            outcome = "new" if created else "known"
        finally:
            self.metrics.added("add", time.perf_counter() - started, **{outcome: 1})
        self._forget(item.id)
        return item, created

    def _lock_of(self, id: str) -> threading.Lock:
        """The lock under which an item is read and written again in one step."""
        return self._id_locks[hash(id) % len(self._id_locks)]

    def _forget(self, id: str) -> None:
        """Drop what the caches hold of an item that was changed."""
        with self._lock:
            self._samples.clear()
            for key in [key for key in self._small if key[0] == id]:
                del self._small[key]

    async def get(self, id: str) -> Item:
        """A stored item; `ItemNotFound` when there is none with this id."""
        return await self._items.run(self._engine.get, id)

    async def page(self, **options: Any) -> tuple[tuple[Item, ...], bool]:
        """The items that follow an id, and whether there are more; as of `Engine.page`."""
        check_filter(options.get("filter"))
        return await self._items.run(self._engine.page, **options)

    async def update(self, id: str, metadata: Mapping[str, Any]) -> Item:
        """Change some fields of an item's metadata; see `Engine.update`."""
        return await self._items.run(self._update, id, metadata)

    def _update(self, id: str, metadata: Mapping[str, Any]) -> Item:
        with self._lock_of(id):
            item = self._engine.update(id, metadata)
            self._removed.forget(id)
        self._forget(id)
        return item

    async def delete(self, id: str, *, keep: bool = False) -> None:
        """Remove an item, and its file if it was uploaded; other files are never touched.

        Args:
            keep: Whether `restore` may follow, for some minutes.
        """
        await self._items.run(self._delete, id, keep)

    def _delete(self, id: str, keep: bool) -> None:
        with self._lock_of(id):
            if not keep:  # for good, even if it was removed with `keep` before
                self._removed.forget(id)
            self._engine.get(id)
            if keep:
                self._removed.keep(id)
            self._engine.delete(id)
        self._forget(id)

    async def restore(self, id: str) -> None:
        """Bring back an item that was removed with `keep`; see `RemovedItems.restore`."""
        await self._search.run(self._restore, id)

    def _restore(self, id: str) -> None:
        with self._lock_of(id):
            self._removed.restore(id)
        self._forget(id)

    def restorable(self, id: str) -> bool:
        """Whether an item was removed with `keep` and can still be brought back."""
        return id in self._removed

    async def picture(self, id: str, size: int | None = None) -> Picture:
        """An item's picture: the file itself, or a JPEG of at most `size` pixels a side.

        Raises:
            ItemNotFound: There is no such item, or neither its file nor a small copy that is
                large enough is left.
        """
        with self._lock:
            cached = self._small.get((id, size or 0))
        if cached is not None:
            return cached
        return await self._items.run(self._picture, id, size)

    def _picture(self, id: str, size: int | None) -> Picture:
        item = self._engine.get(id)
        if size is None:
            return original(item, self._engine.images)
        picture = small(item, size, self._engine.images)
        with self._lock_of(id):
            self._engine.get(id)  # an item that was removed meanwhile is not cached
            with self._lock:
                self._small[id, size] = picture
        return picture

    # The collection

    async def overview(self) -> Overview:
        """What the collection holds; its metadata fields may be some seconds old."""
        return await self._items.run(self._describe)

    def _describe(self) -> Overview:
        return Overview(self._engine.collection.describe(), *self._sample())

    @cachedmethod(lambda self: self._samples, lock=lambda self: self._lock)
    def _sample(self) -> tuple[tuple[Facet, ...], int, tuple[Item, ...]]:
        rows = self._engine.collection.sample()
        return facets_of(row.metadata for row in rows), len(rows), examples_of(rows)

    async def count(self) -> int:
        """The number of items in the collection."""
        return await self._items.run(self._engine.count)

    async def measure(self) -> bytes:
        """The metrics in the Prometheus text format; without the database's, if it fails."""
        try:
            self.metrics.items.set(await self._checks.run(self._engine.count))
        except OcelotError:
            self.metrics.items.set(math.nan)
        return self.metrics.text()

    async def ready(self) -> None:
        """Return when the database answers, within five seconds.

        Raises:
            RequestTimeout, CollectionError: It does not answer.
        """
        await self._checks.run(self._engine.count)

    def fill_with_demo(self, progress: Callable[[Progress], None] | None = None) -> IndexReport:
        """Copy the demo shop beside the uploads and index it. Blocks; call it in a thread."""
        try:
            shop = copy_demo_shop(self.uploads / "demo")
            report = self._engine.index(
                shop / "images",
                metadata=shop / "metadata.csv",
                batch_size=8,  # so that no query waits long behind a batch
                progress=progress,
            )
            counts = {"new": report.encoded, "known": report.unchanged + report.relocated}
            self.metrics.added("index", report.seconds, **counts, failed=len(report.failures))
            return report
        finally:
            self._forget("")

    @property
    def uploads(self) -> Path:
        """The folder for uploads."""
        return self._engine.images.uploads.folder

    @property
    def busy(self) -> bool:
        """Whether a reranker is running."""
        return self._reranking.held > 0

    def close(self) -> None:
        """Wait for running work, write everything to disk, and close the database."""
        if self.closed:
            return
        self.closed = True
        self._reranking.close(wait=False)  # a language model may keep a thread for minutes
        for workers in (self._search, self._items, self._checks):
            workers.close()
        self._engine.encoder.close()
        try:
            self._engine.collection.flush()
        finally:
            self._engine.close()


def _refusal(filter: str | None) -> FilterError | None:
    try:
        check_filter(filter)
    except FilterError as error:
        return error
    return None
