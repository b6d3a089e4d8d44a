"""`ocelot demo`: the main job from an empty folder, offline."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli.index import index_with_progress, print_report
from ocelot.cli.search import print_result, reranked, save_outputs
from ocelot.words import count

__all__ = ["demo"]

QUESTION = "phone case with this image theme"


def demo(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to work.")] = Path("demo"),
) -> None:
    """Index a shop of drawn pictures, search it for a leopard phone case, show the result.

    Examples:
        ocelot demo
    """
    from ocelot.assets import copy_demo_shop, demo_shop_size
    from ocelot.errors import InputError

    started = time.perf_counter()
    shop = directory / "shop"
    try:
        copy_demo_shop(shop)
    except OSError as error:
        raise InputError(f"Cannot write to {directory}: {error.strerror or error}.") from None
    typer.echo(f"1. A shop of {count(demo_shop_size())} is in {shop}.")

    import ocelot

    with ocelot.open(directory / "shop.db") as engine:
        report = index_with_progress(engine, [shop / "images"], shop / "metadata.csv")
        typer.echo("2. Indexed with Milvus Lite: ", nl=False)
        print_report(report, engine.count(), str(directory / "shop.db"))
        typer.echo(f'3. Searching with leopard.jpg and "{QUESTION}":\n')
        found = engine.search(image=shop / "leopard.jpg", text=QUESTION, rerank=False)
        result = reranked(engine, found)
    print_result(result)
    panorama, page = directory / "panorama.jpg", directory / "answer.html"
    save_outputs(result, panorama, page)
    typer.echo(f"\n4. Written: {panorama} (what a reranker sees) and {page} (open it).")
    typer.echo(f"   {time.perf_counter() - started:.0f} s in all.\n")
    typer.echo(
        "Next:\n"
        f"  the page            ocelot serve --db {directory / 'shop.db'}\n"
        "  your own folder     ocelot index PICTURES --db mine.db\n"
        '                      ocelot search A.jpg "in blue" --db mine.db\n'
        "  the real encoder    add --encoder bge-visualized-base to both (fetches 0.4 GB once)\n"
        "  a vision model      export OPENAI_API_KEY=…   then search as before"
    )
