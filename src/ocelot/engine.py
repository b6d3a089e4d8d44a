"""The engine: an encoder, a collection and a reranker working together.

::

    files ─ scan ─ decode ─ encode ─▶ Milvus                                  (index)
    image and/or text ─ encode ─▶ Milvus ─ hits ─ panorama ─ rerank ─▶ answer (search)

What only writes need is imported by the methods that write: a search starts without it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ocelot.encoders.base import encode_query
from ocelot.encoders.caching import CachingEncoder
from ocelot.errors import ConfigurationError, InputError, ItemNotFound, OcelotError, UnknownWords
from ocelot.hybrid import word_scores
from ocelot.images.store import ImageStore
from ocelot.model.knowledge import words_of
from ocelot.query_vector import unwanted_inputs, wanted_inputs
from ocelot.render import ResultRenderer
from ocelot.rerankers.base import Reranker
from ocelot.selection import needs_vectors, pool_size, select
from ocelot.telemetry import note, span
from ocelot.types import Hit, IndexReport, Input, Item, Query, Result
from ocelot.words import does_not_know

if TYPE_CHECKING:
    from ocelot.collection import Collection, Row
    from ocelot.encoders.base import Encoder, Matrix
    from ocelot.images.file import ImageSource
    from ocelot.indexing import Progress
    from ocelot.indexing.adopt import AdoptReport
    from ocelot.maintenance.reindex import ReindexReport
    from ocelot.types import Vector

__all__ = ["Engine"]

_T = TypeVar("_T")


class Engine:
    """Stores pictures and answers composed queries. Made by `ocelot.open`; a context manager.

    Safe to use from several threads. From async code, call it in a thread:
    `await asyncio.to_thread(shop.search, text="a red kettle")`.

    For example:

        with ocelot.open("shop.db") as shop:
            shop.index("pictures/")
            shop.add("leopard.jpg", metadata={"price": 19.9}, id="SKU-1")
            result = shop.search(image="leopard.jpg", text="phone case with this image theme")
            for hit in result:
                print(hit.rank, hit.score, hit.title)
            print(result.best, result.reason)

    Args:
        encoder: The encoder that the collection was made with.
        collection: Vectors and metadata; the engine closes it.
        reranker: None to keep retrieval order.
        images: Reads the pictures of items, and keeps uploads and small copies.

    Raises:
        EncoderError, CollectionError, StorageError: In any method, if encoding or storing fails;
            what was stored stays.
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
        video: str | None = None,
        batch_size: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IndexReport:
        """Store the pictures of folders or files; safe to interrupt and to run again.

        Only new contents are encoded: unchanged files are not opened, and copies and renamed
        files become further paths of an item. Items with own ids are left alone.

        Args:
            paths: A folder, an image file, or a list of them.
            metadata: A .csv, .jsonl or .parquet file with a `file_name` column; by default the
                file named `metadata` in each folder, or in the one above if it names pictures
                of the folder. Pictures that no line names keep their metadata.
            prune: Also remove items whose files below `paths` no longer exist.
            video: Also store frames of videos: "scene", the first of each scene, or a number, the
                seconds between two frames. Each has the metadata `video` and `second`.
            batch_size: Pictures encoded at once; by default the encoder's choice.
            progress: Called now and then from the calling thread.

        Raises:
            InputError: None of the paths exists, or the batch size is below 1.
            MetadataError: The metadata file cannot be used, or is given and names no picture.
        """
        from ocelot.indexing import index_images

        return index_images(
            paths, *self._parts, metadata=metadata, prune=prune, video=video,
            batch_size=batch_size, progress=progress,
        )  # fmt: skip

    def add(
        self,
        image: ImageSource,
        *,
        metadata: Mapping[str, Any] | None = None,
        id: str | None = None,
    ) -> Item:
        """Store one picture. It is durable and searchable once this returns.

        The file of a path is used where it is; any other picture is written to the folder for
        uploads. Content that is stored under the same id already is not encoded again: the item
        gets the new path and metadata.

        Args:
            image: A path, a URL, the bytes of an image file, a PIL image, or an array of shape
                (height, width, 3) and dtype uint8.
            metadata: The item's own fields; None keeps the stored ones.
            id: Your own id: 1 to 128 letters, digits and the signs `._:@+=-`. By default the
                SHA-256 of the content, so that the same content twice is one item. If the id
                exists with other content, that is replaced.

        Raises:
            ImageError: The picture cannot be used.
            InputError: The id cannot be used.
            MetadataError: The metadata cannot be stored.
        """
        from ocelot.indexing import add_record

        return self.get(add_record(image, *self._parts, metadata=metadata, id=id))

    def add_many(
        self,
        records: Iterable[Mapping[str, Any]] | Any,
        *,
        image: str = "image",
        id: str = "id",
        batch_size: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> IndexReport:
        """Store many pictures in batches, as `add` stores one.

        Records are taken lazily, a few batches ahead, so a generator may yield any number.

        Args:
            records: Mappings, a pandas DataFrame, or a `datasets.Dataset`.
            image: The key of the picture in each record: as `add` takes it, or a mapping with
                "bytes" or "path".
            id: The key of the id; records without one, or with None or NaN, get the content's
                hash. All other keys are metadata.
            batch_size, progress: As of `index`.

        Raises:
            InputError: The records are of another type, or the batch size is below 1.
        """
        from ocelot.indexing import add_records

        return add_records(
            records, *self._parts, image=image, id=id, batch_size=batch_size, progress=progress
        )

    def adopt(
        self,
        uri: str | Path,
        *,
        collection: str,
        path_field: str = "image_path",
        root: str | Path = ".",
        token: str | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> AdoptReport:
        """Take over the pictures of another program's collection, with their vectors.

        A few pictures are encoded and compared with their stored vectors. Rows of the same
        content become one item; its metadata are their other fields. The other collection is
        only read. Safe to interrupt and to run again.

        Args:
            uri: Of its database, as `ocelot.open` takes it.
            collection: Its name.
            path_field: The field with the path of a picture.
            root: The folder that relative paths start from.
            token: For a server that requires one.
            progress: As of `index`.

        Raises:
            EncoderMismatch: The vectors are not those of this engine's encoder.
            InputError: There is no such database, or no picture to compare.
            CollectionNotFound: There is no such collection.
        """
        from ocelot.collection.foreign import ForeignCollection
        from ocelot.indexing.adopt import adopt_rows, check_vectors

        with ForeignCollection.open(uri, collection, path_field=path_field, token=token) as source:
            check_vectors(source, self.encoder, root)
            return adopt_rows(source, *self._parts, root=root, progress=progress)

    def reindex(
        self,
        encoder: Encoder,
        *,
        skip_unreadable: bool = False,
        drop_old: bool = False,
        batch_size: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> ReindexReport:
        """Encode the stored pictures with another encoder, into a collection beside this one.

        In the end the collection's name stands for the new one: open it again with the new
        encoder. This engine, and every other that is open, goes on with the old one, and what it
        writes after that stays there. Ids, paths and metadata are kept. Safe to interrupt and to
        run again.

        Args:
            encoder: The new one. With the one in use, nothing is encoded.
            skip_unreadable: Whether to switch even if some pictures cannot be read; they are then
                left out.
            drop_old: Remove the old collection after the switch; engines that have it open,
                such as this one, then fail.
            batch_size, progress: As of `index`.
        """
        from ocelot.maintenance.reindex import reindex

        return reindex(
            self.collection, encoder, self.images, skip_unreadable=skip_unreadable,
            drop_old=drop_old, batch_size=batch_size, progress=progress,
        )  # fmt: skip

    @span("ocelot.search")
    def search(
        self,
        query: Query | None = None,
        /,
        *,
        image: ImageSource | Sequence[ImageSource] | None = None,
        text: str | None = None,
        limit: int = 9,
        offset: int = 0,
        filter: str | None = None,
        min_score: float | None = None,
        keep_reference: bool = False,
        rerank: bool | Reranker | None = None,
        with_vectors: bool | None = None,
    ) -> Result:
        """Find the items closest to a query, and rerank them.

        Args:
            query: A `Query`, instead of `image` and `text`; it has weights, negative parts, stored
                items, grouping and more.
            image: One reference image or a list of up to 8; each as `add` takes it.
            text: What is wanted, or how it differs from the images.
            limit: The most hits to return.
            offset: Hits to leave out at the beginning: those that an earlier search has returned.
                With `diversity`, which hits come first depends on the limit.
            filter: A Milvus expression over the metadata: `price < 30 and colour == "blue"`.
            min_score: Leave out hits with a lower cosine similarity, -1 to 1.
            keep_reference: Whether to return the query's own images and their exact copies, and
                the items that it names, too.
            rerank: Whether to rerank, or the reranker to use; by default if the engine has one.
            with_vectors: Whether hits carry their vectors, which rerankers can use; by default
                if there is a reranker.

        Raises:
            InputError: The query or a number cannot be used, or the encoder knows no word of a
                text alone, and a hybrid search finds none either; `ImageError` for an image.
            ItemNotFound: The query names an item that is not stored, or whose file is gone.
            FilterError: Milvus does not accept the filter, or it is longer than 10,000
                characters, or it finds nothing and names a field that no item has; or no hit has
                the field to group by or to compare words with.
            ConfigurationError: Reranking is requested and the engine has no reranker.
        """
        given = _query_of(query, image, text)
        reranker = self._reranker_of(rerank)
        _check_numbers(limit, min_score, offset)
        wanted = int(limit) + int(offset)
        if with_vectors is None:
            with_vectors = (reranker or self.reranker) is not None
        unknown = _unknown_words(self.encoder, given)
        if not given.hybrid:
            _check_known(self.encoder, given, unknown)
        started = time.perf_counter()
        with span("ocelot.encode", {"ocelot.encoder": self.encoder.name}):
            asked = self._with_stored_images(given)
            stored = (self._vectors(ids) for ids in (asked.like, asked.unlike))
            vector = encode_query(self.encoder, asked, *stored)
        encoded = time.perf_counter()
        contents = (*asked.reference_ids(), *(image.id for image in asked.negative_images))
        found = self.collection.search(
            vector,
            limit=pool_size(asked, wanted),
            filter=filter,
            exclude=() if keep_reference else (*asked.like, *asked.unlike),
            exclude_content=() if keep_reference else contents,
            min_score=min_score,
            with_vectors=with_vectors or needs_vectors(asked),
        )
        hits = select(asked, found, wanted)
        if given.hybrid and hits:
            _check_known(self.encoder, given, unknown, hits)
        hits = hits[int(offset) :]
        if not with_vectors:
            hits = tuple(replace(hit, vector=None) for hit in hits)
        done = time.perf_counter()
        note({"ocelot.pictures": len(asked.images), "ocelot.hits": len(hits)})
        timings = {"encode": encoded - started, "search": done - encoded, "total": done - started}
        result = Result(asked, hits, None, timings, self.encoder.name, unknown, self._renderer)
        return result if reranker is None else self.rerank(result, reranker)

    @span("ocelot.rerank")
    def rerank(self, result: Result, reranker: Reranker | None = None) -> Result:
        """Rerank the hits of a result; a result without hits is returned as it is.

        Args:
            reranker: By default the engine's own; `ConfigurationError` if it has none.
        """
        if not isinstance(result, Result):
            raise InputError(f"Only a Result can be reranked, was: {type(result).__name__}.")
        judge = self._reranker_of(True if reranker is None else reranker)
        if judge is None or not result.hits:
            return result
        started = time.perf_counter()
        ranking = judge.rerank(result.query, result.retrieved)
        seconds = time.perf_counter() - started
        about = {"ocelot.reranker": ranking.reranker, "ocelot.status": ranking.status}
        note({**about, "ocelot.cached": ranking.cached, "ocelot.hits": len(result.hits)})
        total = result.timings.get("total", 0.0) + seconds
        return result.reranked(ranking, rerank=seconds, total=total)

    def search_many(
        self, searches: Iterable[Mapping[str, Any]]
    ) -> tuple[Result | OcelotError, ...]:
        """Run several searches whose queries are encoded together, without reranking.

        Args:
            searches: The arguments of `search` for each: {"text": "a mug", "limit": 3}.

        Returns:
            For each search its result, or the error that it has raised.
        """
        asked: list[tuple[Query | OcelotError, dict[str, Any]]] = []
        for options in map(dict, searches):
            parts = [options.pop(name, None) for name in ("query", "image", "text")]
            asked.append((_or_error(self._query, *parts), options))
        queries = [query for query, _ in asked if isinstance(query, Query)]
        encoder = _encoded_together(self.encoder, queries)
        engine = Engine(encoder, self.collection, images=self.images)
        return tuple(
            _or_error(engine.search, query, **options) if isinstance(query, Query) else query
            for query, options in asked
        )

    def nearest(
        self,
        vector: Vector | Sequence[float],
        *,
        limit: int = 9,
        offset: int = 0,
        filter: str | None = None,
        min_score: float | None = None,
    ) -> tuple[Hit, ...]:
        """Find the items closest to a vector of this encoder, shape (dimension,).

        Other arguments and errors are as in `search`.
        """
        _check_numbers(limit, min_score, offset)
        options: dict[str, Any] = {"filter": filter, "min_score": min_score}
        found = self.collection.search(vector, limit=int(limit) + int(offset), **options)
        return found[int(offset) :]

    def similar(
        self, id: str, *, limit: int = 9, filter: str | None = None, min_score: float | None = None
    ) -> tuple[Hit, ...]:
        """Find the items closest to a stored one, which is left out. Nothing is encoded.

        Arguments and errors are as in `search`; `ItemNotFound` if there is no such item.
        """
        _check_numbers(limit, min_score)
        return self.collection.similar(id, limit=int(limit), filter=filter, min_score=min_score)

    def similarities(self, query: Input, documents: Sequence[Input | str]) -> list[float]:
        """The cosine similarity of each document to a query; a text is the id of a stored item.

        Raises:
            ItemNotFound: There is no item with one of the ids.
        """
        ids = [one for one in documents if isinstance(one, str)]
        stored = {row.id: row.vector for row in self._rows(ids)}
        given = [one for one in documents if not isinstance(one, str)]
        asked, *rows = self.encoder.encode([query, *given])
        encoded = iter(rows)
        vectors = [stored[one] if isinstance(one, str) else next(encoded) for one in documents]
        matrix = np.array(vectors, dtype=np.float64)
        cosines: list[float] = (matrix @ asked / np.linalg.norm(matrix, axis=1)).tolist()
        return cosines

    def get(self, id: str) -> Item:
        """A stored item; `ItemNotFound` if there is none with this id."""
        return self._row(id).item

    def update(self, id: str, metadata: Mapping[str, Any]) -> Item:
        """Change some fields of an item's metadata; the picture is not encoded again.

        Args:
            id: Of a stored item.
            metadata: New values of fields. None removes a field; all others keep their values.

        Raises:
            ItemNotFound: There is no item with this id.
            MetadataError: The metadata cannot be stored.
        """
        from ocelot.collection.rows import changed_metadata

        row = self._row(id)
        changed = replace(row, metadata=changed_metadata(row.metadata, metadata))
        self.collection.upsert([changed])
        return changed.item

    def page(
        self, *, after: str = "", limit: int = 100, filter: str | None = None
    ) -> tuple[tuple[Item, ...], bool]:
        """The items that follow an id in the order of ids, and whether there are more.

        Arguments and errors are as in `Collection.page`.
        """
        rows, more = self.collection.page(after=after, limit=limit, filter=filter)
        return tuple(row.item for row in rows), more

    def items(self, *, filter: str | None = None) -> Iterator[Item]:
        """Iterate over the items in order of ids; `filter` selects some, as in `search`."""
        return (row.item for row in self.collection.iterate(filter=filter))

    def count(self, *, filter: str | None = None) -> int:
        """Count the items; `filter` selects some, as in `search`."""
        return self.collection.count(filter)

    def delete(self, ids: str | Iterable[str]) -> int:
        """Remove items; return how many there were. A text is one id.

        Files stay, except those that `add` wrote to the folder for uploads.
        """
        from ocelot.indexing.writer import forget_images

        rows = self.collection.delete(ids)
        forget_images(self.collection, self.images, [row.item for row in rows])
        return len(rows)

    def close(self) -> None:
        """Close the collection; repeated calls do nothing."""
        self.images.close()
        self.collection.close()

    def __repr__(self) -> str:
        return f"<Engine of {self.collection!r} with {self.encoder.name}>"

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def _parts(self) -> tuple[Collection, Encoder, ImageStore]:
        return self.collection, self.encoder, self.images

    def _row(self, id: str) -> Row:
        return self._rows([id])[0]

    def _rows(self, ids: Sequence[str]) -> tuple[Row, ...]:
        rows = self.collection.get(ids) if ids else ()
        if missing := set(ids) - {row.id for row in rows}:
            raise ItemNotFound(f"There is no item with the id {min(missing)}.")
        return rows

    def _query(self, query: Any, image: Any, text: Any) -> Query:
        return self._with_stored_images(_query_of(query, image, text))

    def _with_stored_images(self, query: Query) -> Query:
        """The query with the pictures of its items among its images."""
        if not query.items:
            return query
        stored = [self.images.original(row.item) for row in self._rows(query.items)]
        return replace(query, images=(*query.images, *stored), items=())

    def _vectors(self, ids: Sequence[str]) -> Matrix | None:
        """Stored vectors, shape (ids, dimension)."""
        vectors = [row.vector for row in self._rows(ids)]
        return np.array(vectors, dtype=np.float32) if ids else None

    def _reranker_of(self, wanted: bool | Reranker | None) -> Reranker | None:
        if wanted is None:
            return self.reranker
        if wanted is False:
            return None
        if wanted is True and self.reranker is None:
            raise ConfigurationError(
                "The engine has no reranker: open it with reranker='fusion' or reranker='llm', or "
                "pass one as rerank=."
            )
        if wanted is True:
            return self.reranker
        if isinstance(wanted, type) or not isinstance(wanted, Reranker):
            raise InputError(
                "rerank must be True, False or a Reranker, such as ocelot.FunctionReranker("
                f"function), was: {type(wanted).__name__}."
            )
        return wanted


def _or_error(call: Callable[..., _T], *arguments: Any, **options: Any) -> _T | OcelotError:
    try:
        return call(*arguments, **options)
    except OcelotError as error:
        return error


def _encoded_together(encoder: Encoder, queries: Iterable[Query]) -> Encoder:
    """An encoder that knows the vectors of all inputs of these queries, from one call.

    If that fails, for one of the pictures cannot be decoded, each query is encoded on its own, so
    that the others are answered.
    """
    inputs: list[Input] = []
    for query in queries:
        inputs += [input for input, _ in wanted_inputs(query)] + unwanted_inputs(query)
    size = max(1, len(inputs))
    known = CachingEncoder(encoder, max_items=size, max_lookup=size)
    with suppress(OcelotError):
        known.encode(inputs)
    return known


def _unknown_words(encoder: Encoder, query: Query) -> tuple[str, ...]:
    """Return the words of the texts that the encoder never saw."""
    texts = filter(None, [query.text, query.negative_text])
    return tuple(dict.fromkeys(word for text in texts for word in encoder.unknown_words(text)))


def _check_known(
    encoder: Encoder, query: Query, unknown: Sequence[str], hits: Sequence[Hit] = ()
) -> None:
    """Raise `UnknownWords` if a text alone has no known word, and shares none with a hit."""
    if not unknown or query.images or query.items:
        return
    text = query.text or ""
    titles = [hit.metadata.get(query.hybrid or "") for hit in hits]
    if set(words_of(text)) <= set(unknown) and not any(word_scores(text, titles)):
        raise UnknownWords(
            f"{does_not_know(encoder.name, unknown)}. The text has no other word: use other words, "
            "or a collection of an encoder that was trained on more, such as bge-visualized-base, "
            "or bge-visualized-m3 for many languages."
        )


def _check_numbers(limit: Any, min_score: Any, offset: Any = 0) -> None:
    for name, value, least in (("limit", limit, 1), ("offset", offset, 0)):
        if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
            raise InputError(f"The {name} must be a whole number from {least}, was: {value!r}.")
    is_number = isinstance(min_score, Real) and not isinstance(min_score, bool)
    if min_score is not None and not (is_number and -1 <= min_score <= 1):
        raise InputError(f"The minimum score must be a number from -1 to 1, was: {min_score!r}.")


def _query_of(
    query: Any, image: ImageSource | Sequence[ImageSource] | None, text: str | None
) -> Query:
    if query is None:
        return Query(image, text)
    if not isinstance(query, Query):
        raise InputError(
            f"The positional argument of search must be a Query, was: {type(query).__name__}; "
            "use image= or text=."
        )
    if image is not None or text is not None:
        raise InputError("Give either a Query, or image= and text=, not both.")
    return query
