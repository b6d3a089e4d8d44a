"""`ocelot data`: public pictures to try Ocelot with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli.options import add_command

__all__ = ["app"]

app = typer.Typer(
    help="Fetch public data to try Ocelot with.", no_args_is_help=True, rich_markup_mode=None
)


def amazon_reviews(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to unpack it.")],
) -> None:
    """Fetch the corpus of the Milvus tutorial: 900 product pictures and leopard.jpg.

    Examples:
        ocelot data amazon-reviews tutorial
    """
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

    from ocelot.downloads import fetch_amazon_reviews

    with Progress(
        "Fetching", BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    ) as bar:  # fmt: skip
        task = bar.add_task("Fetching", total=None)
        folder = fetch_amazon_reviews(
            directory, progress=lambda done, total: bar.update(task, completed=done, total=total)
        )
    typer.echo(f"The pictures are in {folder}. Next: ocelot index {folder}")


add_command(app, amazon_reviews)
