"""Collections as Parquet files, and back.

The columns are described in `ocelot.collection.columns`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.collection.columns import NUMBERS, ROWS
from ocelot.collection.lite.folder import json_object
from ocelot.errors import InputError, StorageError
from ocelot.files import atomic_path
from ocelot.indexing import Progress
from ocelot.types import Failure

__all__ = ["ImportReport", "export_rows", "identity_of", "import_rows"]

_GROUP_BYTES = 32 * 2**20  # of vectors in a row group
_BATCH = 1_000  # rows read at once
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class ImportReport:
    """What became of the rows of a file."""

    found: int
    stored: int  # rows that are now in the collection
    failures: tuple[Failure, ...] = ()  # rows that cannot be stored, with reasons


def export_rows(
    collection: Collection,
    file: str | Path,
    *,
    filter: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> int:
    """Write the rows of a collection to a Parquet file; return how many.

    Rows come in order of their ids, in row groups of some 32 MB. The file appears as a whole.

    Args:
        file: Replaced if it exists.
        filter: A Milvus expression over the metadata, to select rows.
        progress: Called after each row group.

    Raises:
        FilterError, CollectionError: The collection cannot be read.
        StorageError: The file cannot be written.
    """
    total, written = collection.count(filter), 0
    identity = collection.identity
    rows = collection.iterate_whole(filter=filter)
    size = max(1, _GROUP_BYTES // (4 * identity.dimension))
    try:
        with (
            atomic_path(file, durable=True) as partial,
            pq.ParquetWriter(partial, ROWS.with_metadata(identity.properties)) as writer,
        ):
            while group := list(islice(rows, size)):
                writer.write_table(_table(group, identity))
                written += len(group)
                if progress is not None:
                    progress(Progress(written, total, 0, 0, 0))
    except OSError as error:
        raise StorageError(
            f"The file {file} cannot be written ({error.strerror or error}): free some space, or "
            "choose another path."
        ) from error
    return written


def identity_of(file: str | Path) -> EncoderIdentity:
    """The encoder whose vectors a file of `export_rows` holds; `InputError` if it is none."""
    return _opened(file)[1]


def import_rows(
    file: str | Path,
    collection: Collection,
    progress: Callable[[Progress], None] | None = None,
) -> ImportReport:
    """Store the rows of a Parquet file, with their vectors as they are.

    Rows replace those with the same ids, so an interrupted run can be run again. Of several rows
    with one id, the last one counts.

    Args:
        progress: Called now and then.

    Raises:
        InputError: `export_rows` did not write the file.
        EncoderMismatch: The collection has another encoder's vectors.
        CollectionError: Milvus refused.
    """
    parquet, identity = _opened(file)
    with parquet:
        collection.check(identity)
        found, stored, failures = 0, 0, list[Failure]()
        for batch in _batches(parquet, file):
            rows: dict[str, Row] = {}
            records = batch.select([name for name in ROWS.names if name != "vector"]).to_pylist()
            for record, vector in zip(records, batch.column("vector"), strict=True):
                found += 1
                try:
                    row = _row(record, vector, identity.dimension)
                    rows[row.id] = row
                    stored += 1
                except (InputError, ValueError, TypeError) as error:
                    failures.append(Failure(f"{file} row {found}", str(error).rstrip(".")))
            collection.upsert(rows.values())
            if progress is not None:
                total = parquet.metadata.num_rows
                progress(Progress(found, total, 0, stored, len(failures)))
    if stored:
        collection.flush()
    return ImportReport(found, stored, tuple(failures))


def _table(rows: list[Row], identity: EncoderIdentity) -> pa.Table:
    vectors = np.array([row.vector for row in rows], dtype=np.float32)
    ends = np.arange(len(rows) + 1, dtype=np.int32) * identity.dimension
    columns = [
        [row.id for row in rows],
        [json.dumps(dict(row.paths)) for row in rows],
        *([getattr(row, name) for row in rows] for name in NUMBERS),
        pa.ListArray.from_arrays(ends, vectors.reshape(-1)),
        [json.dumps({**row.metadata, "sha256": row.sha256}) for row in rows],
    ]
    return pa.table(columns, schema=ROWS.with_metadata(identity.properties))


def _opened(file: str | Path) -> tuple[pq.ParquetFile, EncoderIdentity]:
    try:
        parquet = pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{file} cannot be read as Parquet ({reason}): check the path.") from error
    schema = parquet.schema_arrow
    try:
        given = {key.decode(): value.decode() for key, value in (schema.metadata or {}).items()}
        identity = EncoderIdentity.of_properties(given)
        if schema.remove_metadata().equals(ROWS):
            return parquet, identity
        columns = ", ".join(f"{one.name} {one.type}" for one in schema)
        wrong = f"has other columns than those of `ocelot export` ({columns}): export it again."
    except (KeyError, ValueError):
        wrong = (
            "does not say which encoder made its vectors, so it cannot be imported: take a file "
            "that `ocelot export` wrote."
        )
    parquet.close()
    raise InputError(f"{file} {wrong}")


def _batches(parquet: pq.ParquetFile, file: str | Path) -> Iterator[pa.RecordBatch]:
    try:
        for batch in parquet.iter_batches(_BATCH):
            batch.validate(full=True)  # else the text in it may be none
            yield batch
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{file} is damaged ({error}): what came before is stored; export it again."
        ) from error


def _row(record: dict[str, Any], vector: pa.ListScalar, dimension: int) -> Row:
    """The row of a record; `InputError`, `ValueError` or `TypeError` if it cannot be stored."""
    if not vector.is_valid or len(vector.values) != dimension or vector.values.null_count:
        raise InputError(f"its vector must have {dimension} numbers")
    numbers = vector.values.to_numpy()
    length = np.linalg.norm(numbers.astype(np.float64))
    if not 1e-18 < length < 1e18:  # its square must be a float32
        raise InputError(f"its vector must have a length between 1e-18 and 1e18, was: {length:g}")
    sizes = [record[name] for name in NUMBERS]
    paths, metadata = (json_object(record[name]) for name in ("paths", "$meta"))
    if not all(type(one) is int and abs(one) < 2**63 for one in (*sizes, *paths.values())):
        raise InputError("its sizes and the times of its paths must be whole numbers of 64 bits")
    sha256 = metadata.pop("sha256", record["id"])
    if sha256 != record["id"] and not (isinstance(sha256, str) and _HASH.fullmatch(sha256)):
        raise InputError("its sha256 must be 64 hex digits")
    size, width, height = sizes
    return Row(record["id"], paths, size, width, height, metadata, numbers, sha256)
