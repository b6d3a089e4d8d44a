"""Making a collection, or checking the one that is there, until it can be searched."""

from __future__ import annotations

import json
import logging
from typing import Any

from pymilvus import DataType, MilvusClient, MilvusException

from ocelot.collection.connection import Database, cause, rpc_code
from ocelot.collection.indexes import AUTO_INDEX, INDEXES, index_type, listed
from ocelot.collection.rows import EncoderIdentity
from ocelot.errors import CollectionError, EncoderMismatch

__all__ = ["Setup", "built_index"]

log = logging.getLogger(__name__)

_SCHEMA_VERSION = "1"


def built_index(client: Any, name: str, timeout: float) -> dict[str, Any]:
    """What Milvus says of the vector index; {} where there is none."""
    if not client.list_indexes(name, timeout=timeout):
        return {}
    return dict(client.describe_index(name, "vector", timeout=timeout) or {})


class Setup:
    """The steps between a database and an open collection."""

    def __init__(self, database: Database, name: str, consistency: str) -> None:
        self.name = name
        self.uri = database.shown
        self.deployment = database.deployment
        self._database = database
        self._client = database.client
        self._timeout = database.timeout
        self._consistency = consistency

    def run(
        self,
        encoder: EncoderIdentity | None,
        index: str,
        params: dict[str, Any],
        *,
        create: bool,
    ) -> tuple[EncoderIdentity, str]:
        """Leave the collection loaded; gives whose vectors it holds and its type of index.

        Raises:
            EncoderMismatch: The collection was made with another encoder.
            CollectionError: There is nothing to open, or no such index.
        """
        index = index_type(index, self.deployment, self.uri)
        client, name, timeout = self._client, self.name, self._timeout
        made = False
        if not client.has_collection(name, timeout=timeout):
            if not create or encoder is None:
                raise self._database.nothing_here(name)
            self._make(encoder)
            made = True
        identity = self._stored_identity()
        if encoder is not None and not encoder.agrees_with(identity):
            raise EncoderMismatch(
                f"The collection {name!r} in {self.uri} was made with the encoder "
                f"{identity}, not with {encoder}: choose that encoder, or "
                "index into another collection or database."
            )
        if encoder is not None and encoder.runtime != identity.runtime != "":
            log.info(
                "The collection %r was begun with %s and is used with %s: scores differ slightly.",
                name, identity.runtime, encoder.runtime or "another runtime",
            )  # fmt: skip
        built = built_index(client, name, timeout)
        wanted = index or built.get("index_type") or AUTO_INDEX[self.deployment]
        if not built or (create and built.get("index_type") != wanted):
            try:
                self._build_index(wanted, params, replace=bool(built))
            except BaseException:
                if made:  # leave nothing half made
                    client.drop_collection(name, timeout=timeout)
                raise
        client.load_collection(name, timeout=max(timeout, 120.0))
        if self.deployment == "lite":
            client.flush(name, timeout=timeout)  # reads of unflushed rows are slow
        return identity, wanted if create or not built else str(built["index_type"])

    def _make(self, encoder: EncoderIdentity) -> None:
        identity = {
            "ocelot.schema": _SCHEMA_VERSION,
            "ocelot.encoder": encoder.name,
            "ocelot.fingerprint": encoder.fingerprint,
            "ocelot.dimension": str(encoder.dimension),
        }
        if encoder.runtime:
            identity["ocelot.runtime"] = encoder.runtime
        schema = MilvusClient.create_schema(
            auto_id=False, enable_dynamic_field=True, description=json.dumps(identity)
        )
        schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=128)
        schema.add_field("paths", DataType.JSON)
        for number in ("size", "width", "height"):
            schema.add_field(number, DataType.INT64)
        schema.add_field("vector", DataType.FLOAT_VECTOR, dim=encoder.dimension)
        try:
            self._client.create_collection(
                self.name,
                schema=schema,
                properties=identity,
                consistency_level=self._consistency,
                timeout=self._timeout,
            )
        except MilvusException:
            # Another process may have made it between the question and now.
            if not self._client.has_collection(self.name, timeout=self._timeout):
                raise

    def _stored_identity(self) -> EncoderIdentity:
        described = self._client.describe_collection(self.name, timeout=self._timeout)
        stored = dict(described.get("properties") or {})
        if "ocelot.schema" not in stored:
            try:  # a server may keep only the description
                stored = json.loads(described.get("description") or "{}")
            except ValueError:
                stored = {}
        version = stored.get("ocelot.schema")
        if version is None:
            raise CollectionError(
                f"The collection {self.name!r} in {self.uri} was not made by Ocelot; "
                "choose another collection name."
            )
        if version != _SCHEMA_VERSION:
            raise CollectionError(
                f"The collection {self.name!r} in {self.uri} has schema version {version}, and "
                f"this Ocelot reads version {_SCHEMA_VERSION}: install the Ocelot that made it, "
                "or index into another collection."
            )
        return EncoderIdentity(
            stored["ocelot.encoder"],
            stored["ocelot.fingerprint"],
            int(stored["ocelot.dimension"]),
            stored.get("ocelot.runtime", ""),  # older collections do not say
        )

    def _build_index(self, index: str, params: dict[str, Any], *, replace: bool) -> None:
        client, name, timeout = self._client, self.name, self._timeout
        if index.startswith("HNSW"):
            params = {"M": 16, "efConstruction": 200} | params
        elif index.startswith("IVF"):
            params = {"nlist": 128} | params
        if replace:
            client.release_collection(name, timeout=timeout)
            client.drop_index(name, "vector", timeout=timeout)
        wanted = MilvusClient.prepare_index_params()
        wanted.add_index("vector", index_type=index, metric_type="COSINE", params=params)
        try:
            client.create_index(name, wanted, timeout=max(timeout, 600.0))
        except MilvusException as error:
            if rpc_code(error) is not None:
                raise
            raise CollectionError(
                f"Milvus at {self.uri} cannot make the index {index} "
                f"({cause(error)}); it has {listed(INDEXES[self.deployment])}."
            ) from error
