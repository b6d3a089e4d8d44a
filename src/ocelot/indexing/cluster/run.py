"""Encoding with Ray Data, and then loading.

    list ─▶ new? ─▶ read, decode ─▶ encode ─▶ parts          parts ─▶ Milvus
            (tasks on CPUs)       (actors)  (tasks)          (this process)

Ray Data streams: each step waits while the next one has enough to do, so memory is bounded.
"""

from __future__ import annotations

import io
import json
import logging
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ocelot.collection import Collection, EncoderIdentity, clean_metadata
from ocelot.encoders.base import Encoder
from ocelot.errors import ConfigurationError, EncoderError, ImageError, InputError, OcelotError
from ocelot.files import write_atomic
from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.indexing.cluster.parts import LoadRun, is_done, key_of, stored_keys, write_part
from ocelot.indexing.cluster.sources import (
    Listing,
    Picture,
    is_container,
    list_sources,
    pictures_of,
)
from ocelot.indexing.pipeline import Progress
from ocelot.indexing.scan import File
from ocelot.types import Failure, IndexReport, Input

if TYPE_CHECKING:
    from ocelot.indexing.cluster.parts import Keys

__all__ = ["ClusterReport", "index_on_cluster"]

_FILES = 16  # that one task reads
_DECODED = 32  # pictures that a task passes on at once
_CPUS = 0.5  # of a task that decodes: it waits for the network half of the time


@dataclass(frozen=True)
class ClusterReport:
    """What an indexing run on many machines did.

    Attributes:
        index: As of an ordinary run; its `encoded` counts the pictures that are new in the
            collection, also those that an earlier run has encoded.
        encoded: Pictures that this run encoded.
        parts: Folder with the vectors.
        failures: File with one line of JSON for each picture that could not be used.
    """

    index: IndexReport
    encoded: int
    parts: Path
    failures: Path


def index_on_cluster(
    sources: Sequence[str],
    collection: Collection,
    encoder: Encoder,
    images: ImageStore,
    make_encoder: Callable[[], Encoder],
    work: str | Path,
    *,
    metadata: str | Path | None = None,
    prune: bool = False,
    column: str = "image",
    workers: int | None = None,
    gpus: float = 0,
    part_rows: int = 2_048,
    progress: Callable[[Progress], None] | None = None,
) -> ClusterReport:
    """Bring a collection up to date with sources, encoded by a Ray cluster.

    The cluster is the one that this process is connected to, the one of RAY_ADDRESS, or one on
    this machine that is stopped at the end.

    Args:
        sources: Folders, image files, `.tar` and `.parquet` files, and URLs of all these.
        encoder: The encoder of the collection.
        make_encoder: Makes the same encoder on a worker; it is pickled.
        work: Folder for the vectors, which all machines share.
        metadata, prune, progress: As of `Engine.index`.
        column: Of Parquet files: the one with the pictures.
        workers: Encoders at once; by default one for each share of `gpus` in the cluster, or one.
        gpus: GPUs of each encoder; may be a fraction.
        part_rows: Pictures in one part.

    Raises:
        ConfigurationError: The extra `ray` is not installed.
        InputError, MetadataError: As of `list_sources`.
        EncoderError, CollectionError, StorageError: What was encoded or stored before is kept.
    """
    identity = EncoderIdentity.of(encoder)
    collection.check(identity)
    listing = list_sources(sources, metadata)
    work = Path(os.path.abspath(work))
    parts = work / hash_bytes(identity.fingerprint.encode())[:16]
    done = stored_keys(parts, collection)
    new = [
        file
        for file in listing.files
        if is_container(file.path)
        or not file.mtime_ns
        or not is_done(key_of(file.path, file.size, file.mtime_ns), done)
    ]
    encoded, failures = 0, list[Failure]()
    for count, failed in _encode(
        new, listing, done, encoder, make_encoder, parts, column, workers, gpus, part_rows
    ):
        encoded += count
        failures += failed
        if progress is not None:
            progress(Progress(encoded, len(new), 0, encoded, len(failures)))
    report = work / "failures.jsonl"
    lines = [json.dumps({"file": one.path, "cause": one.reason}) + "\n" for one in failures]
    write_atomic(report, "".join(lines).encode())
    with LoadRun(collection, encoder, images, None, progress, _folders(sources)) as run:
        return ClusterReport(
            run.load_parts(parts, listing, failures, prune), encoded, parts, report
        )


