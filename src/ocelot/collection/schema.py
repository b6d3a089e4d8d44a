"""Creating a collection, or checking an existing one, until it can be searched.

A name may stand for several collections of the same pictures under several encoders: `ocelot
reindex` fills one beside the first one, named after the encoder::

    ocelot                      the first one
    ocelot_0123456789ab         12 hex digits for another encoder
    ocelot_current              a Milvus alias of the one that opening "ocelot" opens, once there
                                are several

An alias can be pointed elsewhere in one step. It is not the name itself: Milvus lets no alias have
the name of a collection, and a collection that is renamed is gone for those who search in it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from pymilvus import DataType, MilvusClient, MilvusException

from ocelot.collection.connection import Database, cause, nothing_stored, rpc_code
from ocelot.collection.indexes import build_params, names
from ocelot.collection.rows import SCHEMA_VERSION, EncoderIdentity
from ocelot.errors import CollectionError, CollectionNotFound, ConfigurationError

__all__ = [
    "built_index", "check_alias", "generation_name", "generations", "keep_search_params",
    "load_collection", "make_newest", "newest", "stored_identity",
]  # fmt: skip

_TUNED = "ocelot.search"  # property with the search parameters that were chosen for an index
# Lite's graph search loses hits under a filter, and its exact search is fast enough for the
# sizes one process holds.
_AUTO_INDEX = {"lite": "FLAT", "server": "AUTOINDEX", "zilliz": "AUTOINDEX"}
_BUILT_WITH = ("M", "efConstruction", "nlist")  # what a server tells of how an index was built


def load_collection(
    database: Database,
    name: str,
    encoder: EncoderIdentity | None,
    *,
    index: str,
    index_params: Mapping[str, Any],
    consistency: str,
    replicas: int | None = None,
    create: bool,
) -> tuple[EncoderIdentity, str, dict[str, int]]:
    """Create the collection if it is missing, check it, build its index, and load it.

    Returns:
        The encoder whose vectors it holds, the type of its index, and the search parameters that
        it keeps for this type.
    """
    index = _index_type(index.upper(), database.deployment, database.shown)
    client, timeout = database.client, database.timeout
    is_new = not client.has_collection(name, timeout=timeout)
    if is_new:
        if not create or encoder is None:
            others = sorted(client.list_collections(timeout=timeout))
            if others:
                raise CollectionNotFound(
                    f"There is no collection {name!r} in {database.shown}, which has "
                    f"{', '.join(others)}: choose one of these, or run `ocelot index` first."
                )
            raise nothing_stored(database.shown, name)
        _create(database, name, encoder, consistency)
    stored = _properties(database, name)
    identity = _identity(database, name, stored)
    if encoder is not None:
        identity.check(encoder, f"{name!r} in {database.shown}")
    built = built_index(database, name)
    wanted = index or built.get("index_type") or _AUTO_INDEX[database.deployment]
    if not built or (create and built["index_type"] != wanted):
        try:
            _build_index(database, name, wanted, dict(index_params), replace=bool(built))
        except BaseException as error:
            if is_new:  # leave nothing half made
                client.drop_collection(name, timeout=timeout)
            elif built and isinstance(error, ConfigurationError):  # go on with the old one
                kept = {key: built[key] for key in _BUILT_WITH if key in built}
                _build_index(database, name, built["index_type"], kept, replace=False)
                client.load_collection(name, timeout=max(timeout, 120.0))
            raise
    _load(database, name, replicas)
    if database.deployment == "lite":
        client.flush(name, timeout=timeout)  # reads of unflushed rows are slow
    index = wanted if create or not built else str(built["index_type"])
    tuned = json.loads(stored.get(_TUNED) or "{}")
    return identity, index, tuned["params"] if tuned.get("index") == index else {}


def _load(database: Database, name: str, replicas: int | None) -> None:
    """Load a collection; with None, as many replicas as there are, or one."""
    timeout = database.timeout
    try:
        if database.deployment == "lite" and replicas not in (None, 1):
            raise ConfigurationError(
                f"The local database {database.shown} has no replicas: leave replicas out."
            )
        database.client.load_collection(name, replica_number=replicas, timeout=max(timeout, 120.0))
    except MilvusException as error:
        if replicas is None or rpc_code(error) is not None:
            raise
        raise ConfigurationError(
            f"Milvus at {database.shown} cannot hold {replicas} replicas of {name!r} "
            f"({cause(error)}): each needs query nodes of its own, and a collection that is "
            "loaded with another number must be released first."
        ) from error


def built_index(database: Database, name: str) -> dict[str, Any]:
    """Milvus's description of the vector index; {} if there is none."""
    client, timeout = database.client, database.timeout
    if not client.list_indexes(name, timeout=timeout):
        return {}
    return dict(client.describe_index(name, "vector", timeout=timeout) or {})


def _create(database: Database, name: str, encoder: EncoderIdentity, consistency: str) -> None:
    schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=True)
    schema.add_field("id", DataType.VARCHAR, is_primary=True, max_length=128)
    schema.add_field("paths", DataType.JSON)
    for number in ("size", "width", "height"):
        schema.add_field(number, DataType.INT64)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=encoder.dimension)
    try:
        with database.writing(name):
            database.client.create_collection(
                name,
                schema=schema,
                properties=encoder.properties,
                consistency_level=consistency,
                timeout=database.timeout,
            )
    except MilvusException:
        # Another process may have made it since we looked.
        if not database.client.has_collection(name, timeout=database.timeout):
            raise


