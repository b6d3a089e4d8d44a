"""What the machines of a cluster do: read and decode, encode, write parts.

Ray Data calls these with Arrow tables.
"""

from __future__ import annotations

import io
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ocelot.collection import clean_metadata
from ocelot.collection.columns import ROWS
from ocelot.encoders.base import Encoder
from ocelot.errors import EncoderError, ImageError, InputError, StorageError
from ocelot.files import atomic_path
from ocelot.images.file import ImageFile
from ocelot.images.places import file_of
from ocelot.indexing.cluster.parts import LINKS, is_done, key_of
from ocelot.indexing.cluster.sources import Picture, pictures_of
from ocelot.indexing.scan import File
from ocelot.types import Input

if TYPE_CHECKING:
    from ocelot.indexing.cluster.parts import Keys

__all__ = ["EncodeBatch", "decode_files", "store_part"]

_AT_ONCE, _BYTES = 32, 64 * 2**20  # pictures that are passed on together, and their pixels
_THREADS = 4  # that prepare pictures for the model


def decode_files(files: pa.Table, column: str, side: int | None, done: Any) -> Iterator[pa.Table]:
    """Read and decode the pictures of listed files, except those that are done.

    Args:
        column: As of `pictures_of`.
        side: The encoder's `decode_side`.
        done: Reference to the sorted keys, which the tasks of a machine share.
    """
    import ray

    keys = ray.get(done)
    some: list[dict[str, Any]] = []
    size = 0
    for listed in files.to_pylist():
        file = File(listed["path"], listed["size"], listed["mtime_ns"])
        for picture in pictures_of(file, column):
            if picture.path == file.path:
                picture = picture._replace(metadata=json.loads(listed["meta"]))
            if (row := _decoded(picture, side, keys)) is None:
                continue
            some.append(row | {"source": file.path, "stamp": file.mtime_ns})
            size += len(row["pixels"])
            if len(some) == _AT_ONCE or size >= _BYTES:
                yield pa.Table.from_pylist(some)
                some, size = [], 0
    if some:
        yield pa.Table.from_pylist(some)


def _decoded(picture: Picture, side: int | None, done: Keys) -> dict[str, Any] | None:
    """The row of a picture, perhaps with an error; None if it is done."""
    row: dict[str, Any] = {"id": "", "paths": "", "size": 0, "width": 0, "height": 0, "$meta": ""}
    row |= {"path": picture.path.encode(errors="backslashreplace").decode()}
    row |= {"pixels": b"", "error": picture.error}
    if picture.error:
        return row
    if row["path"] != picture.path:  # of a tar
        return row | {"error": "its name is not valid UTF-8; rename it"}
    path, mtime_ns = picture.path, picture.mtime_ns
    if mtime_ns and picture.size and is_done(key_of(path, picture.size, mtime_ns), done):
        return None
    try:
        image = ImageFile(picture.read(), path)
        row["size"] = len(image.data)
        if is_done(key_of(path, row["size"], mtime_ns or image.id), done):
            return None
        decoded, pixels = image.decoded(side), io.BytesIO()
        decoded.image.save(pixels, "BMP")  # the quickest format that an encoder can read
        metadata = json.dumps({**clean_metadata(picture.metadata), "sha256": image.id})
    except InputError as error:
        return row | {"error": error.reason if isinstance(error, ImageError) else str(error)}
    row["width"], row["height"] = decoded.size
    row |= {"id": image.id, "paths": json.dumps({path: mtime_ns}), "$meta": metadata}
    return row | {"pixels": pixels.getvalue()}


class EncodeBatch:
    """One encoder of a pool, which must have this fingerprint."""

    def __init__(self, make_encoder: Callable[[], Encoder], fingerprint: str) -> None:
        self._make, self._fingerprint = make_encoder, fingerprint
        self._threads = ThreadPoolExecutor(_THREADS, "ocelot-prepare")

    @cached_property
    def _encoder(self) -> Encoder:
        """Made at the first call: of a constructor that fails, Ray keeps only the text."""
        encoder = self._make()
        if encoder.fingerprint != self._fingerprint:
            raise EncoderError(
                f"A worker has another encoder {encoder.name} than this machine: put the same "
                "files on all machines."
            )
        return encoder

    def __call__(self, table: pa.Table) -> pa.Table:
        """Replace the pixels by vectors; None where there is an error."""
        prepare = partial(_prepare, self._encoder)
        found = table["pixels"].to_pylist(), table["error"].to_pylist()
        prepared, errors = zip(*self._threads.map(prepare, *found), strict=True)
        usable = [number for number, error in enumerate(errors) if not error]
        rows: list[Any] = [None] * len(errors)
        if usable:
            vectors = self._encoder.embed_checked([prepared[number] for number in usable])
            for number, vector in zip(usable, vectors, strict=True):
                rows[number] = vector
        table = table.drop_columns(["pixels", "error"])
        table = table.append_column("error", pa.array(errors, pa.string()))
        return table.append_column("vector", pa.array(rows, pa.list_(pa.float32())))


def _prepare(encoder: Encoder, pixels: bytes, error: str) -> tuple[Any, str]:
    """What the encoder needs of a picture, or why it cannot be used."""
    if error:
        return None, error
    try:
        return encoder.prepare(Input(ImageFile(pixels))), ""
    except Exception as failure:  # an encoder may raise anything
        return None, f"it cannot be prepared ({type(failure).__name__}: {failure})"


def store_part(table: pa.Table, folder: Path, encoder: Mapping[str, str]) -> pa.Table:
    """Write what has a vector as a part; return how many rows that was, and the failures.

    A part is written whole or not at all; later ones have later names.

    Args:
        encoder: What identifies it.
    """
    usable = table.filter(table["vector"].is_valid())
    if usable.num_rows:
        name = f"part-{time.time_ns():020d}-{secrets.token_hex(4)}.parquet"
        places = (usable[name].to_pylist() for name in ("path", "source", "stamp"))
        links = {
            path: (source, stamp)
            for path, source, stamp in zip(*places, strict=True)
            if source not in (path, file_of(path))
        }
        schema = ROWS.with_metadata(dict(encoder) | {LINKS: json.dumps(links)})
        try:
            with atomic_path(folder / name, durable=True) as partial:
                pq.write_table(usable.select(ROWS.names).cast(schema), partial)
        except OSError as error:
            raise StorageError(
                f"The vectors cannot be written to {folder} ({error.strerror or error}): check "
                "the disk and the permissions, or choose another folder (--work)."
            ) from error
    failed = table.filter(table["vector"].is_null())
    failures = list(zip(failed["path"].to_pylist(), failed["error"].to_pylist(), strict=True))
    return pa.table({"encoded": [usable.num_rows], "failures": [json.dumps(failures)]})
