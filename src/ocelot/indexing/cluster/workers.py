"""What the machines of a cluster do: read and decode, encode, write parts.

Ray Data calls these with Arrow tables.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ocelot.collection import clean_metadata
from ocelot.encoders.base import Encoder
from ocelot.errors import EncoderError, ImageError, InputError
from ocelot.images.file import ImageFile
from ocelot.indexing.cluster.parts import is_done, key_of, write_part
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
    rows = (row for listed in files.to_pylist() for row in _decoded(listed, column, side, keys))
    some: list[dict[str, Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == _AT_ONCE or sum(len(one["pixels"]) for one in some) >= _BYTES:
            yield pa.Table.from_pylist(some)
            some = []
    if some:
        yield pa.Table.from_pylist(some)


def _decoded(
    listed: dict[str, Any], column: str, side: int | None, done: Keys
) -> Iterator[dict[str, Any]]:
    file = File(listed["path"], listed["size"], listed["mtime_ns"])
    for picture in pictures_of(file, column):
        if picture.path == file.path:
            picture = picture._replace(metadata=json.loads(listed["meta"]))
        row = {"source": file.path, "stamp": file.mtime_ns, "error": "", "pixels": b""}
        row |= {"id": "", "paths": "", "size": 0, "width": 0, "height": 0, "$meta": ""}
        row["path"] = picture.path.encode(errors="backslashreplace").decode()
        try:
            if not _fill(row, picture, side, done):
                continue
        except InputError as error:
            row["error"] = error.reason if isinstance(error, ImageError) else str(error)
        yield row


def _fill(row: dict[str, Any], picture: Picture, side: int | None, done: Keys) -> bool:
    """Fill in the row of a picture; False if it is done."""
    if picture.error:
        raise ImageError(picture.path, picture.error)
    if row["path"] != picture.path:  # of a tar
        raise ImageError(row["path"], "its name is not valid UTF-8; rename it")
    path, mtime_ns = picture.path, picture.mtime_ns
    if mtime_ns and picture.size and is_done(key_of(path, picture.size, mtime_ns), done):
        return False
    image = ImageFile(picture.read(), path)
    size = len(image.data)
    if is_done(key_of(path, size, mtime_ns or image.id), done):
        return False
    decoded, pixels = image.decoded(side), io.BytesIO()
    decoded.image.save(pixels, "BMP")  # the quickest format that an encoder can read
    width, height = decoded.size
    row |= {"id": image.id, "paths": json.dumps({path: mtime_ns}), "size": size}
    row |= {"width": width, "height": height, "pixels": pixels.getvalue()}
    row["$meta"] = json.dumps({**clean_metadata(picture.metadata), "sha256": image.id})
    return True


class EncodeBatch:
    """One encoder of a pool.

    Args:
        make_encoder: Called once.
        fingerprint: That its encoder must have.
    """

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
    """Write what has a vector as a part; return how many rows that was, and the failures."""
    usable = table.filter(table["vector"].is_valid())
    if usable.num_rows:
        write_part(usable, folder, encoder)
    failed = table.filter(table["vector"].is_null())
    failures = list(zip(failed["path"].to_pylist(), failed["error"].to_pylist(), strict=True))
    return pa.table({"encoded": [usable.num_rows], "failures": [json.dumps(failures)]})
