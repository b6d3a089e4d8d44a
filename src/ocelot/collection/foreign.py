"""Reading a collection that another program made, such as the notebook of Milvus's tutorial."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import numpy as np
from pymilvus import DataType, MilvusException

from ocelot.collection.connection import Access, Database, failure, in_order, quiet
from ocelot.collection.filters import literal
from ocelot.collection.indexes import MAX_RESULTS
from ocelot.errors import CollectionError, CollectionNotFound, InputError

if TYPE_CHECKING:
    from ocelot.types import Vector

__all__ = ["ForeignCollection", "ForeignRow"]

_CHUNK = 500  # rows read at once, with their vectors
_VECTORS = {kind for kind in DataType if kind.name.endswith("_VECTOR")}


@dataclass(frozen=True)
class ForeignRow:
    """One row of another program's collection."""

    path: str  # of the picture, as it is stored; "" if there is none
    vector: Vector  # shape (dimension,), as it is stored
    metadata: Mapping[str, Any]  # all other fields, without an automatic primary key


class ForeignCollection:
    """Another program's collection, to be read. Made by `open`; a context manager.

    Attributes:
        path_field: The field with the path of the picture.
        dimension: Of its vectors.
        count: Number of rows.
    """

    def __init__(self, database: Database, name: str, path_field: str) -> None:
        self.name = name
        self._database = database
        self.path_field = path_field
        client, timeout = database.client, database.timeout
        with self._mapped():
            if not client.has_collection(name, timeout=timeout):
                others = ", ".join(sorted(client.list_collections(timeout=timeout))) or "none"
                raise CollectionNotFound(
                    f"There is no collection {name!r} in {database.shown}; there are: {others}."
                )
            fields = client.describe_collection(name)["fields"]
            vectors = [field for field in fields if field["type"] is DataType.FLOAT_VECTOR]
            if len(vectors) != 1:
                raise CollectionError(
                    f"{self} has {len(vectors)} fields of float vectors, and only a collection "
                    "with one can be read."
                )
            self._vector = str(vectors[0]["name"])
            self.dimension = int(vectors[0]["params"]["dim"])
            (key,) = (field for field in fields if field.get("is_primary"))
            self._key = str(key["name"])
            self._left_out = {field["name"] for field in fields if field["type"] in _VECTORS}
            self._left_out |= {path_field} | ({self._key} if key.get("auto_id") else set())
            client.load_collection(name, timeout=max(timeout, 120.0))
            self.count = int(self._query("", ["count(*)"])[0]["count(*)"])

    @classmethod
    def open(
        cls,
        uri: str | os.PathLike[str],
        name: str,
        *,
        path_field: str = "image_path",
        token: str | None = None,
        access: Access | None = None,
        timeout: float = 30.0,
    ) -> ForeignCollection:
        """Open a collection to read it; arguments as of `Collection.open`.

        Args:
            path_field: The field with the path of the picture.

        Raises:
            InputError: There is no such database.
            CollectionNotFound: There is no such collection.
            CollectionError: It has no vectors to read.
        """
        uri = os.fspath(uri)
        if "://" not in uri and not os.path.exists(os.path.expanduser(uri)):
            raise InputError(f"There is no database {uri}; check the path.")
        database = Database.connect(uri, access or Access(token or ""), timeout, create=False)
        try:
            return cls(database, name, path_field)
        except BaseException:
            database.close()
            raise

    def __str__(self) -> str:
        return f"The collection {self.name!r} in {self._database.shown}"

    def __enter__(self) -> ForeignCollection:
        return self

    def __exit__(self, *error: object) -> None:
        self._database.close()

    def rows(self) -> Iterator[ForeignRow]:
        """All rows, in order of their primary keys."""

        def keys(bounds: str) -> list[dict[str, Any]]:
            return self._query(bounds, [self._key], MAX_RESULTS)

        for page in in_order(keys, self._key, MAX_RESULTS):
            for start in range(0, len(page), _CHUNK):
                chunk = [entity[self._key] for entity in page[start : start + _CHUNK]]
                found = self._query(f"{self._key} in {literal(chunk)}", ["*"])
                yield from map(self._row, sorted(found, key=lambda entity: entity[self._key]))

    def _row(self, entity: Mapping[str, Any]) -> ForeignRow:
        path = entity.get(self.path_field)
        return ForeignRow(
            path if isinstance(path, str) else "",
            np.asarray(entity[self._vector], dtype=np.float32),
            {key: value for key, value in entity.items() if key not in self._left_out},
        )

    def _query(self, expression: str, fields: list[str], limit: int | None = None) -> list[Any]:
        with self._mapped():
            return self._database.query(self.name, expression, fields, limit)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            with quiet:
                yield
        except (MilvusException, grpc.RpcError) as error:
            doing = f"read the collection {self.name!r}"
            raise failure(error, self._database.shown, doing) from error
