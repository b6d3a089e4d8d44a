"""The rows of a collection: checked on their way into Milvus, rebuilt on their way out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson  # with which pymilvus sends JSON

from ocelot.errors import EncoderMismatch, InputError, MetadataError
from ocelot.types import Hit, Item

if TYPE_CHECKING:
    from ocelot.encoders.base import Encoder
    from ocelot.types import Vector

__all__ = [
    "CHUNK", "OWN_FIELDS", "SCHEMA_VERSION", "CollectionInfo", "EncoderIdentity", "Row",
    "changed_metadata", "check_id", "checked_ids", "chunks", "clean_metadata", "entity_of",
    "hit_of", "is_missing", "messages", "row_bytes", "row_of",
]  # fmt: skip

SCHEMA_VERSION = "1"
_SCALARS = ["id", "paths", "size", "width", "height"]
WITHOUT_METADATA = [*_SCALARS, "sha256"]  # output fields
WITH_METADATA = [*_SCALARS, "$meta"]  # a server omits the rest of $meta if one of its keys is named
CHUNK = 1_000  # ids in one expression
_MESSAGE = 16 * 2**20  # bytes of rows in one message
_MAX_JSON_BYTES = 65_000  # a server refuses JSON fields of more than 65,536 bytes
OWN_FIELDS = frozenset({*WITHOUT_METADATA, "vector"})
_RESERVED = OWN_FIELDS | {"$meta"}
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,127}")
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class EncoderIdentity:
    """The encoder that made a collection's vectors.

    Attributes:
        runtime: How it computed when the collection was made, such as "torch bf16"; "" if
            unknown. Vectors of another runtime can be compared with these.
    """

    name: str
    fingerprint: str  # "" if it is not known yet
    dimension: int
    runtime: str = ""

    @classmethod
    def of(cls, encoder: Encoder | EncoderIdentity) -> EncoderIdentity:
        """The identity of an encoder."""
        return cls(encoder.name, encoder.fingerprint, encoder.dimension, encoder.runtime)

    @property
    def properties(self) -> dict[str, str]:
        """The identity as properties of a collection, and of the Parquet file of an export."""
        properties = {
            "ocelot.schema": SCHEMA_VERSION,
            "ocelot.encoder": self.name,
            "ocelot.fingerprint": self.fingerprint,
            "ocelot.dimension": str(self.dimension),
        }
        return properties | ({"ocelot.runtime": self.runtime} if self.runtime else {})

    @classmethod
    def of_properties(cls, stored: Mapping[str, str]) -> EncoderIdentity:
        """The identity that such properties name. Raises `KeyError` or `ValueError`."""
        return cls(
            stored["ocelot.encoder"],
            stored["ocelot.fingerprint"],
            int(stored["ocelot.dimension"]),
            stored.get("ocelot.runtime", ""),
        )

    def __str__(self) -> str:
        known = f"{self.fingerprint[:12]}, " if self.fingerprint else ""
        return f"{self.name} ({known}{self.dimension} dimensions)"

    @property
    def vectors(self) -> tuple[str, int]:
        """What two encoders have in common whose vectors can be compared."""
        return self.fingerprint, self.dimension

    def check(self, other: EncoderIdentity, collection: str) -> None:
        """Raise an `EncoderMismatch` if vectors of both differ; names and runtimes may differ."""
        if self.vectors != other.vectors:
            raise EncoderMismatch(
                f"The collection {collection} was made with the encoder {self}, not with {other}: "
                "choose that encoder, or index into another collection or database."
            )


@dataclass(frozen=True)
class CollectionInfo:
    """A description of a collection."""

    uri: str  # without credentials
    name: str
    deployment: str  # "lite", "server" or "zilliz"
    version: str  # of Milvus
    index: str  # type of the vector index, e.g. "FLAT"
    metric: str  # "COSINE"
    count: int  # rows
    encoder: EncoderIdentity  # that made the vectors


@dataclass(frozen=True)
class Row:
    """One stored picture.

    Attributes:
        id: The caller's own id, or the hash of the content.
        paths: Absolute path -> modification time in nanoseconds, of each file with this content.
        size: Size of the file in bytes.
        width, height: Size of the picture in pixels.
        metadata: The item's own fields, cleaned by `clean_metadata`.
        vector: Shape (dimension,); None if it was not requested.
        sha256: SHA-256 of the file's bytes, 64 hex digits; by default the id.

    Raises:
        InputError: The id cannot be used, or there is no path, or there are too many.
        MetadataError: The metadata cannot be stored.
    """

    id: str
    paths: Mapping[str, int]
    size: int
    width: int = 0
    height: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    vector: Vector | None = field(default=None, repr=False, compare=False)
    sha256: str = ""

    def __post_init__(self) -> None:
        sha256 = self.sha256 or self.id
        check_id(self.id, sha256)
        if not self.paths:
            raise InputError(f"The row {self.id} has no path.")
        paths = dict(sorted(self.paths.items()))
        try:
            size = len(orjson.dumps(paths))
        except TypeError as error:  # half a surrogate pair, or a number of more than 64 bits
            raise InputError(f"The paths of the row {self.id} cannot be stored: {error}.") from None
        if size > _MAX_JSON_BYTES:
            raise InputError(
                f"{len(paths)} copies of one picture are more than a row can list; "
                f"remove copies such as {min(paths)}."
            )
        vars(self).update(sha256=sha256, paths=paths, metadata=clean_metadata(self.metadata))

    @property
    def item(self) -> Item:
        """The row as an item."""
        return Item(self.id, tuple(self.paths), self.width, self.height, self.metadata, self.sha256)


def clean_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata in a form that Milvus can store and filter.

    None, NaN, infinity and pandas' NA and NaT are left out; NumPy scalars become plain ones;
    dates become ISO text; integers beyond 64 bits become text. An underscore is appended to a
    name that the schema uses (`id`, `paths`, `size`, `width`, `height`, `vector`, `sha256`).

    >>> clean_metadata({"price": 9.5, "size": "XL", "note": None})
    {'price': 9.5, 'size_': 'XL'}

    Raises:
        MetadataError: A value has a type that JSON lacks, two names are the same text, or the
            metadata is too large.
    """
    if not isinstance(metadata, Mapping):
        raise MetadataError(
            f"The metadata must be a mapping from names to values, was: {type(metadata).__name__}."
        )
    cleaned: dict[str, Any] = {}
    for key, value in metadata.items():
        name = _text(str(key))
        try:
            plain = _plain(value, name)
        except RecursionError:
            raise MetadataError(f"The metadata field {name!r} is nested too deeply.") from None
        if plain is None:
            continue
        while name in _RESERVED or (name != key and name != str(key) and name in metadata):
            name += "_"
        if name in cleaned:
            raise _same_name(name)
        cleaned[name] = plain
    try:
        size = len(orjson.dumps(cleaned))
    except TypeError as error:
        raise MetadataError(f"The metadata cannot be stored: {error}.") from None
    if size > _MAX_JSON_BYTES:
        longest = max(cleaned, key=lambda name: len(str(cleaned[name])))
        raise MetadataError(
            f"The metadata is {size:,} bytes, more than the {_MAX_JSON_BYTES:,} that a row holds; "
            f"shorten its longest field, {longest!r}."
        )
    return cleaned


