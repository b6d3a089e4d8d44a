"""`ocelot config`: the settings."""

from __future__ import annotations

import json
import re
from typing import Any

import typer

from ocelot.cli import options
from ocelot.cli.options import Given, Json
from ocelot.cli.terminal import print_rows, printable

__all__ = ["app"]

app = typer.Typer(help="Look at the settings.", no_args_is_help=True, rich_markup_mode=None)
_PRIVATE = re.compile(r"(?<=://)\S*(?=@)|(?<=\?)\S+")  # user and query of an address
_ALL = (options.DATABASE, options.INDEX, options.ENCODER, options.BATCH, options.RERANKER)


@options.takes(*_ALL, options.SERVER)
def show(*, given: Given, as_json: Json = False) -> None:
    """Show each setting, its value, and where it comes from. Secrets are masked.

    The options are those of other commands: add them to see what they change.

    Examples:
        ocelot config show
        ocelot config show --db shop.db --json
    """
    from ocelot.settings import load_settings, origins

    values = load_settings(**given).model_dump(mode="json")
    rows = {
        name: {"value": _masked(values[name]), "origin": origin}
        for name, origin in origins(**given).items()
    }
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("setting", "value", "origin"):
        table.add_column(title, overflow="fold")
    for name, row in rows.items():
        value = row["value"]
        shown = value if isinstance(value, str) else "" if value is None else json.dumps(value)
        table.add_row(name, Text(printable(shown)), row["origin"])
    print_rows(table)


def _masked(value: Any) -> Any:
    return _PRIVATE.sub("**********", value) if isinstance(value, str) else value


options.add_command(app, show)
