"""What `verify` found is put right, as `ocelot index` and `Engine.add` do it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from ocelot.collection import Collection
from ocelot.encoders.base import Encoder
from ocelot.errors import InputError
from ocelot.images.places import file_of
from ocelot.images.store import ImageStore
from ocelot.indexing import Progress, add_record, index_images
from ocelot.indexing.writer import Change, Writer
from ocelot.maintenance.verify import LEAST, Verification, compared, cosine
from ocelot.types import Failure, IndexReport

__all__ = ["Mended", "mend"]


@dataclass(frozen=True)
class Mended:
    """What `mend` did."""

    encoded: int  # pictures that were indexed
    relocated: int  # files that became further paths of items
    dropped: int  # paths of rows that were removed, as their files are gone
    removed: int  # rows that were removed, as they had no other path
    vectors: int  # rows that got new vectors
    failures: tuple[Failure, ...]  # files that cannot be indexed, with reasons


def mend(
    found: Verification,
    collection: Collection,
    encoder: Encoder,
    images: ImageStore,
    *,
    prune_missing: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Mended:
    """Put right what `verify` found.

    Pictures without rows and changed ones are indexed, paths whose files are gone are dropped,
    and rows without a path are removed. If a vector of the sample was wrong, all are computed
    again, and the wrong ones are replaced. Files that cannot be read or are damaged stay as they
    are: they need a backup.

    Args:
        prune_missing: Whether to drop the paths of folders, too, that are missing or empty as a
            whole.
        progress: Called now and then.

    Raises:
        EncoderError, CollectionError: Encoding or storing failed; what was done stays.
    """
    changed = found.of("changed")
    rows = collection.get(finding.id for finding in changed)
    own = {row.id for row in rows if row.id != row.sha256}  # `index` leaves them alone
    files = [finding.path for finding in found.of("unindexed") if not finding.reason]
    files += [one.path for one in changed if one.id not in own and os.path.exists(one.path)]
    report = IndexReport()
    if files:
        report = index_images(files, collection, encoder, images, progress=progress)
    failures = list(report.failures)
    replaced = 0
    for finding in changed:
        if (file := file_of(finding.path)) != finding.path and not os.path.exists(finding.path):
            failures.append(Failure(finding.path, f"{file} has changed; index it again"))
        if finding.id in own:
            try:
                add_record(finding.path, collection, encoder, images, id=finding.id)
                replaced += 1
            except InputError as error:
                failures.append(Failure(finding.path, str(error).rstrip(".")))
    drops: defaultdict[str, set[str]] = defaultdict(set)  # id -> paths
    for finding in found.of("gone", "away") if prune_missing else found.of("gone"):
        drops[finding.id].add(finding.path)
    with Writer(collection, images) as writer:
        for id, paths in drops.items():
            writer.update(id, Change(remove=paths))
            if writer.is_full:
                writer.hand_over()
        writer.finish()
    return Mended(
        report.encoded + replaced,
        report.relocated,
        sum(map(len, drops.values())),
        report.removed + writer.removed,
        _encode_again(collection, encoder, images) if found.of("vector") else 0,
        tuple(failures),
    )


def _encode_again(collection: Collection, encoder: Encoder, images: ImageStore) -> int:
    """Replace all wrong vectors; return how many there were."""
    ids = [row.id for row in collection.iterate(metadata=False)]
    replaced = 0
    for row, vector in compared(ids, collection, encoder, images):
        if cosine(row, vector) < LEAST:
            collection.upsert([replace(row, vector=vector)])
            replaced += 1
    return replaced