def stored_identity(database: Database, name: str) -> EncoderIdentity:
    """The encoder that a collection of Ocelot was made with."""
    return _identity(database, name, _properties(database, name))


def keep_search_params(
    database: Database, name: str, index: str, params: Mapping[str, int]
) -> None:
    """Keep search parameters of an index in the collection, for all who open it later."""
    value = json.dumps({"index": index, "params": dict(params)})
    database.client.alter_collection_properties(name, {_TUNED: value}, timeout=database.timeout)
    if _properties(database, name).get(_TUNED) != value:
        raise CollectionError(
            f"Milvus at {database.shown} does not keep properties of collections, so it cannot "
            "keep search parameters: use a newer version."
        )


def _properties(database: Database, name: str) -> dict[str, Any]:
    described = database.client.describe_collection(name, timeout=database.timeout)
    return dict(described.get("properties") or {})


def _identity(database: Database, name: str, stored: Mapping[str, Any]) -> EncoderIdentity:
    version = stored.get("ocelot.schema")
    if version is None:
        raise ConfigurationError(
            f"The collection {name!r} in {database.shown} was not made by Ocelot: "
            "choose another name, or take its pictures over with `ocelot adopt`."
        )
    if version != SCHEMA_VERSION:
        raise CollectionError(
            f"The collection {name!r} in {database.shown} has schema version {version}, and "
            f"this Ocelot reads version {SCHEMA_VERSION}: install the Ocelot that made it, "
            "or index into another collection."
        )
    return EncoderIdentity.of_properties(stored)


def _build_index(
    database: Database, name: str, index: str, params: dict[str, Any], *, replace: bool
) -> None:
    client, timeout = database.client, database.timeout
    params = build_params(index, database.deployment) | params
    if replace:
        client.release_collection(name, timeout=timeout)
        client.drop_index(name, "vector", timeout=timeout)
    wanted = MilvusClient.prepare_index_params()
    wanted.add_index("vector", index_type=index, metric_type="COSINE", params=params)
    try:
        # Lite only notes the index here, and pymilvus sleeps before it asks whether it is ready.
        wait = database.deployment != "lite"
        client.create_index(name, wanted, timeout=max(timeout, 600.0), sync=wait)
    except MilvusException as error:
        if rpc_code(error) is not None:
            raise
        others = ", ".join(name for name in names(database.deployment) if name != index)
        raise ConfigurationError(
            f"Milvus at {database.shown} cannot make the index {index} ({cause(error)}); take "
            f"another one: {others}."
        ) from error


def _index_type(index: str, deployment: str, shown: str) -> str:
    """Check a type of index; "" stands for the default one."""
    if index in ("", "AUTO"):
        return ""
    index = "IVF_FLAT" if index == "IVF" else index
    # Lite accepts any name and fails later, in the background; a server refuses at once.
    if deployment == "lite" and index not in names("lite"):
        raise ConfigurationError(
            f"The local database {shown} has no index {index!r}; it has {', '.join(names('lite'))}."
        )
    return index


def generation_name(name: str, encoder: EncoderIdentity) -> str:
    """The name of the collection for an encoder beside the collection `name`."""
    vectors = "{} {}".format(*encoder.vectors)
    return f"{name}_{hashlib.sha256(vectors.encode()).hexdigest()[:12]}"


def _alias(name: str) -> str:
    return f"{name}_current"


def check_alias(database: Database, name: str) -> None:
    """Raise a `ConfigurationError` if a collection has the name of the alias for `name`."""
    alias = _alias(name)
    if alias in database.client.list_collections(timeout=database.timeout):
        raise ConfigurationError(
            f"{name!r} cannot have several encoders: the collection {alias!r} in {database.shown} "
            f"has the name that would say which is used. Copy one of both to another name: "
            f"`ocelot copy {database.shown} {database.shown} --collection {name} "
            "--to-collection NAME`."
        )


def generations(database: Database, name: str) -> tuple[str, ...]:
    """The collections that there are for a name."""
    found = database.client.list_collections(timeout=database.timeout)
    pattern = re.compile(rf"{re.escape(name)}(_[0-9a-f]{{12}})?")
    return tuple(sorted(filter(pattern.fullmatch, found)))


def newest(database: Database, name: str) -> str:
    """The collection that a name stands for; itself if there is only one, or none."""
    client, alias = database.client, _alias(name)
    if not client.has_collection(alias, timeout=database.timeout):
        return name
    target = str(client.describe_collection(alias, timeout=database.timeout)["collection_name"])
    return name if target == alias else target  # a collection may have the name of the alias


def make_newest(database: Database, name: str, target: str) -> None:
    """Let a name stand for the collection `target` from now on."""
    client, alias = database.client, _alias(name)
    is_there = client.has_collection(alias, timeout=database.timeout)
    change = client.alter_alias if is_there else client.create_alias
    change(target, alias, timeout=database.timeout)
