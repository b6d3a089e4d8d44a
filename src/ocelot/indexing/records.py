"""Pictures that are given one by one or as records, rather than found in folders."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.collection import Collection, Row
from ocelot.encoders.base import Encoder
from ocelot.errors import ImageError, InputError
from ocelot.images.file import ImageFile, ImageSource
from ocelot.images.store import ImageStore
from ocelot.images.thumbnails import Thumbnails
from ocelot.types import Failure, IndexReport, Input

if TYPE_CHECKING:
    from ocelot.indexing.pipeline import Progress

__all__ = ["Record", "add_record", "add_records", "records_of"]


@dataclass(frozen=True)
class Record:
    """A picture to store.

    Attributes:
        image: As `ImageFile.of` takes it.
        metadata: The item's own fields; None keeps those that it has.
        id: By default the hash of the content.
    """

    image: ImageSource
    metadata: Mapping[str, Any] | None = None
    id: str | None = None


def records_of(source: Any, *, image: str, id: str) -> Iterator[Record]:
    """Records from mappings, a pandas DataFrame, or a `datasets.Dataset`.

    Raises:
        InputError: A record is no mapping, or has no picture.
    """
    rows = source.to_dict("records") if hasattr(source, "columns") else source
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping) or row.get(image) is None:
            raise InputError(f"Record {number} must be a mapping with the key {image!r}.")
        metadata = {str(key): value for key, value in row.items() if key not in (image, id)}
        given = row.get(id)
        yield Record(row[image], metadata, None if given is None else str(given))


def add_record(
    record: Record, collection: Collection, encoder: Encoder, images: ImageStore
) -> tuple[Row, bool]:
    """Store one picture. Kept once this returns; returns its row, and whether it is new."""
    image = ImageFile.of(record.image)
    if isinstance(record.image, (str, os.PathLike)) and Path(image.name).is_file():
        place = os.path.abspath(image.name)
    else:
        place = str(images.uploads.keep(image, record.id))
    paths = {place: os.stat(place).st_mtime_ns}
    known = collection.get([record.id or image.id])
    if known and known[0].sha256 == image.id:
        row = known[0]
        fields = row.metadata if record.metadata is None else record.metadata
        new = replace(row, paths={**row.paths, **paths}, metadata=fields)
        if new != row:
            collection.upsert([new])
        return new, False
    decoded = image.decoded(encoder.decode_side)
    metadata = record.metadata if record.metadata is not None or not known else known[0].metadata
    row = Row(
        record.id or image.id, paths, len(image.data), *decoded.size, metadata or {},
        sha256=image.id,
    )  # fmt: skip
    vector = encoder.embed_checked([encoder.prepare(Input(image))])[0]
    row = replace(row, vector=vector)
    collection.upsert([row], fresh=not known)
    thumbnails = images.thumbnails
    if thumbnails is not None and thumbnails.keeps and thumbnails.wanted(*decoded.size):
        thumbnails.put({image.id: thumbnails.make(image.rgb(Thumbnails.SIDE))})
    return row, not known


def add_records(
    records: Iterable[Record],
    collection: Collection,
    encoder: Encoder,
    images: ImageStore,
    *,
    batch_size: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> IndexReport:
    """Store many pictures; those that cannot be used are among the report's failures."""
    started = time.perf_counter()
    found = encoded = 0
    failures = []
    for record in records:
        found += 1
        try:
            _, new = add_record(record, collection, encoder, images)
            encoded += new
        except (ImageError, InputError) as error:
            failures.append(Failure(f"record {found - 1}", str(error)))
    seconds = time.perf_counter() - started
    return IndexReport(
        found, found - encoded - len(failures), encoded, failures=tuple(failures), seconds=seconds
    )