def _folders(sources: Sequence[str]) -> list[str]:
    local = (os.path.abspath(source.removeprefix("file://")) for source in sources)
    return [os.path.join(path, "") for path in local if os.path.isdir(path)]


def _encode(
    files: Sequence[File],
    listing: Listing,
    done: Keys,
    encoder: Encoder,
    make_encoder: Callable[[], Encoder],
    parts: Path,
    column: str,
    workers: int | None,
    gpus: float,
    part_rows: int,
) -> Iterator[tuple[int, list[Failure]]]:
    """Encode files to parts; yields how many pictures of each part were, and which were not."""
    if not files:
        return
    lines = {path: line for table in listing.tables for path, line in table.lines.items()}
    table = pa.table(
        {
            "path": [file.path for file in files],
            "size": [file.size for file in files],
            "mtime_ns": [file.mtime_ns for file in files],
            "meta": [_as_json(lines.get(file.path, {})) for file in files],
        }
    )
    with _cluster(parts) as ray:
        if workers is None:
            workers = int(ray.cluster_resources().get("GPU", 0) / gpus) if gpus else 1
        blocks = sum(is_container(file.path) for file in files) + math.ceil(len(files) / _FILES)
        stored = (
            ray.data.from_arrow(table, override_num_blocks=min(blocks, len(files)))
            .map_batches(
                _decode,
                batch_size=_FILES,
                batch_format="pyarrow",
                num_cpus=_CPUS,
                fn_kwargs={"column": column, "side": encoder.decode_side, "done": ray.put(done)},
            )
            .map_batches(
                _Encode,
                batch_size=encoder.batch_size,
                batch_format="pyarrow",
                num_cpus=1,
                num_gpus=gpus or None,
                compute=ray.data.ActorPoolStrategy(size=max(1, workers)),
                fn_constructor_args=(make_encoder, encoder.fingerprint),
            )
            .map_batches(
                partial(_store, folder=parts),
                batch_size=part_rows,
                batch_format="pyarrow",
                num_cpus=_CPUS,
            )
        )
        for row in stored.iter_rows():
            yield row["encoded"], [Failure(*one) for one in json.loads(row["failures"])]


@contextmanager
def _cluster(parts: Path) -> Iterator[Any]:
    """Ray, connected; its errors become Ocelot's."""
    try:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray
        import ray.data
    except ImportError as error:
        raise ConfigurationError(
            f"--engine ray needs more packages ({error.name} is missing): "
            "pip install 'ocelot-search[ray]'."
        ) from None
    own = not ray.is_initialized()
    try:
        if own:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="WARNING")
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars, context.raise_original_map_exception = False, True
        for handler in logging.getLogger("ray.data").handlers:
            if isinstance(handler, logging.StreamHandler):  # its files keep everything
                handler.setLevel(logging.CRITICAL)
        yield ray
    except (ray.exceptions.RayError, ConnectionError, ValueError) as error:
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


def _as_json(metadata: Any) -> str:
    try:
        return json.dumps(clean_metadata(metadata))
    except InputError:  # the load says so, and stores the picture without it
        return "{}"


# On the workers.


