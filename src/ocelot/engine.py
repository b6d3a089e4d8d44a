"""The engine: an encoder, a collection and a reranker doing one job.

::

    files ─ scan ─ decode ─ encode ─▶ Milvus                                  (index)
    image and/or text ─ encode ─▶ Milvus ─ hits ─ panorama ─ rerank ─▶ answer (search)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.encoders.base import encode_query
from ocelot.errors import ConfigurationError, InputError, ItemNotFound
from ocelot.images.store import ImageStore
from ocelot.indexing import Progress, Record, add_record, add_records, index_images
from ocelot.indexing.writer import forget_images
from ocelot.render import ResultRenderer
from ocelot.types import Hit, IndexReport, Item, Query, Result

if TYPE_CHECKING:
    from ocelot.collection import Collection
    from ocelot.encoders.base import Encoder
    from ocelot.images.file import ImageSource
    from ocelot.rerankers.base import Reranker

__all__ = ["Engine"]


class Engine:
    """Indexes pictures and answers composed queries. Close it, or use it as a context manager.

    Safe to use from several threads; from async code, call it with `asyncio.to_thread`.

    Args:
        encoder: The one that the collection was made with.
        collection: Where vectors and metadata are; owned by the engine from here on.
        reranker: None to keep retrieval order.
        images: Where the pictures of items are read from and kept.
    """

    def __init__(
        self,
        encoder: Encoder,
        collection: Collection,
        reranker: Reranker | None = None,
        images: ImageStore | None = None,
    ) -> None:
        self.encoder = encoder
        self.collection = collection
        self.reranker = reranker
        self.images = images or ImageStore()
        self._renderer = ResultRenderer(self.images)

    def index(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        metadata: str | Path | None = None,
        prune: bool = False,
        batch_size: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IndexReport:
        """Index folders or files; safe to interrupt and to run again.

        Args:
            metadata: A .csv, .jsonl or .parquet file with a `file_name` column; without it,
                one named `metadata` in the folder is used.
            prune: Also remove rows whose files below `paths` no longer exist.
            progress: Called now and then from the calling thread.

        Raises:
            InputError: A path does not exist, or the metadata file cannot be used.
            EncoderError, CollectionError: Encoding or storing failed; what was stored stays.
        """
        return index_images(
            paths,
            self.collection,
            self.encoder,
            metadata=metadata,
            prune=prune,
            batch_size=batch_size,
            images=self.images,
            progress=progress,
        )

    def add(
        self,
        image: ImageSource,
        *,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> Item:
        """Store one picture. It is kept and searchable once this returns.

        A path is remembered; bytes, PIL images, arrays and URLs become files among the uploads.

        Args:
            image: A path, a URL, the bytes of an image file, a PIL image, or an array of shape
                (height, width, 3) and dtype uint8.
            metadata: The item's own fields; None keeps those that it has.
            id: An id of your own; by default the content's hash, so that the same content twice
                is one item. An item with the same id is replaced.

        Raises:
            ImageError: The picture cannot be used.
            InputError: The id cannot be used.
            MetadataError: The metadata cannot be stored.
            EncoderError, CollectionError, StorageError: Encoding or storing failed.
        """
        record = Record(image, metadata, id)
        return self.get(add_record(record, self.collection, self.encoder, self.images))

    def add_many(
        self,
        records: Iterable[Mapping[str, Any]] | Any,
        *,
        image: str = "image",
        id: str = "id",
        batch_size: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IndexReport:
        """Store many pictures in batches; those that cannot be used are reported.

        Args:
            records: Mappings, a pandas DataFrame, or a `datasets.Dataset`. Each record holds a
                picture as `add` takes it, perhaps an id, and otherwise metadata.
            image, id: The keys of the picture and of the id.
            batch_size: Pictures encoded at once; by default the encoder's choice.
            progress: Called now and then from the calling thread.

        Raises:
            EncoderError, CollectionError, StorageError: Encoding or storing failed; what was
                stored stays.
        """
        return add_records(
            records,
            self.collection,
            self.encoder,
            self.images,
            image=image,
            id=id,
            batch_size=batch_size,
            progress=progress,
        )

    def search(
        self,
        query: Query | None = None,
        /,
        *,
        image: ImageSource | Sequence[ImageSource] | None = None,
        text: str | None = None,
        limit: int = 9,
        filter: str | None = None,
        min_score: float | None = None,
        keep_reference: bool = False,
        rerank: bool | Reranker | None = None,
        with_vectors: bool | None = None,
    ) -> Result:
        """The pictures closest to a query, reranked where there is a reranker.

        Args:
            query: In place of `image` and `text`.
            image: One reference image or a list of them; each as `add` takes it.
            text: What is wanted, or how it differs from the images.
            limit: At most this many hits.
            filter: A Milvus expression over the metadata: `price < 30 and colour == "blue"`.
            min_score: Leave out hits with a lower cosine similarity, -1 to 1.
            keep_reference: Also return the query's own images and their exact copies.
            rerank: Whether to rerank, or a reranker to use; None reranks where the engine has a
                reranker.
            with_vectors: Whether hits carry their vectors, which rerankers can use; None: where
                there is a reranker.

        Raises:
            InputError: The query, an image of it or a number cannot be used.
            FilterError: Milvus does not accept the filter.
            ConfigurationError: Reranking is asked for and the engine has no reranker.
            EncoderError: The encoder failed.
            CollectionError: Milvus failed.
        """
        asked = _query_of(query, image, text)
        reranker = self._reranker_of(rerank)
        if not isinstance(limit, int) or limit < 1:
            raise InputError(f"The limit must be a whole number from 1, was: {limit!r}.")
        if min_score is not None and not -1 <= min_score <= 1:
            raise InputError(f"The minimum score must be a cosine, -1 to 1, was: {min_score}.")
        if with_vectors is None:
            with_vectors = (reranker or self.reranker) is not None
        started = time.perf_counter()
        vector = encode_query(self.encoder, asked)
        encoded = time.perf_counter()
        hits = self.collection.search(
            vector,
            limit=limit,
            filter=filter,
            exclude_content=() if keep_reference else asked.reference_ids(),
            min_score=min_score,
            with_vectors=with_vectors,
        )
        done = time.perf_counter()
        timings = {"encode": encoded - started, "search": done - encoded, "total": done - started}
        result = Result(asked, hits, None, timings, self._renderer)
        return result if reranker is None else self.rerank(result, reranker)

    def rerank(self, result: Result, reranker: Reranker | None = None) -> Result:
        """The same result with a reranker's verdict; unchanged without hits.

        Args:
            reranker: In place of the engine's own.

        Raises:
            ConfigurationError: Neither is there.
        """
        judge = reranker or self._reranker_of(True)
        if judge is None or not result.hits:
            return result
        started = time.perf_counter()
        ranking = judge.rerank(result.query, result.retrieved)
        seconds = time.perf_counter() - started
        total = result.timings.get("total", 0.0) + seconds
        return result.reranked(ranking, rerank=seconds, total=total)

    def similar(
        self,
        id: str,
        *,
        limit: int = 9,
        filter: str | None = None,
        min_score: float | None = None,
    ) -> tuple[Hit, ...]:
        """The items closest to a stored one, which is not among them. Nothing is encoded.

        Raises:
            ItemNotFound: There is no such item.
            InputError, FilterError, CollectionError: As in `search`.
        """
        rows = self.collection.get([id])
        if not rows or rows[0].vector is None:
            raise ItemNotFound(f"There is no item with the id {id}.")
        return self.collection.search(
            rows[0].vector, limit=limit, filter=filter, exclude=[id], min_score=min_score
        )

    def get(self, id: str) -> Item:
        """A stored item.

        Raises:
            ItemNotFound: There is no such item.
        """
        rows = self.collection.get([id])
        if not rows:
            raise ItemNotFound(f"There is no item with the id {id}.")
        return rows[0].item

    def items(self, *, filter: str | None = None) -> Iterator[Item]:
        """Every stored item, or those that a Milvus expression over the metadata selects.

        Raises:
            FilterError: Milvus does not accept the filter.
        """
        for row in self.collection.iterate(filter=filter):
            yield row.item

    def count(self, *, filter: str | None = None) -> int:
        """How many items are stored, or how many of them a filter selects.

        Raises:
            FilterError: Milvus does not accept the filter.
        """
        return self.collection.count(filter)

    def delete(self, ids: str | Iterable[str]) -> int:
        """Remove items; returns how many there were.

        Files are never touched, except those that `add` wrote among the uploads.
        """
        rows = self.collection.get([ids] if isinstance(ids, str) else ids)
        removed = self.collection.delete(row.id for row in rows)
        forget_images(self.collection, self.images, [row.item for row in rows])
        return removed

    def close(self) -> None:
        """Close the collection; a second call does nothing."""
        self.images.close()
        self.collection.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _reranker_of(self, wanted: bool | Reranker | None) -> Reranker | None:
        if wanted is None:
            return self.reranker
        if wanted is False:
            return None
        if wanted is not True:
            return wanted
        if self.reranker is None:
            raise ConfigurationError(
                "There is no reranker: open the collection with reranker='fusion' or "
                "reranker='llm', or give one to rerank=."
            )
        return self.reranker


def _query_of(
    query: Any, image: ImageSource | Sequence[ImageSource] | None, text: str | None
) -> Query:
    if query is None:
        return Query(image, text)
    if not isinstance(query, Query):
        raise InputError(
            f"A positional argument of search must be a Query, was: {type(query).__name__}; "
            "use image=… or text=…."
        )
    if image is not None or text is not None:
        raise InputError("Give a Query, or image= and text=, not both.")
    return query
