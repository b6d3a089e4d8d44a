"""`ocelot repair`: make a damaged local database usable again."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict

import typer

from ocelot.cli.options import DATABASE, Given, Json, takes
from ocelot.words import count

__all__ = ["repair"]

_SHOWN = 10  # pictures named on the terminal


@takes(DATABASE)
def repair(*, given: Given, as_json: Json = False) -> None:
    """Repair a damaged local database: keep a copy, save what can be read, say what is lost.

    Exits with 1 if something is lost.

    Examples:
        ocelot repair --db shop.db
    """
    from ocelot.collection import Collection
    from ocelot.collection.lite.repair import repair
    from ocelot.errors import CollectionError
    from ocelot.settings import load_settings

    settings = load_settings(**given)
    done = repair(settings.db)
    rows = None
    if done.copy:
        name = settings.collection
        with (
            suppress(CollectionError),  # only other collections may be left
            Collection.open(settings.db, name=name, create=False) as collection,
        ):
            rows = collection.count()
    if as_json:
        typer.echo(json.dumps({**asdict(done), "count": rows}, default=str, ensure_ascii=False))
    elif not done.copy:
        typer.echo(f"{settings.db} is not damaged: nothing was changed.")
    else:
        typer.echo(f"The damaged database is kept as {done.copy}. Its damage:")
        for damage in done.damages:
            typer.echo(f"  {damage}")
        typer.echo("Lost:" if done.losses else "Nothing is lost.")
        for loss in done.losses:
            typer.echo(f"  {loss.collection}: {loss.reason}")
            for picture in loss.pictures[:_SHOWN]:
                typer.echo(f"    {picture}")
            if len(loss.pictures) > _SHOWN:
                typer.echo(f"    and {len(loss.pictures) - _SHOWN:,} more; --json names all")
        if rows is not None:
            typer.echo(f"{settings.db} now holds {count(rows)}.")
        if done.losses:
            typer.echo("To add what is lost, run `ocelot index` on the folders of the pictures.")
    if done.losses:
        raise typer.Exit(1)
