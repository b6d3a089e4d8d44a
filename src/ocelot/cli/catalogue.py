"""`ocelot catalogue` and `ocelot data`: pictures to try Ocelot with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ocelot.errors import InputError

__all__ = ["catalogue", "data"]

data = typer.Typer(
    help="Fetch public data to try Ocelot with.", no_args_is_help=True, rich_markup_mode=None
)


def catalogue(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")],
    count: Annotated[int, typer.Option(help="Pictures.", min=1, max=1_000_000)] = 900,
    seed: Annotated[int, typer.Option(help="Another seed, another shop.")] = 0,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out",
            help="Write an evaluation set of combinations kept from training: queries.jsonl too.",
        ),
    ] = False,
    queries: Annotated[int, typer.Option(help="Queries with --held-out.", min=1)] = 300,
) -> None:
    """Draw a shop of product pictures with metadata, and a leopard to search it with."""
    try:
        if held_out:
            from ocelot.training.benchmark import write_benchmark

            file = write_benchmark(directory, count=count, queries=queries, seed=seed)
            typer.echo(f"Wrote {count} pictures and {file}.")
            return
        from ocelot.catalogue.write import write_catalogue

        report = write_catalogue(directory, count, seed)
    except ValueError as error:
        raise InputError(f"{error}.") from None
    except OSError as error:
        raise InputError(f"Cannot write to {directory}: {error.strerror or error}.") from None
    typer.echo(f"Wrote {report.images} pictures, {report.metadata} and {report.query}.")


@data.command("amazon-reviews")
def amazon_reviews(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to unpack it.")],
) -> None:
    """Fetch the corpus of the Milvus tutorial: 900 product pictures and leopard.jpg."""
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
