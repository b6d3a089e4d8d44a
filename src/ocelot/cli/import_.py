"""`ocelot import`: the rows of a Parquet file that `ocelot export` wrote."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli.options import DATABASE, INDEX, Given, Json, takes
from ocelot.cli.terminal import print_list, progress_bar, resumable
from ocelot.words import count

__all__ = ["import_"]


@takes(DATABASE, INDEX)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ocelot export` wrote.")],
    *,
    given: Given,
    as_json: Json = False,
) -> None:
    """Put the rows of a Parquet file into a collection, with their vectors as they are.

    Nothing is encoded, and no encoder is needed. Rows replace those with the same ids, so the
    command can be run again. The collection is made if it is missing; one of another encoder is
    refused.

    Examples:
        ocelot import shop.parquet --db http://localhost:19530 --collection shop
    """
    from ocelot.build import build_collection
    from ocelot.maintenance.export import identity_of, import_rows
    from ocelot.settings import load_settings

    settings = load_settings(**given)
    with (
        resumable(),
        build_collection(settings, identity_of(file)) as collection,
        progress_bar("Importing", quiet=as_json) as show,
    ):
        report = import_rows(file, collection, show)
        total = collection.count()
    if as_json:
        table = asdict(report) | {"total": total, "db": settings.db}
        typer.echo(json.dumps(table, ensure_ascii=False))
    else:
        typer.echo(f"{count(report.found, 'row')} found: {report.stored:,} stored.")
        typer.echo(f"{settings.db} now holds {count(total)}.")
        print_list(f"{count(len(report.failures), 'row')} left out", report.failures)
    if report.failures and not report.stored:
        raise typer.Exit(1)
