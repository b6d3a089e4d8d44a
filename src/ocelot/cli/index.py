"""`ocelot index`: pictures into a collection."""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ocelot.cli.logs import write_logs_as
from ocelot.cli.options import BATCH, DATABASE, ENCODER, INDEX, Given, Json, option, takes
from ocelot.cli.terminal import (
    print_list,
    printable,
    progress_bar,
    resumable,
    warn_if_large,
)
from ocelot.errors import InputError
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.engine import Engine
    from ocelot.indexing.stamp import Stamp
    from ocelot.settings import Settings
    from ocelot.types import IndexReport

__all__ = ["index", "index_with_progress", "print_report"]

_BUNDLED = (
    "Encoder: ocelot-tiny, which knows what shops sell (clothes, shoes, bags, furniture, phone "
    "cases, groceries), their colours and prints, and simple English. For other pictures and "
    "words: another --db with --encoder bge-visualized-base (fetches 0.4 GB once)."
)
_SHOWN_REMARKS = 5


@takes(DATABASE, INDEX, ENCODER, BATCH)
def index(
    directory: Annotated[
        list[str],  # a Path would make the working folder of an empty argument
        typer.Argument(metavar="DIR", help="Folders or image files; URLs, too, with --engine ray."),
    ],
    *,
    given: Given,
    full_decoding: Annotated[
        bool, typer.Option("--full-decoding", help="Decode large JPEGs at full size.")
    ] = False,
    metadata: Annotated[
        Path | None,
        option(
            help="A csv, jsonl or parquet file with a column file_name. [metadata.* in DIR or "
            "above it]"
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove rows whose files below DIR are gone.")
    ] = False,
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
    if engine == "ray":
        from ocelot.cli.cluster import index_with_ray
        from ocelot.settings import load_settings

        if video is not None:
            raise InputError("--video cannot be used with --engine ray: index videos without it.")
        reduced = False if full_decoding else None
        settings = load_settings(**given, reduced_decoding=reduced, reranker="none")
        write_logs_as(settings.log_format)
        options: dict[str, Any] = {"metadata": metadata, "prune": prune, "column": image_column}
        options |= {"work": work, "workers": workers, "gpus": gpus}
        index_with_ray(settings, directory, as_json=as_json, **options)
        return
    from ocelot.build import build_engine
    from ocelot.encoders.weights import BUNDLED
    from ocelot.images.places import is_url
    from ocelot.indexing.scan import roots_of
    from ocelot.settings import load_settings

    if urls := list(filter(is_url, directory)):
        raise InputError(f"{urls[0]} is a URL: add --engine ray to index it.")
    started = time.perf_counter()
    # A missing folder is reported before anything is loaded or created.
    folders = [Path(root) for root in roots_of(directory)]
    reduced = False if full_decoding else None
    settings = load_settings(**given, reduced_decoding=reduced, reranker="none")
    write_logs_as(settings.log_format)
    if sys.stderr.isatty() and not as_json:  # converting and calibrating take a while, once
        logging.getLogger("ocelot.encoders").setLevel(logging.INFO)
    stamp = None if prune or video else _stamp(settings, folders, metadata)
    kept = stamp.load() if stamp else None
    if kept is not None:
        report = replace(kept.report, seconds=time.perf_counter() - started)
        total = kept.rows
    else:
        with resumable(), build_engine(settings, pictures=folders) as shop:
            report = index_with_progress(shop, folders, metadata, prune, video, quiet=as_json)
            total = shop.count()
        if stamp is not None:
            stamp.save(total, report)
    if as_json:
        table = asdict(report) | {"total": total, "db": settings.db}
        typer.echo(json.dumps(table, ensure_ascii=False))
    else:
        print_report(report, total, settings.db)
        if settings.encoder == BUNDLED and not given.get("encoder") and total == report.encoded > 0:
            typer.echo(_BUNDLED)
    warn_if_large(settings.db, total)
    usable = report.unchanged + report.encoded + report.relocated + report.updated
    if report.failures and not usable:
        raise typer.Exit(1)


def _stamp(settings: Settings, paths: list[Path], metadata: Path | None) -> Stamp | None:
    """Return a stamp, which can show from the disk alone that nothing is to be done.

    There is none for a server, which has no files to compare; for int8, which may have to be
    calibrated although no picture is new; and for an encoder that is not on this disk.
    """
    from ocelot import __version__
    from ocelot.encoders.weights import locate
    from ocelot.errors import OcelotError
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


def index_with_progress(
    engine: Engine,
    paths: list[Path],
    metadata: Path | None = None,
    prune: bool = False,
    video: str | None = None,
    *,
    quiet: bool = False,
) -> IndexReport:
    """Call `Engine.index` with a progress bar."""
    with progress_bar("Indexing", quiet=quiet) as show:
        return engine.index(paths, metadata=metadata, prune=prune, video=video, progress=show)


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
        typer.echo(printable(f"Metadata: {path} names {named:,} of them."))
    typer.echo(f"{db} now holds {count(total)}.")
    failed, remarks = len(report.failures), len(report.remarks)
    print_list(f"{count(failed, 'file')} could not be used", report.failures)
    print_list(f"{count(remarks, 'remark')} on metadata", report.remarks, _SHOWN_REMARKS)
