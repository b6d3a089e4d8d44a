"""Encoding with Ray Data, and then loading.

    list ─▶ new? ─▶ read, decode ─▶ encode ─▶ parts          parts ─▶ Milvus
            (tasks on CPUs)       (actors)  (tasks)          (this process)

Ray Data streams: each step waits while the next one has enough to do, so memory is bounded.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ocelot.collection import Collection, EncoderIdentity, clean_metadata
from ocelot.encoders.base import Encoder
from ocelot.errors import (
    ConfigurationError,
    EncoderError,
    InputError,
    OcelotError,
    requires_extra,
)
from ocelot.files import write_atomic
from ocelot.images.decode import hash_bytes
from ocelot.images.store import ImageStore
from ocelot.indexing.cluster.parts import LoadRun, is_done, key_of, stored_keys
from ocelot.indexing.cluster.sources import Listing, is_container
from ocelot.indexing.cluster.workers import EncodeBatch, decode_files, store_part
from ocelot.indexing.pipeline import Progress
from ocelot.types import Failure, IndexReport

if TYPE_CHECKING:
    from ocelot.indexing.cluster.parts import Keys

__all__ = ["Cluster", "ClusterReport"]

log = logging.getLogger(__name__)

_FILES = 16  # that one task reads
_CPUS = 0.5  # of a task that decodes: it waits for the network half of the time


@dataclass(frozen=True)
class ClusterReport:
    """What an indexing run on many machines did.

    `index.encoded` counts the pictures that are new in the collection, also those that an earlier
    run has encoded.
    """

    index: IndexReport
    encoded: int  # pictures that this run encoded
    parts: Path  # folder with the vectors
    failures: Path  # file with one line of JSON for each picture that could not be used


@dataclass(frozen=True)
class Cluster:
    """How Ray encodes pictures.

    The cluster is the one that this process is connected to, the one of RAY_ADDRESS, or one on this
    machine that is stopped at the end.
    """

    make_encoder: Callable[[], Encoder]  # makes the collection's encoder on a worker; is pickled
    work: str | Path  # folder for the vectors, which all machines share
    column: str = "image"  # of Parquet files: the one with the pictures
    workers: int | None = None  # encoders at once; by default as many as have GPUs, or one
    gpus: float = 0  # of each encoder; may be a fraction
    part_rows: int = 2_048  # pictures in one part

    def index(
        self,
        listing: Listing,
        collection: Collection,
        encoder: Encoder,
        images: ImageStore,
        *,
        prune: bool = False,
        progress: Callable[[Progress], None] | None = None,
    ) -> ClusterReport:
        """Bring a collection up to date with listed sources; other arguments as of `Engine.index`.

        Raises:
            ConfigurationError: The extra `ray` is not installed, or `work` cannot be written to.
            EncoderError, CollectionError, StorageError: What was encoded or stored is kept.
        """
        identity = EncoderIdentity.of(encoder)
        collection.check(identity)
        work = Path(os.path.abspath(self.work))
        parts = work / hash_bytes(identity.fingerprint.encode())[:16]
        try:
            parts.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=parts):
                pass
        except OSError as error:
            raise ConfigurationError(
                f"The folder for vectors {work} cannot be written to ({error.strerror}): choose "
                "another one (--work)."
            ) from error
        done = stored_keys(parts, collection)
        new = _new(listing, done)
        total = 0 if any(is_container(file.path) for file in listing.files) else new.num_rows
        encoded, failures = 0, list[Failure]()
        for count, failed in self._encode(new, encoder, parts, done) if new.num_rows else ():
            encoded += count
            failures += failed
            if progress is not None:
                progress(Progress(encoded + len(failures), total, 0, encoded, len(failures)))
        report = work / "failures.jsonl"
        lines = [json.dumps({"file": one.path, "cause": one.reason}) + "\n" for one in failures]
        write_atomic(report, "".join(lines).encode())
        run = LoadRun(collection, encoder, images, None, progress, listing.folders)
        with run:
            loaded = run.load_parts(parts, listing, failures, prune)
        return ClusterReport(loaded, encoded, parts, report)

    def _encode(
        self, files: pa.Table, encoder: Encoder, parts: Path, done: Keys
    ) -> Iterator[tuple[int, list[Failure]]]:
        """Yield how many pictures each part has, and which could not be used."""
        containers = sum(map(is_container, files["path"].to_pylist()))
        blocks = min(files.num_rows, containers + math.ceil(files.num_rows / _FILES))
        identity = EncoderIdentity.of(encoder).properties
        with _cluster(parts) as ray:
            there = ray.cluster_resources().get("GPU", 0)
            if there < self.gpus:
                log.warning("Encoders wait for %g GPUs; the cluster has %g.", self.gpus, there)
            size = self.workers or max(1, int(there / self.gpus) if self.gpus else 1)
            names = {"column": self.column, "side": encoder.decode_side, "done": ray.put(done)}
            steps = ray.data.from_arrow(files, override_num_blocks=blocks)
            steps = steps.map_batches(
                decode_files,
                fn_kwargs=names,
                batch_size=_FILES,
                batch_format="pyarrow",
                num_cpus=_CPUS,  # other than that of the encoders: Ray keeps the steps apart
            )
            steps = steps.map_batches(
                EncodeBatch,
                fn_constructor_args=(self.make_encoder, encoder.fingerprint),
                batch_size=encoder.batch_size,
                batch_format="pyarrow",
                num_cpus=1,
                num_gpus=self.gpus or None,
                compute=ray.data.ActorPoolStrategy(size=size),
            )
            steps = steps.map_batches(
                partial(store_part, folder=parts, encoder=identity),
                batch_size=self.part_rows,
                batch_format="pyarrow",
                num_cpus=_CPUS,
            )
            for row in steps.iter_rows():
                yield row["encoded"], [Failure(*one) for one in json.loads(row["failures"])]


def _new(listing: Listing, done: Keys) -> pa.Table:
    """The listed files that may hold something that is not done, with their metadata as JSON."""
    lines = {path: line for table in listing.tables for path, line in table.lines.items()}
    rows = []
    for file in listing.files:
        known = file.mtime_ns and not is_container(file.path)
        if known and is_done(key_of(file.path, file.size, file.mtime_ns), done):
            continue
        meta = "{}"
        with suppress(InputError):  # the load says so, and stores the picture without it
            meta = json.dumps(clean_metadata(lines.get(file.path, {})))
        rows.append(file._asdict() | {"meta": meta})
    return pa.Table.from_pylist(rows)


@contextmanager
def _cluster(parts: Path) -> Iterator[Any]:
    """Ray, connected; its errors become Ocelot's."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    with requires_extra("ray", "--engine ray"):
        import ray
        import ray.data
    own = not ray.is_initialized()
    try:
        if own:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars, context.raise_original_map_exception = False, True
        for handler in logging.getLogger("ray.data").handlers:
            # Ray's own, not the caller's; its files keep everything.
            of_ray = type(handler).__module__.startswith("ray.")
            if of_ray and isinstance(handler, logging.StreamHandler):
                handler.setLevel(logging.CRITICAL)
        yield ray
    except (ray.exceptions.RayError, ConnectionError) as error:
        cause = getattr(error, "cause", None) or error
        reason = next(iter(str(cause).strip().splitlines()), type(cause).__name__)
        if isinstance(cause, OcelotError):
            cause.args = (reason,)  # Ray appends advice for developers
            raise cause from None
        raise EncoderError(
            f"Ray failed while encoding ({reason}). What was encoded is kept in {parts}: run the "
            "command again to continue."
        ) from error
    finally:
        if own:
            ray.shutdown()
