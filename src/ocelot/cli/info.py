"""`ocelot info`: what a collection holds."""

from __future__ import annotations

import json

import typer

from ocelot.cli.options import DATABASE, Given, Json, takes

__all__ = ["info"]


@takes(DATABASE)
def info(*, given: Given, as_json: Json = False) -> None:
    """Show what a collection holds: pictures, encoder, index."""
    from ocelot.collection import Collection
    from ocelot.settings import load_settings

    settings = load_settings(**given)
    token = settings.token.get_secret_value() if settings.token else None
    with Collection.open(
        settings.db, name=settings.collection, token=token, create=False
    ) as collection:
        table = dict(vars(collection.describe()))
    if as_json:
        typer.echo(json.dumps(table, default=vars, ensure_ascii=False))
        return
    encoder = table["encoder"]
    runtime = f", {encoder.runtime}" if encoder.runtime else ""
    table["encoder"] = f"{encoder.name} ({encoder.dimension} dimensions{runtime})"
    for key, value in table.items():
        typer.echo(f"{key.replace('_', ' '):<14} {value}")
