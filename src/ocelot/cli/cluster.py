"""`ocelot index --engine ray`: pictures encoded on many machines."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ocelot.cli.terminal import printable, progress_bar, resumable, warn_if_large
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.settings import Settings

__all__ = ["index_with_ray"]


def index_with_ray(
    settings: Settings,
    sources: Sequence[str],
    *,
    metadata: Path | None,
    prune: bool,
    work: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Index and print a summary; exit with 1 if no picture could be used.

    Args:
        work: By default a folder beside a local database, or in the working folder.
        options: Of the `Cluster`.
    """
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")  # else Milvus's gRPC reports Ray's forks
    from ocelot.build import build_encoder, build_engine
    from ocelot.cli.index import print_report
    from ocelot.indexing.cluster import Cluster, list_sources

    started = time.perf_counter()
    listing = list_sources(sources, metadata)  # before anything is loaded or created
    stem = "ocelot" if "://" in settings.db else os.path.expanduser(settings.db.removesuffix(".db"))
    make_encoder = partial(build_encoder, settings.without_secrets())
    cluster = Cluster(make_encoder, work or f"{stem}-vectors", **options)
    with (
        resumable(),
        build_engine(settings) as engine,
        progress_bar("Indexing", quiet=as_json) as show,
    ):
        stored = engine.collection, engine.encoder, engine.images
        done = cluster.index(listing, *stored, prune=prune, progress=show)
        total = engine.count()
    warn_if_large(settings.db, total)
    report = replace(done.index, seconds=time.perf_counter() - started)
    if as_json:
        table = asdict(report) | {"total": total, "db": settings.db}
        table |= {"encoded_now": done.encoded, "parts": str(done.parts)}
        typer.echo(json.dumps(table, ensure_ascii=False))
    else:
        print_report(report, total, settings.db)
        typer.echo(
            printable(f"{count(done.encoded)} encoded now; the vectors are in {done.parts}.")
        )
        if report.failures:
            typer.echo(printable(f"{done.failures} lists all that could not be used."), err=True)
    if report.failures and not total:
        raise typer.Exit(1)
