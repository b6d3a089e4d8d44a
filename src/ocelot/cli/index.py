"""`ocelot index` and `ocelot info`."""

from __future__ import annotations

import json
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli import options
from ocelot.cli.terminal import printable

if TYPE_CHECKING:
    from ocelot.engine import Engine
    from ocelot.indexing.stamp import Stamp
    from ocelot.settings import Settings
    from ocelot.types import IndexReport

__all__ = ["index", "index_with_progress", "info", "print_report"]

_SHOWN_FAILURES = 20


def index(
    directory: Annotated[
        list[Path], typer.Argument(metavar="DIR…", help="Folders or image files.", exists=False)
    ],
    db: options.Database = None,
    collection: options.CollectionName = None,
    token: options.Token = None,
    encoder: options.EncoderName = None,
    weights: options.Weights = None,
    text_model: options.TextModel = None,
    device: options.Device = None,
    backend: options.Backend = None,
    precision: options.Precision = None,
    calibration: options.Calibration = None,
    batch_size: options.Batch = None,
    full_decoding: Annotated[
        bool, typer.Option("--full-decoding", help="Decode large JPEGs at their full size.")
    ] = False,
    metadata: Annotated[
        Path | None,
        typer.Option(
            help="csv, jsonl or parquet with a file_name column. [metadata.* in DIR]",
            show_default=False,
        ),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove rows whose files below DIR are gone.")
    ] = False,
    index_type: Annotated[
        str | None,
        typer.Option(
            "--index",
            help="FLAT, HNSW, IVF_FLAT, IVF_SQ8, DISKANN or AUTOINDEX. [auto]",
            show_default=False,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Index a folder of pictures. Run it again at any time: only what is new is encoded."""
    from ocelot.build import build_engine
    from ocelot.indexing.scan import roots_of
    from ocelot.settings import load_settings

    started = time.perf_counter()
    roots_of(directory)  # before anything is loaded or made
    settings = load_settings(
        db=db,
        collection=collection,
        token=token,
        index=index_type,
        batch_size=batch_size,
        reduced_decoding=False if full_decoding else None,
        **options.encoder_settings(
            encoder, weights, text_model, device, backend, precision, calibration
        ),
        reranker="none",
    )
    if sys.stderr.isatty() and not as_json:  # converting and calibrating take their time, once
        logging.getLogger("ocelot.encoders").setLevel(logging.INFO)
    stamp = None if prune else _stamp(settings, directory, metadata)
    kept = stamp.kept() if stamp else None
    if kept is not None:
        report = replace(kept.report, seconds=time.perf_counter() - started)
        total = kept.rows
    else:
        with build_engine(settings, pictures=directory) as engine:
            report = index_with_progress(engine, directory, metadata, prune, quiet=as_json)
            total = engine.count()
        if stamp is not None:
            stamp.keep(total, report.failures)
    if as_json:
        table = vars(report) | {"failures": [vars(failure) for failure in report.failures]}
        typer.echo(json.dumps(table | {"total": total}, ensure_ascii=False))
    else:
        print_report(report, total, settings.db)
    done = report.unchanged + report.encoded + report.relocated + report.updated
    if report.failures and not done:
        raise typer.Exit(1)


def _stamp(settings: Settings, paths: list[Path], metadata: Path | None) -> Stamp | None:
    """What tells from the disk alone whether there is anything to do; None where it cannot.

    A server has no files to look at, int8 may have to be calibrated though no picture is new, and
    an encoder that cannot be found without the network is for the run itself to find.
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
    return Stamp.of(paths, metadata, settings.db, options=options)


def index_with_progress(
    engine: Engine,
    paths: list[Path],
    metadata: Path | None = None,
    prune: bool = False,
    *,
    quiet: bool = False,
) -> IndexReport:
    """`Engine.index` with a bar: count, rate, time left."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from ocelot.indexing import Progress as Done

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=quiet or not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("Indexing", total=None, rate="")

        def show(done: Done) -> None:
            speed = bar.tasks[task].speed
            rate = f"{speed:.0f} pictures/s" if speed else ""
            bar.update(task, completed=done.done, total=done.total, rate=rate)

        return engine.index(paths, metadata=metadata, prune=prune, progress=show)


def print_report(report: IndexReport, total: int, db: str) -> None:
    """What the run did, in a few lines; each bad file with its reason."""
    parts = [
        (report.encoded, "encoded"),
        (report.unchanged, "unchanged"),
        (report.relocated, "moved, copied or touched"),
        (report.updated, "with new metadata"),
        (report.removed, "removed"),
    ]
    said = ", ".join(f"{count} {word}" for count, word in parts if count) or "nothing to do"
    rate = f", {report.encoded / report.seconds:.0f} pictures/s" if report.encoded else ""
    typer.echo(f"{_pictures(report.found)} found: {said} ({report.seconds:.1f} s{rate}).")
    typer.echo(f"{db} now holds {_pictures(total)}.")
    if report.failures:
        count = len(report.failures)
        typer.echo(f"{count} {'file' if count == 1 else 'files'} could not be used:", err=True)
        for failure in report.failures[:_SHOWN_FAILURES]:
            typer.echo(printable(f"  {failure.path}: {failure.reason}"), err=True)
        if count > _SHOWN_FAILURES:
            typer.echo(f"  … and {count - _SHOWN_FAILURES} more (--json lists all)", err=True)


def _pictures(count: int) -> str:
    return f"{count} picture{'' if count == 1 else 's'}"


def info(
    db: options.Database = None,
    collection: options.CollectionName = None,
    token: options.Token = None,
    as_json: options.Json = False,
) -> None:
    """Say what a collection holds: pictures, encoder, index."""
    from ocelot.collection import Collection
    from ocelot.settings import load_settings

    settings = load_settings(db=db, collection=collection, token=token)
    secret = settings.token.get_secret_value() if settings.token else None
    with Collection.open(settings.db, name=settings.collection, token=secret, create=False) as it:
        table = dict(vars(it.describe()))
    if as_json:
        typer.echo(json.dumps(table, default=vars, ensure_ascii=False))
        return
    encoder = table["encoder"]
    runtime = f", {encoder.runtime}" if encoder.runtime else ""
    table["encoder"] = f"{encoder.name} ({encoder.dimension} dimensions{runtime})"
    for key, value in table.items():
        typer.echo(f"{key.replace('_', ' '):<14} {value}")
