"""`ocelot export`: a collection as a Parquet file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli.options import DATABASE, Filter, Given, Json, takes
from ocelot.cli.terminal import progress_bar
from ocelot.words import count

__all__ = ["export"]


@takes(DATABASE)
def export(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .parquet file, or a folder for one."),
    ],
    *,
    given: Given,
    filter: Filter = None,
    as_json: Json = False,
) -> None:
    """Write a collection to a Parquet file: ids, paths, vectors and metadata.

    pandas reads it, Milvus's bulk import takes it as it is, and `ocelot import` puts it into
    another collection. Pictures are not part of it.

    Examples:
        ocelot export shop.parquet --db shop.db --filter "price < 30"
    """
    from ocelot.build import build_collection
    from ocelot.maintenance.export import export_rows
    from ocelot.settings import load_settings

    settings = load_settings(**given)
    target = file if file.suffix == ".parquet" else file / f"{settings.collection}.parquet"
    with (
        build_collection(settings, create=False) as collection,
        progress_bar("Exporting", quiet=as_json) as show,
    ):
        written = export_rows(collection, target, filter=filter, progress=show)
    size = target.stat().st_size
    if as_json:
        typer.echo(json.dumps({"file": str(target), "rows": written, "bytes": size}))
    else:
        typer.echo(f"{target} holds {count(written, 'row')} ({size / 1e6:,.1f} MB).")
