"""The engine: an encoder, a collection and a reranker doing one job.

::

    files ─ scan ─ decode ─ encode ─▶ Milvus                                  (index)
    image and/or text ─ encode ─▶ Milvus ─ hits ─ panorama ─ rerank ─▶ answer (ask)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.encoders.base import encode_query
from ocelot.errors import InputError, ItemNotFound
from ocelot.images.decode import read_file
from ocelot.indexing import Progress, add_image, index_images
from ocelot.queries import as_query, by_name, loaded, reference_ids
from ocelot.types import Hit, IndexReport, Result

if TYPE_CHECKING:
    from ocelot.collection import Collection, Row
    from ocelot.encoders.base import Encoder
    from ocelot.images.thumbnails import Thumbnails
    from ocelot.queries import Asked
    from ocelot.rerankers.base import Reranker

__all__ = ["Engine"]


class Engine:
    """Indexes pictures and answers composed queries. Close it, or use it as a context manager.

    Args:
        encoder: The one that the collection was made with.
        collection: Where vectors and metadata are; owned by the engine from here on.
        reranker: None to keep retrieval order.
        thumbnails: Where small copies of large pictures are kept while indexing, for those who
            show them; None keeps none.
    """

    def __init__(
        self,
        encoder: Encoder,
        collection: Collection,
        reranker: Reranker | None = None,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        self.encoder = encoder
        self.collection = collection
        self.reranker = reranker
        self.thumbnails = thumbnails

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
            prune: Also remove rows whose files below `paths` are gone.
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
            thumbnails=self.thumbnails,
            progress=progress,
        )

    def search(
        self,
        query: Asked,
        *,
        limit: int = 9,
        filter: str | None = None,
        min_score: float | None = None,
        keep_reference: bool = False,
        with_vectors: bool | None = None,
    ) -> Result:
        """The pictures closest to a query, in retrieval order.

        Args:
            query: A `Query`, an (image, text) pair, a text, or an image.
            limit: At most this many hits.
            filter: A Milvus expression over the metadata: `price < 30 and colour == "blue"`.
            min_score: Leave out hits with a lower cosine similarity.
            keep_reference: Also return the query's own pictures and their exact copies.
            with_vectors: Whether hits carry their vectors, as rerankers like; None: where there
                is a reranker.

        Raises:
            InputError: The query, an image of it or a number cannot be used.
            FilterError: Milvus does not accept the filter.
            EncoderError: The encoder failed.
            CollectionError: Milvus failed.
        """
        asked = as_query(query)
        if not isinstance(limit, int) or limit < 1:
            raise InputError(f"The limit must be a whole number from 1, was: {limit!r}.")
        if min_score is not None and not -2 < min_score < 2:
            raise InputError(f"The minimum score must be a cosine, -1 to 1, was: {min_score}.")
        started = time.perf_counter()
        with by_name(asked):
            read = loaded(asked)
            vector = encode_query(self.encoder, read)
        encoded = time.perf_counter()
        hits = self.collection.search(
            vector,
            limit=limit,
            filter=filter,
            exclude=() if keep_reference else reference_ids(read),
            min_score=min_score,
            with_vectors=self.reranker is not None if with_vectors is None else with_vectors,
        )
        done = time.perf_counter()
        timings = {"encode": encoded - started, "search": done - encoded, "total": done - started}
        return Result(asked, hits, None, timings)

    def rerank(self, result: Result, reranker: Reranker | None = None) -> Result:
        """The same result with a reranker's verdict; unchanged without hits or a reranker.

        Args:
            reranker: In the place of the engine's own.
        """
        judge = reranker or self.reranker
        if judge is None or not result.hits:
            return result
        started = time.perf_counter()
        ranking = judge.rerank(result.query, result.hits)
        seconds = time.perf_counter() - started
        total = result.timings.get("total", 0.0) + seconds
        timings = {**result.timings, "rerank": seconds, "total": total}
        return replace(result, ranking=ranking, timings=timings)

    def ask(
        self,
        query: Asked,
        *,
        limit: int = 9,
        filter: str | None = None,
        min_score: float | None = None,
        keep_reference: bool = False,
    ) -> Result:
        """`search`, then `rerank`; arguments and errors as there."""
        asked = as_query(query)
        with by_name(asked):
            result = self.search(
                loaded(asked),
                limit=limit,
                filter=filter,
                min_score=min_score,
                keep_reference=keep_reference,
            )
        return replace(self.rerank(result), query=asked)

    def similar(
        self,
        id: str,
        *,
        limit: int = 9,
        filter: str | None = None,
        min_score: float | None = None,
    ) -> tuple[Hit, ...]:
        """The items closest to an indexed one, which is not among them. Nothing is encoded.

        Raises:
            ItemNotFound: No such item is indexed.
            InputError, FilterError, CollectionError: As in `search`.
        """
        rows = self.collection.get([id])
        if not rows or rows[0].vector is None:
            raise ItemNotFound(f"No item with the id {id} is indexed.")
        return self.collection.search(
            rows[0].vector, limit=limit, filter=filter, exclude=[id], min_score=min_score
        )

    def add(
        self,
        path: str | Path,
        *,
        metadata: Mapping[str, Any] | None = None,
        data: bytes | None = None,
    ) -> tuple[Hit, bool]:
        """Index one file. Kept once this returns; the same content twice is one item.

        Args:
            metadata: The picture's own fields; None keeps those that it has.
            data: The file's bytes, where they are at hand.

        Returns:
            The item, and whether its content is new.

        Raises:
            ImageError: The file is no image that can be used.
            MetadataError: The metadata cannot be stored.
            EncoderError, CollectionError: Encoding or storing failed.
        """
        row, created = add_image(
            path,
            read_file(path) if data is None else data,
            self.collection,
            self.encoder,
            metadata=metadata,
            thumbnails=self.thumbnails,
        )
        return _as_hit(row, 1), created

    def get(self, ids: Iterable[str]) -> tuple[Hit, ...]:
        """Rows by id, as hits with score 1; unknown ids are left out."""
        return tuple(
            _as_hit(row, rank) for rank, row in enumerate(self.collection.get(list(ids)), 1)
        )

    def delete(self, ids: Iterable[str]) -> int:
        """Remove rows by id; returns how many there were. Files are never touched."""
        unwanted = list(ids)
        removed = self.collection.delete(unwanted)
        if self.thumbnails is not None:
            self.thumbnails.drop(unwanted)
        return removed

    def count(self) -> int:
        """Rows in the collection."""
        return self.collection.count()

    def close(self) -> None:
        """Close the collection; a second call does nothing."""
        if self.thumbnails is not None:
            self.thumbnails.close()
        self.collection.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _as_hit(row: Row, rank: int) -> Hit:
    return Hit(row.id, 1.0, rank, tuple(row.paths), row.width, row.height, row.metadata)