def _decode(files: pa.Table, column: str, side: int | None, done: Any) -> Iterator[pa.Table]:
    """Read and decode the pictures of files, except those that are done."""
    import ray

    keys = ray.get(done)  # shared by the tasks of a machine
    rows: list[dict[str, Any]] = []
    for listed in files.to_pylist():
        file = File(listed["path"], listed["size"], listed["mtime_ns"])
        for picture in pictures_of(file, column):
            row = {"source": file.path, "stamp": file.mtime_ns, "error": "", "pixels": b""}
            row |= {"id": "", "paths": "", "size": 0, "width": 0, "height": 0, "$meta": ""}
            try:
                if not _load(picture, row, side, keys):
                    continue
                if picture.path == file.path:
                    row["$meta"] = listed["meta"]
            except InputError as error:
                row["error"] = error.reason if isinstance(error, ImageError) else str(error)
            rows.append(row | {"path": picture.path})
            if len(rows) >= _DECODED:
                yield pa.Table.from_pylist(rows)
                rows = []
    yield pa.Table.from_pylist(rows, schema=_DECODED_SCHEMA)


_DECODED_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("source", "error", "id", "paths", "$meta", "path")]
    + [(name, pa.int64()) for name in ("stamp", "size", "width", "height")]
    + [("pixels", pa.binary())]
)


def _load(picture: Picture, row: dict[str, Any], side: int | None, done: Keys) -> bool:
    """Fill in a row; False if the picture is done."""
    if picture.error:
        raise ImageError(picture.path, picture.error)
    path, mtime_ns = picture.path, picture.mtime_ns
    if mtime_ns and picture.size and is_done(key_of(path, picture.size, mtime_ns), done):
        return False
    image = ImageFile(picture.read(), path)
    size = len(image.data)
    if is_done(key_of(path, size, mtime_ns or image.id), done):
        return False
    decoded = image.decoded(side)
    pixels = io.BytesIO()
    decoded.image.save(pixels, "BMP")  # the quickest format that the encoder can read
    width, height = decoded.size
    row |= {"id": image.id, "paths": json.dumps({path: mtime_ns}), "size": size}
    row |= {"width": width, "height": height, "$meta": json.dumps(clean_metadata(picture.metadata))}
    row["pixels"] = pixels.getvalue()
    return True


class _Encode:
    """One encoder of a pool."""

    def __init__(self, make_encoder: Callable[[], Encoder], fingerprint: str) -> None:
        self._make, self._fingerprint = make_encoder, fingerprint
        self._threads = ThreadPoolExecutor(4, "ocelot-prepare")

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
        prepare = partial(_prepare, self._encoder)
        found = table["pixels"].to_pylist(), table["error"].to_pylist()
        prepared = list(self._threads.map(prepare, *found))
        usable = [number for number, (_, error) in enumerate(prepared) if not error]
        rows: list[Any] = [None] * len(prepared)
        if usable:
            vectors = self._encoder.embed_checked([prepared[number][0] for number in usable])
            for number, vector in zip(usable, vectors, strict=True):
                rows[number] = vector
        table = table.drop_columns(["pixels", "error"])
        table = table.append_column(
            "error", pa.array([error for _, error in prepared], pa.string())
        )
        return table.append_column("vector", pa.array(rows, pa.list_(pa.float32())))


def _prepare(encoder: Encoder, pixels: bytes, error: str) -> tuple[Any, str]:
    """What the encoder needs of a picture, or why it cannot be used."""
    if error:
        return None, error
    try:
        return encoder.prepare(Input(ImageFile(pixels))), ""
    except Exception as failure:  # an encoder may raise anything
        return None, f"it cannot be prepared ({type(failure).__name__}: {failure})"


def _store(table: pa.Table, folder: Path) -> pa.Table:
    """Write what has a vector as a part; return how many rows that was, and the failures."""
    usable = table.filter(table["vector"].is_valid())
    if usable.num_rows:
        write_part(usable.append_column("sha256", usable["id"]), folder)
    failed = table.filter(table["vector"].is_null())
    failures = list(zip(failed["path"].to_pylist(), failed["error"].to_pylist(), strict=True))
    return pa.table({"encoded": [usable.num_rows], "failures": [json.dumps(failures)]})
