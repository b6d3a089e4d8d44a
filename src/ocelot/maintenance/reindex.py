"""A collection encoded again, with another encoder, into a collection beside it.

    rows ─▶ stored under the new encoder? ─ no ─▶ read, decode ─▶ encode ─▶ write ─▶ switch

Ids, paths and metadata stay. Whoever has the old collection open goes on searching in it. A second
pass takes over what they have written during the first one. What is done stays done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.encoders.base import Encoder
from ocelot.images.store import ImageStore
from ocelot.indexing.pipeline import Job, Progress, Run
from ocelot.indexing.writer import Change
from ocelot.maintenance.copying import paired
from ocelot.types import Failure

__all__ = ["ReindexReport", "reindex"]

_QUERIES = 32  # stored pictures that are searched with, to compare the orders
_DEPTH = 9  # hits of each
_AHEAD = 3  # batches loaded before they are needed


@dataclass(frozen=True)
class ReindexReport:
    """What became of the rows of a collection that was encoded again."""

    collection: str  # name of the new one
    found: int  # rows of the old one
    encoded: int = 0  # in this run
    unchanged: int = 0  # that an earlier run had encoded
    updated: int = 0  # of these, with new paths or metadata
    failures: tuple[Failure, ...] = ()  # pictures that cannot be read any more
    overlap: float | None = None  # share of equal first hits; None with fewer than two queries
    queries: int = 0  # stored pictures that were searched with for it
    switched: bool = False  # whether the name stands for the new collection now
    dropped: tuple[str, ...] = ()  # names of old collections that were removed
    seconds: float = 0.0


def reindex(
    source: Collection,
    encoder: Encoder,
    images: ImageStore | None = None,
    *,
    skip_unreadable: bool = False,
    drop_old: bool = False,
    batch_size: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ReindexReport:
    """Encode the pictures of a collection again; see `Engine.reindex`.

    Args:
        source: The collection that its name stands for. It is only read.
    """
    images = images or ImageStore()
    with source.beside(EncoderIdentity.of(encoder)) as target:
        if target.name == source.name:  # it was switched to already
            dropped = target.drop_older() if drop_old else ()
            total = target.count()
            return ReindexReport(
                target.name, total, unchanged=total, switched=True, dropped=dropped
            )
        passes = []
        for _ in range(2):
            run = _ReindexRun(target, encoder, images, batch_size, progress)
            with run:
                run.take_over(source)
                passes.append(run.finish())
        first, last = passes
        overlap, queries = _overlap(source, target)
        unreadable = len(last.failures)  # all of them if a disk is not mounted
        if switched := not unreadable or (skip_unreadable and unreadable < last.found):
            target.make_newest()
        return ReindexReport(
            target.name,
            last.found,
            encoded=first.encoded + last.encoded,
            unchanged=first.unchanged,
            updated=first.updated + last.updated,
            failures=last.failures,
            overlap=overlap,
            queries=queries,
            switched=switched,
            dropped=target.drop_older() if switched and drop_old else (),
            seconds=first.seconds + last.seconds,
        )


@dataclass
class _StoredJob(Job):
    """A picture on its way, with its row in the old collection."""

    stored: Row | None = None

    def row(self) -> Row:
        assert self.stored is not None
        return replace(self.stored, vector=self.vector)


class _ReindexRun(Run):
    """A run over the rows of the same collection under another encoder."""

    def take_over(self, source: Collection) -> None:
        """Bring the new collection up to date with the old one."""
        self._gone: list[str] = []  # ids to be removed
        self.total = source.count()
        self.take_all(self.ahead(self._read, self._jobs(source), _AHEAD * self.batch_size))
        if self._gone:
            self.collection.delete(self._gone)

    def _jobs(self, source: Collection) -> Iterator[_StoredJob]:
        for old, new in paired(source.iterate(), self.collection.iterate()):
            if old is None:
                assert new is not None
                self._gone.append(new.id)
            elif new is None or new.sha256 != old.sha256:
                name = next(iter(old.paths))
                yield _StoredJob(name, id=old.id, sha256=old.sha256, stored=old)
            else:
                self.unchanged += 1
                if new != old:
                    self.updated += 1
                    gone = new.paths.keys() - old.paths.keys()
                    change = Change(None, dict(old.paths), set(gone), old.metadata)
                    self.update(old.id, change)
                self.count()

    def _read(self, job: _StoredJob) -> None:
        """Read and load the picture; runs in threads."""
        assert job.stored is not None
        self.load(job, self.images.original(job.stored.item))

    def take(self, job: _StoredJob) -> None:
        if job.error is not None:
            self._gone.append(job.id)  # perhaps the id is there with older content
            raise job.error
        self.add(job)


def _overlap(old: Collection, new: Collection) -> tuple[float | None, int]:
    """How many of the first hits of stored pictures are the same, and of how many pictures."""
    ids = [row.id for row in new.sample(_QUERIES)]
    shared = sorted(old.known(ids))

    def share(id: str) -> float:
        before, after = ({hit.id for hit in one.similar(id, limit=_DEPTH)} for one in (old, new))
        return len(before & after) / max(len(before), 1)

    with ThreadPoolExecutor(8) as threads:  # each search waits for strong consistency
        shares = list(threads.map(share, shared))
    found = len(shares) > 1
    return (sum(shares) / len(shares) if found else None), len(shares)