def changed_metadata(metadata: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with some fields changed, as JSON Merge Patch (RFC 7396) does: None removes a field.

    >>> changed_metadata({"price": 9.5, "old": True, "size_": "S"}, {"old": None, "size": "XL"})
    {'price': 9.5, 'size_': 'XL'}

    Raises:
        MetadataError: See `clean_metadata`.
    """
    removed = clean_metadata({key: True for key, value in changes.items() if is_missing(value)})
    kept = {key: value for key, value in metadata.items() if key not in removed}
    return clean_metadata(kept | clean_metadata(changes))


def row_bytes(row: Row) -> int:
    """Return about how many bytes a row takes in a message."""
    vector = 0 if row.vector is None else 4 * len(row.vector)
    return 150 + vector + len(orjson.dumps(row.paths)) + len(orjson.dumps(row.metadata))


def messages(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Group rows into messages of some 16 MB; a server refuses messages of 64 MB."""
    some: list[Row] = []
    size = 0
    for row in rows:
        some.append(row)
        size += row_bytes(row)
        if size >= _MESSAGE:
            yield some
            some, size = [], 0
    if some:
        yield some


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if is_missing(value):
        return None
    if isinstance(value, Mapping):
        parts: dict[str, Any] = {}
        for key, part in value.items():
            text = _text(str(key))
            if text in parts:
                raise _same_name(text)
            parts[text] = _plain(part, name)
        return parts
    if isinstance(value, np.ndarray) and not value.ndim:
        return _plain(value.item(), name)
    if isinstance(value, (list, tuple, set, frozenset, np.ndarray)):
        return [_plain(part, name) for part in value]
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if type(value).__name__ == "Decimal":
        return _plain(float(value), name)
    raise MetadataError(
        f"The metadata field {name!r} holds a {type(value).__name__}, which cannot be stored; "
        "use text, numbers, true or false, or lists of them."
    )


def _same_name(name: str) -> MetadataError:
    return MetadataError(f"The metadata has two fields with the name {name!r}; rename one.")


def is_missing(value: Any) -> bool:
    """Return True for None, NaN, and pandas' NA and NaT; pandas need not be installed."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return type(value).__name__ in ("NAType", "NaTType")


def _text(value: str) -> str:
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode()  # lone surrogates cannot be sent


def check_id(value: str, sha256: str | None = None) -> None:
    """Raise an `InputError` if an id cannot be used, or not for the content with this hash."""
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise InputError(
            f"The id {str(value)[:80]!r} cannot be used: take a text of 1 to 128 letters, digits "
            "and the signs ._:@+=-, with a letter or digit first."
        )
    if sha256 not in (None, value) and _HASH.fullmatch(value):
        raise InputError(
            f"The id {value} cannot be used: 64 hex digits are the hash of a picture, and this "
            "is another picture; choose another id."
        )


def entity_of(row: Row, vector: Vector) -> dict[str, Any]:
    """What Milvus stores for a row."""
    entity = {
        **row.metadata,
        "id": row.id,
        "paths": row.paths,
        "size": row.size,
        "width": row.width,
        "height": row.height,
        "vector": vector,
    }
    if row.sha256 != row.id:
        entity["sha256"] = row.sha256
    return entity


def row_of(entity: Mapping[str, Any]) -> Row:
    """The row that Milvus returned as an entity; it was checked when it was written."""
    vector = entity.get("vector")
    row = object.__new__(Row)
    vars(row).update(
        {name: entity[name] for name in _SCALARS},
        paths=dict(sorted(entity["paths"].items())),
        metadata={
            key: value
            for key, value in entity.items()
            if key not in _RESERVED and value is not None
        },
        vector=None if vector is None else np.asarray(vector, dtype=np.float32),
        sha256=entity.get("sha256") or entity["id"],
    )
    return row


def hit_of(entity: Mapping[str, Any], score: float, rank: int) -> Hit:
    """The hit for an entity that a search returned."""
    row = row_of(entity)
    return Hit(**vars(row.item), score=score, rank=rank, vector=row.vector)


def checked_ids(ids: str | Iterable[str]) -> list[str]:
    """The ids without repeats, in their order; `InputError` if one cannot be used.

    A text is one id.
    """
    if not isinstance(ids, Iterable) or isinstance(ids, bytes):
        raise InputError(f"The ids must be a text or a list of texts, was: {type(ids).__name__}.")
    if isinstance(ids, str):
        ids = [ids]
    unique: dict[str, None] = {}
    for value in ids:
        check_id(value)  # first: a value of another type may not be hashable
        unique[value] = None
    return list(unique)


def chunks(ids: str | Iterable[str]) -> Iterator[list[str]]:
    """Check ids, drop repeats, and group them by how many one expression may hold."""
    unique = checked_ids(ids)
    for start in range(0, len(unique), CHUNK):
        yield unique[start : start + CHUNK]
