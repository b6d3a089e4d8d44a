"""The rows of a collection: checked on their way into Milvus, rebuilt on their way out."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.errors import InputError, MetadataError
from ocelot.types import Hit, Item

if TYPE_CHECKING:
    from ocelot.encoders.base import Encoder
    from ocelot.types import Vector

__all__ = [
    "CollectionInfo",
    "EncoderIdentity",
    "Row",
    "check_id",
    "chunks",
    "clean_metadata",
    "hit_of",
    "is_missing",
    "messages",
    "row_bytes",
    "row_of",
]

_SCALARS = ["id", "paths", "size", "width", "height"]
WITHOUT_METADATA = [*_SCALARS, "sha256"]  # output fields
WITH_METADATA = [*_SCALARS, "$meta"]  # a server omits the rest of $meta if one of its keys is named
_CHUNK = 1_000  # ids in one expression
_MESSAGE = 16 * 2**20  # bytes of rows in one message
_MAX_JSON_BYTES = 65_000  # a server refuses JSON fields of more than 65,536 bytes
_RESERVED = frozenset({*WITHOUT_METADATA, "vector", "$meta"})
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+=-]{0,127}")
_HASH = re.compile(r"[0-9a-f]{64}")
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class EncoderIdentity:
    """The encoder that made a collection's vectors.

    Attributes:
        runtime: How it computed when the collection was made, such as "torch bf16"; "" if
            unknown. Vectors of another runtime can be compared with these.
    """

    name: str
    fingerprint: str
    dimension: int
    runtime: str = ""

    @classmethod
    def of(cls, encoder: Encoder) -> EncoderIdentity:
        """The identity of an encoder."""
        return cls(encoder.name, encoder.fingerprint, encoder.dimension, encoder.runtime)

    def __str__(self) -> str:
        return f"{self.name} ({self.fingerprint[:12]}, {self.dimension} dimensions)"

    def is_comparable(self, other: EncoderIdentity) -> bool:
        """Return True if vectors of both can be compared, whatever their names and runtimes."""
        return (self.fingerprint, self.dimension) == (other.fingerprint, other.dimension)


@dataclass(frozen=True)
class CollectionInfo:
    """A description of a collection.

    Attributes:
        uri: Address of the database, without credentials.
        name: Name of the collection.
        deployment: "lite", "server" or "zilliz".
        version: Version of Milvus.
        index: Type of the vector index, e.g. "FLAT".
        metric: "COSINE".
        count: Number of rows.
        encoder: The encoder that made the vectors.
    """

    uri: str
    name: str
    deployment: str
    version: str
    index: str
    metric: str
    count: int
    encoder: EncoderIdentity


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
    metadata: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    vector: Vector | None = field(default=None, repr=False, compare=False)
    sha256: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sha256", self.sha256 or self.id)
        check_id(self.id, self.sha256)
        if not self.paths:
            raise InputError(f"The row {self.id} has no path.")
        if _may_exceed(self.paths) and len(json.dumps(dict(self.paths))) > _MAX_JSON_BYTES:
            raise InputError(
                f"{len(self.paths)} copies of one picture are more than a row can list; "
                f"remove copies such as {min(self.paths)}."
            )
        object.__setattr__(self, "paths", dict(sorted(self.paths.items())))
        object.__setattr__(self, "metadata", clean_metadata(self.metadata))

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
        MetadataError: A value has a type that JSON lacks, or the metadata is too large.
    """
    cleaned: dict[str, Any] = {}
    for key, value in metadata.items():
        name = _text(str(key))
        try:
            plain = _plain(value, name)
        except RecursionError:
            raise MetadataError(f"The metadata field {name!r} is nested too deeply.") from None
        if plain is None:
            continue
        while name in _RESERVED or (name != str(key) and name in metadata):
            name += "_"
        cleaned[name] = plain
    if not _may_exceed(cleaned):
        return cleaned
    size = len(json.dumps(cleaned, ensure_ascii=False).encode())
    if size > _MAX_JSON_BYTES:
        longest = max(cleaned, key=lambda name: len(str(cleaned[name])))
        raise MetadataError(
            f"The metadata is {size:,} bytes, more than the {_MAX_JSON_BYTES:,} that a row holds; "
            f"shorten its longest field, {longest!r}."
        )
    return cleaned


def row_bytes(row: Row) -> int:
    """Return about how many bytes a row takes in a message."""
    return (
        150
        + (0 if row.vector is None else 4 * len(row.vector))
        + sum(len(path) + 24 for path in row.paths)
        + len(repr(row.metadata))
    )


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


def _may_exceed(fields: Mapping[str, Any]) -> bool:
    """Return False if the fields certainly fit, which saves writing them as JSON."""
    most = 0
    for key, value in fields.items():
        # At most 12 bytes a character (an escaped pair), 25 a number, 8 for the punctuation.
        most += 12 * len(key) + 33
        if isinstance(value, str):
            most += 12 * len(value)
        elif not isinstance(value, (int, float)):
            return True
    return most > _MAX_JSON_BYTES


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_missing(value):
        return None
    if isinstance(value, Mapping):
        return {_text(str(key)): _plain(part, name) for key, part in value.items()}
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
    """Check that an id can be used.

    Args:
        sha256: Hash of the content that it is for.

    Raises:
        InputError: It has other characters or is too long, or it is the hash of other content.
    """
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


def row_of(entity: Mapping[str, Any]) -> Row:
    """The row that Milvus returned as an entity."""
    size, width, height = (int(entity[name]) for name in ("size", "width", "height"))
    sha256 = entity.get("sha256") or ""
    return Row(
        entity["id"],
        entity["paths"],
        size,
        width,
        height,
        _metadata(entity),
        _vector(entity),
        sha256,
    )


def hit_of(entity: Mapping[str, Any], score: float, rank: int) -> Hit:
    """The hit for an entity that a search returned."""
    row = row_of(entity)
    return Hit(**vars(row.item), score=score, rank=rank, vector=row.vector)


def _vector(entity: Mapping[str, Any]) -> Vector | None:
    vector = entity.get("vector")
    return None if vector is None else np.asarray(vector, dtype=np.float32)


def _metadata(entity: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: value for key, value in entity.items() if key not in _RESERVED and value is not None
    }


def chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    """Check ids, drop repeats, and group them by how many one expression may hold."""
    unique = list(dict.fromkeys(ids))
    for value in unique:
        check_id(value)
    for start in range(0, len(unique), _CHUNK):
        yield unique[start : start + _CHUNK]
