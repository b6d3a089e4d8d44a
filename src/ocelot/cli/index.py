"""`ocelot index`: pictures into a collection."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ocelot import __version__
from ocelot.cli.logs import write_logs_as
from ocelot.cli.options import BATCH, DATABASE, ENCODER, INDEX, Json, Settings, flag, option, takes
from ocelot.cli.terminal import (
    print_failures,
    print_json,
    print_list,
    progress_bar,
    resumable,
    say,
    warn_if_large,
)
from ocelot.errors import InputError, OcelotError
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.indexing.stamp import Stamp
    from ocelot.types import IndexReport

__all__ = ["index", "print_report"]

_BUNDLED = (
    "Encoder: ocelot-tiny, which knows what shops sell (clothes, shoes, bags, furniture, phone "
    "cases, groceries), their colours and prints, and simple English. For other pictures and "
    "words: pip install 'ocelot-search[bge]', and another --db with --encoder bge-visualized-base."
)


@takes(DATABASE, INDEX, ENCODER, BATCH, reranker="none")
def index(
    directory: Annotated[
        list[str],  # a Path would make the working folder of an empty argument
        typer.Argument(metavar="DIR", help="Folders or image files; URLs, too, with --engine ray."),
    ],
    *,
    settings: Settings,
    full_decoding: Annotated[
        bool, flag("--full-decoding", "Decode large JPEGs at full size.")
    ] = False,
    metadata: Annotated[
        Path | None,
        option(
            help="A csv, jsonl or parquet file with a column file_name. [metadata.* in DIR or "
            "above it]"
        ),
    ] = None,
    prune: Annotated[bool, flag("--prune", "Remove rows whose files below DIR are gone.")] = False,
    video: Annotated[
        str | None,
        option(
            metavar="scene|SECONDS",
            help="Also index videos: a frame of each scene, or one every so many seconds.",
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"],
        option(
            metavar="local|ray", help="ray encodes on a Ray cluster; see docs/cluster.md. [local]"
        ),
    ] = "local",
    work: Annotated[
        Path | None,
        option(
            metavar="DIR", help="With ray: the shared folder for vectors. [beside the database]"
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, show_default=False, help="With ray: encoders. [as many as GPUs, or 1]"),
    ] = None,
    gpus: Annotated[
        float, typer.Option(min=0, help="With ray: GPUs of each encoder, such as 1 or 0.5.")
    ] = 0,
    image_column: Annotated[
        str, typer.Option(help="With ray: the column of Parquet files with the pictures.")
    ] = "image",
    as_json: Json = False,
) -> None:
    """Index a folder of pictures. Run it again at any time: only new pictures are encoded.

    Examples:
        ocelot index pictures
        ocelot index pictures --db shop.db --metadata items.csv --prune
        ocelot index "s3://bucket/shards/*.tar" --engine ray --gpus 1 --db http://milvus:19530
    """
    started = time.perf_counter()
    write_logs_as(settings.log_format)
    if full_decoding:
        settings = settings.model_copy(update={"reduced_decoding": False})
    if engine == "ray":
        if video is not None:
            raise InputError("--video cannot be used with --engine ray: index videos without it.")
        options = {"column": image_column, "workers": workers, "gpus": gpus}
        report, total, more = _index_with_ray(
            settings, directory, metadata, prune, work, quiet=as_json, **options
        )
    else:
        report, total = _index_here(settings, directory, metadata, prune, video, quiet=as_json)
        more = {}
    report = replace(report, seconds=time.perf_counter() - started)
    warn_if_large(settings.db, total)
    if as_json:
        print_json({**vars(report), "total": total, "db": settings.db, **more})
    else:
        print_report(report, total, settings.db)
        if "parts" in more:
            say(f"{count(more['encoded_now'])} encoded now; the vectors are in {more['parts']}.")
        if "encoder" not in settings.model_fields_set and total == report.encoded > 0:
            typer.echo(_BUNDLED)
    usable = report.unchanged + report.encoded + report.relocated + report.updated
    if report.failures and not usable:
        raise typer.Exit(1)


def _index_here(
    settings: Settings,
    directory: Sequence[str],
    metadata: Path | None,
    prune: bool,
    video: str | None,
    *,
    quiet: bool,
) -> tuple[IndexReport, int]:
    """Index, and return the report and how many pictures there are."""
    from ocelot.build import build_engine
    from ocelot.images.places import is_url
    from ocelot.indexing.scan import roots_of

    if urls := list(filter(is_url, directory)):
        raise InputError(f"{urls[0]} is a URL: add --engine ray to index it.")
    # A missing folder is reported before anything is loaded or created.
    folders = [Path(root) for root in roots_of(directory)]
    if sys.stderr.isatty() and not quiet:  # converting and calibrating take a while, once
        logging.getLogger("ocelot.encoders").setLevel(logging.INFO)
    stamp = None if prune or video else _stamp(settings, folders, metadata)
    if stamp is not None and (kept := stamp.load()):
        return kept.report, kept.rows
    with (
        resumable(),
        build_engine(settings, pictures=folders) as shop,
        progress_bar("Indexing", quiet=quiet) as show,
    ):
        report = shop.index(folders, metadata=metadata, prune=prune, video=video, progress=show)
        total = shop.count()
    if stamp is not None:
        stamp.save(total, report)
    return report, total


def _stamp(settings: Settings, paths: list[Path], metadata: Path | None) -> Stamp | None:
    """Return a stamp, which can show from the disk alone that nothing is to be done.

    There is none for a server, which has no files to compare; for int8, which may have to be
    calibrated although no picture is new; and for an encoder that is not on this disk.
    """
    from ocelot.encoders.weights import locate
    from ocelot.indexing.stamp import Stamp

    if "://" in settings.db or settings.precision == "int8" or settings.calibration is not None:
        return None
    try:
        encoder = locate(settings.encoder, settings.text_model, fetch=False).stamp()
    except OcelotError:
        return None
    computed = (settings.backend, settings.precision, settings.device)
    options = (__version__, settings.collection, settings.index, encoder, *computed)
    return Stamp(paths, metadata, settings.db, options=options)


def _index_with_ray(
    settings: Settings,
    sources: Sequence[str],
    metadata: Path | None,
    prune: bool,
    work: Path | None,
    *,
    quiet: bool,
    **options: Any,
) -> tuple[IndexReport, int, dict[str, Any]]:
    """As `_index_here`, on a Ray cluster; also return how many were encoded, and the parts.

    Args:
        work: By default a folder beside a local database, or in the working folder.
        options: Of the `Cluster`.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # else Milvus's gRPC reports Ray's forks
    from ocelot.build import build_encoder, build_engine
    from ocelot.indexing.cluster import Cluster, list_sources

    listing = list_sources(sources, metadata)  # before anything is loaded or created
    stem = "ocelot" if "://" in settings.db else os.path.expanduser(settings.db.removesuffix(".db"))
    make_encoder = partial(build_encoder, settings.without_secrets())
    cluster = Cluster(make_encoder, work or f"{stem}-vectors", **options)
    with resumable(), build_engine(settings) as shop, progress_bar("Indexing", quiet=quiet) as show:
        stored = shop.collection, shop.encoder, shop.images
        done = cluster.index(listing, *stored, prune=prune, progress=show)
        total = shop.count()
    if done.index.failures:
        say(f"{done.failures} lists all that could not be used.", err=True)
    return done.index, total, {"encoded_now": done.encoded, "parts": str(done.parts)}


def print_report(report: IndexReport, total: int, db: str) -> None:
    """Print what the run did in a few lines, then files that failed and remarks on metadata."""
    parts = [
        (report.encoded, "encoded"),
        (report.unchanged, "unchanged"),
        (report.relocated, "moved, copied or touched"),
        (report.updated, "with new metadata"),
        (report.removed, "removed"),
    ]
    summary = ", ".join(f"{n:,} {what}" for n, what in parts if n) or "nothing to do"
    rate = f", {report.encoded / report.seconds:.0f} pictures/s" if report.encoded else ""
    typer.echo(f"{count(report.found)} found: {summary} ({report.seconds:.1f} s{rate}).")
    for path, named in report.metadata.items():
        say(f"Metadata: {path} names {named:,} of them.")
    typer.echo(f"{db} now holds {count(total)}.")
    print_failures(report.failures, "file")
    print_list(f"{count(len(report.remarks), 'remark')} on metadata", report.remarks, 5)
