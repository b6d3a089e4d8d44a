"""Pictures that are given one by one or as records, rather than found in folders."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.collection import Collection, Row, clean_metadata
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
    id = record.id or image.id
    known = next(iter(collection.get([id])), None)
    if record.metadata is not None:
        fields = clean_metadata(record.metadata)
    else:
        fields = dict(known.metadata) if known else {}
    if known and known.sha256 == image.id:
        paths = {**known.paths, **_place(record, image, images)}
        row = replace(known, paths=paths, metadata=fields)
        if row != known:
            collection.upsert([row])
        return row, False
    decoded = image.decoded(encoder.decode_side)
    vector = encoder.embed_checked([encoder.prepare(Input(image))])[0]
    paths = _place(record, image, images)  # only now: what is refused leaves no file
    size = len(image.data)
    row = Row(id, paths, size, *decoded.size, fields, vector, sha256=image.id)
    collection.upsert([row], fresh=known is None)
    thumbnails = images.thumbnails
    if thumbnails is not None and thumbnails.keeps and thumbnails.wanted(*decoded.size):
        thumbnails.put({image.id: thumbnails.make(image.rgb(Thumbnails.SIDE))})
    return row, known is None


def _place(record: Record, image: ImageFile, images: ImageStore) -> dict[str, int]:
    """The path of the picture's file and its time of change; without a file it becomes one."""
    if isinstance(record.image, (str, os.PathLike)) and Path(image.name).is_file():
        path = os.path.abspath(image.name)
    else:
        path = str(images.uploads.keep(image, record.id))
    return {path: os.stat(path).st_mtime_ns}


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
