"""Pictures to try Ocelot with: `ocelot demo`, offline, and `ocelot data`, from the web."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli.index import print_report
from ocelot.cli.options import add_command
from ocelot.cli.search import print_result, reranked, save_outputs
from ocelot.cli.terminal import progress_bar, writing
from ocelot.words import count

__all__ = ["data", "demo"]

_QUESTION = "phone case with this image theme"


def demo(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to work.")] = Path("demo"),
) -> None:
    """Index a shop of drawn pictures, search it for a leopard phone case, show the result.

    Examples:
        ocelot demo
    """
    from ocelot.assets import copy_demo_shop, demo_shop_size

    started = time.perf_counter()
    shop, db = directory / "shop", directory / "shop.db"
    with writing(directory):
        copy_demo_shop(shop)
    typer.echo(f"1. A shop of {count(demo_shop_size())} is in {shop}.")

    import ocelot

    with ocelot.open(db) as engine:
        with progress_bar("Indexing") as show:
            report = engine.index(shop / "images", metadata=shop / "metadata.csv", progress=show)
        typer.echo("2. Indexed with Milvus Lite: ", nl=False)
        print_report(report, engine.count(), str(db))
        typer.echo(f'3. Searching with leopard.jpg and "{_QUESTION}":\n')
        found = engine.search(image=shop / "leopard.jpg", text=_QUESTION, rerank=False)
        result = reranked(engine, found)
    print_result(result)
    panorama, page = directory / "panorama.jpg", directory / "answer.html"
    save_outputs(result, panorama, page)
    typer.echo(f"\n4. Written: {panorama} (what a reranker sees) and {page} (open it).")
    typer.echo(f"   {time.perf_counter() - started:.0f} s in all.\n")
    typer.echo(
        "Next:\n"
        f"  the page            ocelot serve --db {db}\n"
        "  your own folder     ocelot index PICTURES --db mine.db\n"
        '                      ocelot search A.jpg "in blue" --db mine.db\n'
        "  the real encoder    pip install 'ocelot-search[bge]', and add --encoder "
        "bge-visualized-base to both\n"
        "  a vision model      export OPENAI_API_KEY=…   then search as before"
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


data = typer.Typer(
    help="Fetch public data to try Ocelot with.", no_args_is_help=True, rich_markup_mode=None
)
add_command(data, amazon_reviews)
