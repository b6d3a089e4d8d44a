"""`ocelot info`: what a collection holds, and what it can be filtered by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from ocelot import words
from ocelot.cli.options import DATABASE, Given, Json, takes
from ocelot.cli.terminal import print_rows, printable, warn_if_large

if TYPE_CHECKING:
    from ocelot.collection import Facet

__all__ = ["info"]

_EXAMPLES = 4  # values of a field, and characters of each
_LENGTH = 32


@takes(DATABASE)
def info(*, given: Given, as_json: Json = False) -> None:
    """Show what a collection holds: pictures, encoder, index, and the fields of the metadata.

    Of a large collection, the fields are read from a sample of 1,000 pictures.

    Examples:
        ocelot info --db shop.db
        ocelot info --json
    """
    from ocelot.build import build_collection
    from ocelot.collection import facets_of
    from ocelot.settings import load_settings

    settings = load_settings(**given)
    with build_collection(settings, create=False) as collection:
        table = {**vars(collection.describe()), "search_params": collection.search_params}
        table["others"] = collection.others()
        rows = collection.sample()
    fields = facets_of(row.metadata for row in rows)
    warn_if_large(settings.db, table["count"])
    if as_json:
        table |= {"sampled": len(rows), "fields": fields}
        typer.echo(json.dumps(table, default=vars, ensure_ascii=False))
        return
    encoder = table["encoder"]
    runtime = f", {encoder.runtime}" if encoder.runtime else ""
    table["encoder"] = f"{encoder.name} ({encoder.dimension} dimensions{runtime})"
    kept = ", ".join(f"{name}={value}" for name, value in table["search_params"].items())
    table["search_params"] = kept or "defaults; see `ocelot tune`"
    table["others"] = ", ".join(table["others"]) or "no other collections in this database"
    for key, value in table.items():
        typer.echo(printable(f"{key.replace('_', ' '):<14} {value}"))
    _print_fields(fields, len(rows), table["count"])


def _print_fields(fields: Sequence[Facet], sampled: int, count: int) -> None:
    """Print the metadata fields, and how many of the pictures looked at have each."""
    from rich.table import Table
    from rich.text import Text

    looked_at = words.count(sampled) if sampled >= count else f"a sample of {sampled:,} pictures"
    typer.echo()
    if not fields:
        typer.echo(f"No metadata in {looked_at}.")
        return
    typer.echo(f"Metadata of {looked_at}, for --filter:")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("field", "type", "pictures", "examples"):
        table.add_column(title, justify="right" if title == "pictures" else "left", overflow="fold")
    for field in fields:
        name, examples = Text(printable(field.key)), Text(printable(_examples(field)))
        table.add_row(name, field.kind, f"{field.count:,}", examples)
    print_rows(table)


def _examples(field: Facet) -> str:
    if field.kind == "number" and field.distinct > _EXAMPLES:
        return f"{field.low} to {field.high}"
    texts = [
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for value in field.values[:_EXAMPLES]
    ]
    short = [text if len(text) <= _LENGTH else f"{text[: _LENGTH - 1]}…" for text in texts]
    return ", ".join([*short, *(["…"] if field.distinct > len(short) else [])])
