"""What there is: `ocelot info`, `ocelot encoders` and `ocelot config show`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import typer

from ocelot.cli import options
from ocelot.cli.options import Given, Json, Settings, takes
from ocelot.cli.terminal import print_json, print_table, say, warn_if_large
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.collection import Facet

__all__ = ["config", "encoders", "info"]

_EXAMPLES = 4  # values of a field, and characters of each
_LENGTH = 32
_PRIVATE = re.compile(r"(?<=://)\S*(?=@)|(?<=\?)\S+")  # user and query of an address
_ALL = (options.DATABASE, options.INDEX, options.ENCODER, options.BATCH, options.RERANKER)


@takes(options.DATABASE)
def info(*, settings: Settings, as_json: Json = False) -> None:
    """Show what a collection holds: pictures, encoder, index, and the fields of the metadata.

    Of a large collection, the fields are read from a sample of 1,000 pictures.

    Examples:
        ocelot info --db shop.db
        ocelot info --json
    """
    from ocelot.build import build_collection
    from ocelot.collection import facets_of

    with build_collection(settings, create=False) as collection:
        table = {**vars(collection.describe()), "search_params": collection.search_params}
        table["others"] = collection.others()
        rows = collection.sample()
    fields = facets_of(row.metadata for row in rows)
    total = table["count"]
    warn_if_large(settings.db, total)
    if as_json:
        print_json({**table, "sampled": len(rows), "fields": fields, "db": settings.db})
        return
    encoder = table["encoder"]
    runtime = f", {encoder.runtime}" if encoder.runtime else ""
    table["encoder"] = f"{encoder.name} ({encoder.dimension} dimensions{runtime})"
    kept = ", ".join(f"{name}={value}" for name, value in table["search_params"].items())
    table["search_params"] = kept or "defaults; see `ocelot tune`"
    table["others"] = ", ".join(table["others"]) or "no other collections in this database"
    for key, value in table.items():
        say(f"{key.replace('_', ' '):<14} {value}")
    all_of_them = len(rows) >= total
    looked_at = count(total) if all_of_them else f"a sample of {len(rows):,} pictures"
    if not fields:
        typer.echo(f"\nNo metadata in {looked_at}.")
        return
    typer.echo(f"\nMetadata of {looked_at}, for --filter:")
    print_table(
        ["field", "type", "pictures", "examples"],
        [(field.key, field.kind, f"{field.count:,}", _examples(field)) for field in fields],
        right=["pictures"],
    )


def _examples(field: Facet) -> str:
    if field.kind == "number" and field.distinct > _EXAMPLES:
        return f"{field.low} to {field.high}"
    from ocelot.render.words import short

    shown = [short(_text(value), _LENGTH) for value in field.values[:_EXAMPLES]]
    return ", ".join([*shown, *(["…"] if field.distinct > len(shown) else [])])


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def encoders(as_json: Json = False) -> None:
    """List the encoders that have a name, and whether they are installed.

    Examples:
        ocelot encoders
    """
    from ocelot.encoders.catalog import CATALOG, status

    if as_json:
        print_json([{"name": n, **vars(e), "status": status(n)} for n, e in CATALOG.items()])
        return
    rows = []
    for name, entry in CATALOG.items():
        size = str(entry.dimension), f"{entry.megabytes:,}"
        published = f"{entry.figures} ({entry.source})" if entry.figures else "-"
        rows.append([name, *size, entry.licence, entry.inputs, published, status(name)])
    titles = ["name", "dimensions", "MB", "licence", "takes", "published", "status"]
    print_table(titles, rows, right=["dimensions", "MB"])
    typer.echo(
        "\nAny other model of pictures and words that sentence-transformers loads: --encoder "
        "st:NAME, a name on the Hugging Face hub or a folder."
    )


@takes(*_ALL, options.SERVER)
def show(*, given: Given, as_json: Json = False) -> None:
    """Show each setting, its value, and where it comes from. Secrets are masked.

    The options are those of other commands: add them to see what they change.

    Examples:
        ocelot config show
        ocelot config show --db shop.db --json
    """
    from ocelot.settings import load_settings, origins

    values = load_settings(**given).model_dump(mode="json")
    masked = {
        name: _PRIVATE.sub("**********", value) if isinstance(value, str) else value
        for name, value in values.items()
    }
    found = origins(**given)
    if as_json:
        print_json({name: {"value": masked[name], "origin": found[name]} for name in found})
        return
    shown = {name: "" if value is None else _text(value) for name, value in masked.items()}
    rows = [(name, shown[name], found[name]) for name in found]
    print_table(["setting", "value", "origin"], rows)


config = typer.Typer(help="Look at the settings.", no_args_is_help=True, rich_markup_mode=None)
options.add_command(config, show)
