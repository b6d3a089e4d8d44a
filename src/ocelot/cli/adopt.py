"""`ocelot adopt`: the collection of another program, without encoding its pictures again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ocelot import words
from ocelot.cli.options import DATABASE, ENCODER, Given, Json, option, takes
from ocelot.cli.terminal import print_list, progress_bar, resumable

__all__ = ["adopt"]

_TARGET = {
    "db": DATABASE["db"],
    "collection": option("--into", metavar="NAME", help="Collection to fill. [ocelot]"),
    "token": DATABASE["token"],
}


@takes(_TARGET, ENCODER)
def adopt(
    uri: Annotated[
        str, typer.Argument(metavar="URI", help="Milvus: a file, or the address of a server.")
    ],
    *,
    source: Annotated[
        str, option("--collection", metavar="NAME", help="The collection to take over.")
    ],
    given: Given,
    path_field: Annotated[
        str, typer.Option("--path-field", metavar="NAME", help="Field with the path of a picture.")
    ] = "image_path",
    root: Annotated[
        Path,
        typer.Option("--root", metavar="DIR", help="Folder that relative paths start from."),
    ] = Path(),
    as_json: Json = False,
) -> None:
    """Take over a collection that another program made, such as Milvus's tutorial.

    A few pictures are encoded and compared with their stored vectors; if these agree, all vectors
    are copied. The other collection is only read.

    Examples:
        ocelot adopt milvus.db --collection amazon_reviews --root tutorial --db shop.db
    """
    from ocelot.build import build_access, build_encoder, build_engine
    from ocelot.collection.foreign import ForeignCollection
    from ocelot.indexing.adopt import adopt_rows, check_vectors
    from ocelot.settings import load_settings

    settings = load_settings(**given, reranker="none")
    access = build_access(settings) if "://" in uri else None
    with ForeignCollection.open(uri, source, path_field=path_field, access=access) as foreign:
        encoder = build_encoder(settings)
        check_vectors(foreign, encoder, root)  # before a collection is made
        with (
            resumable(),
            build_engine(settings, encoder=encoder) as engine,
            progress_bar("Taking over", quiet=as_json) as show,
        ):
            report = adopt_rows(foreign, engine.collection, encoder, engine.images, root, show)
            total = engine.count()
    if as_json:
        table = asdict(report) | {"total": total, "db": settings.db}
        typer.echo(json.dumps(table, ensure_ascii=False))
    else:
        typer.echo(
            f"{words.count(report.found, 'row')} found: {report.adopted:,} taken over, "
            f"{words.count(report.duplicates, 'duplicate')}, {len(report.failures):,} left out "
            f"({report.seconds:.1f} s)."
        )
        typer.echo(f"{settings.db} now holds {words.count(total)}.")
        print_list(f"{words.count(len(report.failures), 'row')} left out", report.failures)
    if report.failures and not report.adopted + report.duplicates:
        raise typer.Exit(1)
