"""A Milvus collection of pictures: the only module that reads and writes rows.

The same code serves Milvus Lite (a local folder named `something.db`), a Milvus server or
cluster, and Zilliz Cloud. One row for each item:

    id          primary key: the caller's own id, or the SHA-256 of the file's bytes
    paths       JSON object: path of each file with this content -> modification time, nanoseconds
    size        size of the file in bytes
    width, height   size of the picture in pixels
    vector      unit vector of the encoder; compared by cosine
    sha256      SHA-256 of the file's bytes; only stored if the id is another one
    (others)    the item's own metadata, so that a filter reads `price < 30`
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import numpy as np
from pymilvus import MilvusException
from pymilvus.client.utils import SciPyHelper

from ocelot.collection.batcher import Batcher
from ocelot.collection.connection import (
    Access,
    Database,
    cause,
    failure,
    in_order,
    quiet,
    rpc_code,
)
from ocelot.collection.filters import SAMPLE, check_fields, checked_filter, renamed_fields, shown
from ocelot.collection.indexes import MAX_RESULTS, search_params
from ocelot.collection.rows import (
    CHUNK,
    WITH_METADATA,
    WITHOUT_METADATA,
    CollectionInfo,
    EncoderIdentity,
    Row,
    check_id,
    checked_ids,
    chunks,
    entity_of,
    hit_of,
    messages,
    row_of,
)
from ocelot.collection.schema import (
    built_index,
    check_alias,
    generation_name,
    generations,
    keep_search_params,
    load_collection,
    make_newest,
    newest,
    stored_identity,
)
from ocelot.errors import (
    CollectionError,
    ConfigurationError,
    FilterError,
    InputError,
    ItemNotFound,
)
from ocelot.telemetry import span

if TYPE_CHECKING:
    from ocelot.encoders.base import Matrix
    from ocelot.types import Hit, Vector

__all__ = ["Collection"]

log = logging.getLogger(__name__)

_PAGE = 4096  # ids that are read at once for a page
_BATCHED = 256  # the most results of a search that is batched with others
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_importing = threading.Lock()
_CONSISTENCY = ("Strong", "Session", "Bounded", "Eventually")


class _SearchKey(NamedTuple):
    """Searches with equal keys can be sent as one."""

    limit: int
    filter: str
    fields: tuple[str, ...]
    params: tuple[tuple[str, Any], ...]


class Collection:
    """One Milvus collection of pictures under one encoder. Made by `open`; a context manager.

    Safe to use from several threads.
    """

    identity: EncoderIdentity  # of the encoder whose vectors are stored
    search_params: Mapping[str, int]  # those that the collection keeps; {} for the defaults
    _open: Callable[..., Collection]  # opens another collection of the same database

    def __init__(
        self, database: Database, name: str, consistency: str, outage_timeout: float = 0.0
    ) -> None:
        self.name = self.opened_as = name
        self.uri = database.shown  # without credentials
        self.deployment = database.deployment  # "lite", "server" or "zilliz"
        self._database = database
        self._client = database.client
        self.outage_timeout = 0.0 if database.deployment == "lite" else outage_timeout
        self._timeout = database.timeout
        self._searching = {"consistency_level": consistency, "timeout": database.timeout}
        self._batched_search = Batcher(self._search_all)
        self._index = ""
        self._fields: set[str] = set()  # fields of metadata that some row is known to have

    def __repr__(self) -> str:
        return f"Collection({self.name!r}, uri={self.uri!r})"

    def __enter__(self) -> Collection:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @classmethod
    def open(
        cls,
        uri: str | os.PathLike[str],
        *,
        name: str = "ocelot",
        encoder: EncoderIdentity | None = None,
        token: str | None = None,
        access: Access | None = None,
        index: str = "auto",
        index_params: Mapping[str, Any] | None = None,
        consistency: str = "Strong",
        replicas: int | None = None,
        create: bool = True,
        timeout: float = 30.0,
        outage_timeout: float = 60.0,
    ) -> Collection:
        """Open a collection; create it if it is missing.

        Args:
            uri: A local path that ends with .db, `http://host:19530`, or the `https://…`
                endpoint of Zilliz Cloud.
            name: Letters, digits and underscores. If the collection was encoded again (`ocelot
                reindex`), the newest one of this name is opened, and stays the open one.
            encoder: The encoder whose vectors it holds; an existing collection must have the
                same. None accepts the encoder of an existing collection, and creates none.
            token: `user:password` or an API key, for a server that requires one.
            access: Instead of a token: user, database, certificates.
            index: "auto", or one of Milvus's types: FLAT (exact), HNSW, HNSW_SQ, IVF_FLAT,
                IVF_SQ8, IVF_RABITQ, SCANN, DISKANN, AUTOINDEX. With `create`, an existing index of
                another type is rebuilt.
            index_params: Build parameters of the index, e.g. {"M": 32}.
            consistency: Of searches: "Strong", "Session", "Bounded" or "Eventually". All other
                reads are strongly consistent.
            replicas: Copies in memory that a Milvus cluster answers from; by default as they are.
            create: Whether to create what is missing; False for readers.
            timeout: The most seconds that one call may take.
            outage_timeout: Seconds that indexing tries again for while a server is away.

        Raises:
            ConfigurationError: An argument cannot be used.
            CollectionNotFound, DatabaseUnavailable, EncoderMismatch, CollectionError: See there.
        """
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"The collection name {name!r} cannot be used: take 1 to 255 letters, digits and "
                "underscores, with no digit first."
            )
        if consistency not in _CONSISTENCY:
            raise ConfigurationError(
                f"The consistency {consistency!r} is unknown; take {', '.join(_CONSISTENCY)}."
            )

        def opened(encoder: EncoderIdentity | None, create: bool, exactly: str = "") -> Collection:
            given = access or Access(token or "")
            database = Database.connect(
                os.fspath(uri), given, timeout, create=create, must_exist=encoder is None
            )
            try:
                self = cls(database, name, consistency, outage_timeout)
                self._open = opened
                with self._mapped("open"):
                    self.name = exactly or newest(database, name)
                    self.identity, self._index, self.search_params = load_collection(
                        database,
                        self.name,
                        encoder,
                        index=index,
                        index_params=index_params or {},
                        consistency=consistency,
                        replicas=replicas,
                        create=create,
                    )
            except BaseException:
                database.close()
                raise
            return self

        return opened(encoder, create)

    def beside(self, encoder: EncoderIdentity) -> Collection:
        """Open the collection of the same name for another encoder; create it if it is missing.

        `make_newest` lets the name stand for it. Raises a `ConfigurationError` if another
        collection has the name that this needs.
        """
        with self._mapped("open what is beside"):
            check_alias(self._database, self.opened_as)
            name = generation_name(self.opened_as, encoder)
            if self._client.has_collection(self.opened_as, timeout=self._timeout):
                first = stored_identity(self._database, self.opened_as)
                if first.vectors == encoder.vectors:
                    name = self.opened_as
        return self._open(encoder, True, name)

    def make_newest(self) -> None:
        """Let the name that this was opened by stand for this collection from now on."""
        with self._mapped("name"), self._database.writing(self.name):
            make_newest(self._database, self.opened_as, self.name)

    def drop_older(self) -> tuple[str, ...]:
        """Remove the collections of the same name for other encoders; return their names."""
        first, database = self.opened_as, self._database
        with self._mapped("drop what is beside"), database.writing(self.name):
            dropped = []
            for name in generations(database, first):
                own = (first, generation_name(first, stored_identity(database, name)))
                if name != self.name and name in own:
                    self._client.drop_collection(name, timeout=self._timeout)
                    dropped.append(name)
        return tuple(dropped)

    def check(self, encoder: EncoderIdentity) -> None:
        """Raise an `EncoderMismatch` if vectors of this encoder differ from those stored."""
        shown, stored = f"{self.name!r} in {self.uri}", self.identity
        stored.check(encoder, shown)
        if encoder.runtime != stored.runtime != "":
            log.info(
                "The collection %s was made with %s and is used with %s: scores differ slightly.",
                shown, stored.runtime, encoder.runtime or "another runtime",
            )  # fmt: skip

    def upsert(self, rows: Iterable[Row], *, fresh: bool = False) -> None:
        """Add rows, or replace those with the same ids. They are durable once this returns.

        Args:
            fresh: Whether the caller knows that none of the ids is stored yet, which saves a
                read; if one is, a local database may keep fields of its old metadata.

        Raises:
            InputError: A row has no vector, or one of another shape.
            CollectionError: Milvus refused.
        """
        for some in messages(rows):
            matrix = self._checked([row.vector for row in some])
            entities = list(map(entity_of, some, matrix))
            with self._mapped("write to"), self._database.writing(self.name):
                if self.deployment == "lite" and not fresh:
                    self._blank_old_metadata(entities)
                self._client.upsert(self.name, entities, timeout=self._timeout)

    def _blank_old_metadata(self, entities: Sequence[dict[str, Any]]) -> None:
        # Lite merges an upsert into the old row, so a field that is gone must be set to null.
        by_id = {entity["id"]: entity for entity in entities}
        for old in self._by_ids(by_id, ["$meta"]):
            for key in old.keys() - by_id[old["id"]].keys():
                by_id[old["id"]][key] = None

    def search(
        self,
        vector: Vector | Sequence[float],
        *,
        limit: int = 9,
        filter: str | None = None,
        exclude: Iterable[str] = (),
        exclude_content: Iterable[str] = (),
        min_score: float | None = None,
        with_vectors: bool = False,
    ) -> tuple[Hit, ...]:
        """The rows nearest to `vector`, best first.

        Searches of several threads in a local database may be sent as one. Scores then differ in
        the seventh digit, and rows with equal vectors come in any order.

        Args:
            vector: Shape (dimension,); need not have length 1.
            limit: The most hits; at most 16,384 together with the exclusions.
            filter: A Milvus expression over metadata, e.g. `price < 30 and category == "Toys"`.
            exclude: Ids to leave out.
            exclude_content: Content hashes to leave out, whatever the ids of their items.
            min_score: The lowest cosine similarity of a hit.

        Raises:
            InputError: The vector or the limit cannot be used.
            FilterError: Milvus does not accept the filter, or it is longer than `MAX_FILTER`, or
                it selects nothing and names a field that no row has (unless after `exists`).
            CollectionError: Milvus failed.
        """
        (query,) = self._checked([vector])
        ids, contents = frozenset(exclude), frozenset(exclude_content)
        most = MAX_RESULTS - len(ids) - len(contents)
        if not 1 <= limit <= most:
            raise InputError(f"The limit must be 1 to {most:,}, was: {limit:,}.")
        expression = checked_filter(filter)
        fields = [*WITH_METADATA, *(["vector"] if with_vectors else [])]
        wanted = limit + len(ids) + len(contents)
        while True:
            found = self._find(query, wanted, expression, fields)
            kept = [
                hit
                for hit in sorted(found, key=lambda hit: (-hit["distance"], hit["id"]))
                if hit["id"] not in ids
                and (hit["entity"].get("sha256") or hit["id"]) not in contents
            ]
            if len(kept) >= limit or len(found) < wanted or wanted == MAX_RESULTS:
                break
            wanted = min(2 * wanted, MAX_RESULTS)  # several items have an excluded content
        if not found:
            self._check_fields(expression)
        return tuple(
            hit_of(hit["entity"], hit["distance"], rank)
            for rank, hit in enumerate(kept[:limit], 1)
            if min_score is None or hit["distance"] >= min_score
        )

    def _find(
        self, query: Vector, wanted: int, expression: str, fields: list[str]
    ) -> list[dict[str, Any]]:
        with _importing:
            # pymilvus runs a second copy of scipy.sparse, past Python's lock of imports, when it
            # first looks at a vector: of two first searches at once, one could fail.
            SciPyHelper.is_scipy_sparse(None)
        about = {
            "db.system.name": "milvus",
            "db.operation.name": "search",
            "db.collection.name": self.name,
        }
        with span(f"search {self.name}", about, kind="CLIENT"), self._mapped("search", expression):
            for thorough in (False, True):
                params = search_params(
                    self._index, self.deployment, wanted, thorough, self.search_params
                )
                key = _SearchKey(wanted, expression, tuple(fields), tuple(params.items()))
                # Lite looks at every row in Python, so several queries take little more than one.
                if self.deployment == "lite" and wanted <= _BATCHED:
                    found = self._batched_search(key, query)
                else:
                    (found,) = self._search_all(key, [query])
                # An approximate index may miss rows that match a filter: search again, wider.
                if len(found) >= wanted or not params:
                    break
            return list(found)

    def _search_all(self, key: _SearchKey, queries: Sequence[Vector]) -> list[list[dict[str, Any]]]:
        self._database.make_ready(self.name)  # again, as it may have waited
        found: list[list[dict[str, Any]]] = self._client.search(
            self.name,
            data=[query.tolist() for query in queries],
            anns_field="vector",
            limit=key.limit,
            filter=key.filter,
            output_fields=list(key.fields),
            search_params={"metric_type": "COSINE", "params": dict(key.params)},
            **self._searching,
        )
        return found

    def similar(
        self, id: str, *, limit: int = 9, filter: str | None = None, min_score: float | None = None
    ) -> tuple[Hit, ...]:
        """The rows nearest to a stored one, which is left out; `ItemNotFound` if there is none."""
        for row in self.get([id]):
            assert row.vector is not None
            options: dict[str, Any] = {"filter": filter, "min_score": min_score}
            return self.search(row.vector, limit=limit, exclude=[id], **options)
        raise ItemNotFound(f"There is no item with the id {id}.")

    def get(self, ids: str | Iterable[str]) -> tuple[Row, ...]:
        """The rows with these ids, with vectors, in this order; unknown ids are left out.

        Here and below, a text is one id.
        """
        wanted = checked_ids(ids)
        with self._mapped("read"):
            found = map(row_of, self._by_ids(wanted, [*WITH_METADATA, "vector"]))
            rows = {row.id: row for row in found}
        return tuple(rows[id] for id in wanted if id in rows)

    def known(self, ids: str | Iterable[str]) -> set[str]:
        """Which of these ids are stored."""
        with self._mapped("read"):
            return {str(entity["id"]) for entity in self._by_ids(ids, ["id"])}

    def with_content(self, hashes: Iterable[str]) -> tuple[Row, ...]:
        """The rows whose files have one of these SHA-256 hashes, without vectors and metadata."""
        with self._mapped("read"):
            return tuple(
                row_of(entity)
                for chunk in map(json.dumps, chunks(hashes))
                for entity in self._query(f"id in {chunk} or sha256 in {chunk}", WITHOUT_METADATA)
            )

    def _by_ids(self, ids: str | Iterable[str], fields: list[str]) -> Iterator[dict[str, Any]]:
        for chunk in chunks(ids):
            yield from self._query(f"id in {json.dumps(chunk)}", fields)

    def _query(self, expression: str, fields: list[str], limit: int | None = None) -> list[Any]:
        return self._database.query(self.name, expression, fields, limit)

    def _in_order(
        self, fields: list[str], window: int, filter: str, edges: Sequence[str | None], split: int
    ) -> Iterator[dict[str, Any]]:
        """Entities that a filter selects, in order of their ids; see `in_order`."""

        def query(bounds: str) -> list[dict[str, Any]]:
            expression = " and ".join(part for part in (bounds, filter and f"({filter})") if part)
            with self._mapped("read", filter):
                return self._query(expression, fields, window)

        return chain.from_iterable(in_order(query, "id", window, edges, split))

    def delete(self, ids: str | Iterable[str]) -> tuple[Row, ...]:
        """Remove rows; return those that there were, without vectors and metadata."""
        with self._mapped("delete from"), self._database.writing(self.name):
            rows = tuple(map(row_of, self._by_ids(ids, WITHOUT_METADATA)))
            for chunk in chunks(row.id for row in rows):
                self._client.delete(self.name, ids=chunk, timeout=self._timeout)
            return rows

    def count(self, filter: str | None = None) -> int:
        """How many rows are stored, or how many of them a filter selects; errors as in `search`."""
        expression = checked_filter(filter)
        with self._mapped("count", expression):
            # A server's statistics miss rows in unsealed segments; a query does not.
            count = int(self._query(expression, ["count(*)"])[0]["count(*)"])
        if not count:
            self._check_fields(expression)
        return count

    def iterate(self, *, metadata: bool = True, filter: str | None = None) -> Iterator[Row]:
        """Every row without its vector, in order of ids; errors as in `search`.

        Rows written or removed meanwhile may or may not be seen; all others are seen once.

        Args:
            metadata: Whether rows carry their metadata; False is quicker.
        """
        fields = WITH_METADATA if metadata else WITHOUT_METADATA
        # Content hashes are evenly spread, so hex ranges of equal width are pages of about equal
        # size. Large pages: each query costs Lite a pass over all rows, and a server a wait for
        # strong consistency.
        window = MAX_RESULTS if metadata or self.deployment != "lite" else 140_000
        expression = checked_filter(filter)
        depth, left = 0, self.count(expression)
        while left > window * 3 // 4:
            depth, left = depth + 1, left // 16
        edges = [None, *(f"{number:0{depth}x}" for number in range(1, 16**depth)), None]
        yield from map(row_of, self._in_order(fields, window, expression, edges, window // 2))

    def iterate_whole(self, *, filter: str | None = None) -> Iterator[Row]:
        """Every row with its vector; otherwise as `iterate`. 1,000 of them are read at once."""
        rows = self.iterate(metadata=False, filter=filter)
        while ids := [row.id for row in islice(rows, CHUNK)]:
            yield from self.get(ids)

    def page(
        self, *, after: str = "", limit: int = 100, filter: str | None = None
    ) -> tuple[tuple[Row, ...], bool]:
        """Rows after an id in the order of ids, without vectors, and whether there are more.

        Args:
            after: An id, which need not be stored; "" starts with the first.
            limit: The most rows to return, 1 to 1,000.

        Raises:
            InputError: The id or the limit cannot be used.
            FilterError: As in `search`.
        """
        if not 1 <= limit <= CHUNK:
            raise InputError(f"The limit must be 1 to {CHUNK:,}, was: {limit:,}.")
        if after:
            check_id(after)
        expression = checked_filter(filter)
        edges = (after or None, None)
        following = self._in_order(["id"], max(4 * limit, _PAGE), expression, edges, split=limit)
        ids = [str(entity["id"]) for entity in islice(following, limit + 1)]
        with self._mapped("read", expression):
            rows = {row.id: row for row in map(row_of, self._by_ids(ids[:limit], WITH_METADATA))}
        if not ids and not after:
            self._check_fields(expression)
        return tuple(rows[id] for id in ids[:limit] if id in rows), len(ids) > limit

    def sample(self, limit: int = SAMPLE) -> tuple[Row, ...]:
        """Some rows without their vectors, at most `limit`; shows which metadata there is."""
        limit = min(limit, MAX_RESULTS)
        with self._mapped("read"):
            page = self._query("", WITH_METADATA, limit)
            if len(page) == limit:
                # The first rows may all come from one folder. Content hashes are evenly spread,
                # so those of one range come from everywhere; there are none where ids are others.
                digits = f"{2**32 * limit // max(self.count(), limit):08x}"
                spread = self._query(f'id < "{digits}"', WITH_METADATA, limit)
                by_id = {entity["id"]: entity for entity in [*spread, *page]}
                page = list(by_id.values())[:limit]
        return tuple(row_of(entity) for entity in page)

    def _check_fields(self, filter: str) -> None:
        """Say if a filter, which selects nothing, names a field that no row has."""
        check_fields(filter, self._exists, self.sample)

    def _exists(self, path: str) -> bool:
        try:
            with quiet:
                if path not in self._fields and self._query(f"exists {path}", ["id"], 1):
                    self._fields.add(path)
        except MilvusException:
            return True
        return path in self._fields

    def flush(self) -> None:
        """Seal what was written, for quicker reads after many writes."""
        with self._mapped("flush"), self._database.writing(self.name):
            self._client.flush(self.name, timeout=max(self._timeout, 120.0))

    def keep_search_params(self, params: Mapping[str, int]) -> None:
        """Search with these parameters from now on, also after the collection is opened again.

        They belong to the type of the index. A `CollectionError` if Milvus does not keep them.
        """
        with self._mapped("change"), self._database.writing(self.name):
            keep_search_params(self._database, self.name, self._index, params)
        self.search_params = dict(params)

    def describe(self) -> CollectionInfo:
        """Describe the collection and its storage."""
        with self._mapped("describe"):
            built = built_index(self._database, self.name)
            version = str(self._client.get_server_version(timeout=self._timeout))
        index, metric = (str(built.get(key, "")) for key in ("index_type", "metric_type"))
        count, place = self.count(), (self.uri, self.name, self.deployment)
        return CollectionInfo(*place, version, index, metric, count, self.identity)

    def unindexed(self) -> int:
        """The number of rows that a server has not indexed yet; they are searched exactly."""
        with self._mapped("describe"):
            built = built_index(self._database, self.name)
        return max(self.count() - int(built.get("indexed_rows", 0)), 0)

    def others(self) -> tuple[str, ...]:
        """Names of the other collections in the database, as far as the token may know them."""
        with self._mapped("list what is beside"):
            names = self._client.list_collections(timeout=self._timeout)
        return tuple(sorted({*names} - {self.name}))

    def drop_other(self, name: str) -> None:
        """Remove another collection of this database, if there is one with this name."""
        with self._mapped("drop"), self._database.writing(name):
            self._client.drop_collection(name, timeout=self._timeout)

    def drop(self) -> None:
        """Remove the collection with all its rows, and close."""
        self.drop_other(self.name)
        self.close()

    def close(self) -> None:
        """Close the database; a local one can then be opened by other processes."""
        self._database.close()

    def _checked(self, vectors: Sequence[Vector | Sequence[float] | None]) -> Matrix:
        """Vectors as a matrix, shape (n, dimension)."""
        expected = (self.identity.dimension,)
        try:
            matrix = np.array(vectors, dtype=np.float32)
        except (TypeError, ValueError):  # of several lengths, or no numbers
            matrix = np.empty(0, np.float32)
        if matrix.shape != (len(vectors), *expected):
            shapes = [() if vector is None else np.shape(vector) for vector in vectors]
            wrong = next((shape for shape in shapes if shape != expected), "not numbers")
            raise InputError(
                f"A vector of the collection {self.name!r} must have shape {expected}, "
                f"was: {wrong}."
            )
        if not np.isfinite(matrix).all() or not matrix.any(axis=1).all():
            raise InputError("A vector must be finite and not all zeros.")
        return matrix

    @contextmanager
    def _mapped(self, doing: str, filter: str = "") -> Iterator[None]:
        """Map errors of Milvus to sentences; a `FilterError` if the filter is the cause."""
        try:
            with quiet:
                self._database.make_ready(self.name)
                yield
        except (MilvusException, grpc.RpcError, OSError, ValueError) as error:
            if self._database.closed:
                raise CollectionError(
                    f"The collection {self.name!r} is closed; open it again."
                ) from None
            if filter and isinstance(error, MilvusException) and rpc_code(error) is None:
                with self._mapped(doing):
                    self._query("", ["id"], 1)  # fails too if the filter is not the cause
                raise FilterError(
                    f"The filter {shown(filter)} cannot be used: {cause(error)}"
                    f"{renamed_fields(filter, self._exists)}."
                ) from error
            if isinstance(error, ValueError):
                raise
            raise failure(error, self.uri, f"{doing} the collection {self.name!r}") from error
