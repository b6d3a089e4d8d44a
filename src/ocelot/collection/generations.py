"""Collections of the same pictures under several encoders, and which of them a name stands for.

`ocelot reindex` fills a collection beside the first one, named after the encoder::

    ocelot                      the first one
    ocelot_0123456789ab         12 hex digits for another encoder
    ocelot_current              a Milvus alias of the one that opening "ocelot" opens, once there
                                are several

An alias can be pointed elsewhere in one step. It is not the name itself: Milvus lets no alias have
the name of a collection, and a collection that is renamed is gone for those who search in it.
"""

from __future__ import annotations

import hashlib
import re

from ocelot.collection.connection import Database
from ocelot.collection.rows import EncoderIdentity
from ocelot.errors import ConfigurationError

__all__ = ["check_alias", "generation_name", "generations", "make_newest", "newest"]


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
