"""`ocelot encoders`: the encoders that have a name."""

from __future__ import annotations

import json

import typer

from ocelot.cli.options import Json
from ocelot.cli.terminal import print_rows

__all__ = ["encoders"]

_OTHERS = (
    "Any other model of pictures and words that sentence-transformers loads: --encoder st:NAME, a "
    "name on the Hugging Face hub or a folder."
)


def encoders(as_json: Json = False) -> None:
    """List the encoders that have a name, and whether they are installed.

    Examples:
        ocelot encoders
    """
    from ocelot.encoders.catalog import CATALOG, status

    if as_json:
        rows = [
            {"name": name, **vars(entry), "status": status(name)} for name, entry in CATALOG.items()
        ]
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "dimensions", "MB", "licence", "takes", "published", "status"):
        right = title in ("dimensions", "MB")
        table.add_column(title, justify="right" if right else "left", overflow="fold")
    for name, entry in CATALOG.items():
        published = f"{entry.figures} ({entry.source})" if entry.figures else "-"
        table.add_row(
            name, str(entry.dimension), f"{entry.megabytes:,}", entry.licence, entry.inputs,
            published, status(name),
        )  # fmt: skip
    print_rows(table)
    typer.echo(f"\n{_OTHERS}")
