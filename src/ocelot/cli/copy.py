"""`ocelot copy`: a collection moved between a file, a server and Zilliz Cloud."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict
from typing import Annotated

import typer

from ocelot.cli.options import DATABASE, INDEX, Given, Json, option, takes
from ocelot.cli.terminal import progress_bar, resumable
from ocelot.words import count

__all__ = ["copy"]

_SOURCE = {name: DATABASE[name] for name in ("collection", "tenant", "database", "token")}


@takes(_SOURCE, INDEX)
def copy(
    source: Annotated[
        str, typer.Argument(metavar="SRC", help="Milvus: a file, or the address of a server.")
    ],
    destination: Annotated[
        str, typer.Argument(metavar="DST", help="The same; made if there is none.")
    ],
    *,
    given: Given,
    to_collection: Annotated[
        str | None, option("--to-collection", metavar="NAME", help="Name there. [the same]")
    ] = None,
    to_token: Annotated[
        str | None,
        option("--to-token", help="Token of the destination; OCELOT_TO_TOKEN is safer."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy a collection with its vectors, metadata and ids; no picture is encoded.

    Run it again at any time: only what is new or changed is sent. At the end, the counts and a
    sample of the vectors are compared. The settings of the destination are OCELOT_TO_TOKEN,
    OCELOT_TO_USER, OCELOT_TO_PASSWORD, OCELOT_TO_DATABASE and so on.

    Examples:
        ocelot copy shop.db http://localhost:19530
        ocelot copy http://localhost:19530 shop.db --collection ocelot
    """
    from ocelot.build import build_collection
    from ocelot.maintenance.copying import copy_collection
    from ocelot.settings import load_settings

    index = given.pop("index")  # of the destination
    settings = load_settings(**given, db=source)
    target = load_settings(
        destination=True,
        db=destination,
        collection=to_collection or settings.collection.removesuffix(f"__{settings.tenant}"),
        token=to_token,
        index=index,
    )
    if not (to_collection or target.tenant):
        target = target.model_copy(update={"collection": settings.collection})
    with resumable(), ExitStack() as opened:
        old = opened.enter_context(build_collection(settings, create=False))
        new = opened.enter_context(build_collection(target, old.identity))
        show = opened.enter_context(progress_bar("Copying", quiet=as_json))
        report = copy_collection(old, new, progress=show)
    if as_json:
        typer.echo(json.dumps(asdict(report) | {"db": new.uri, "collection": new.name}))
        return
    extra = f" {count(report.extra)} there stay that {old.uri} does not have." * bool(report.extra)
    typer.echo(
        f"{count(report.found)} in {old.uri}: {report.copied:,} copied, {report.updated:,} "
        f"updated, {report.unchanged:,} unchanged ({report.seconds:.1f} s).{extra}"
    )
    typer.echo(
        f"{new.name} in {new.uri} now holds {count(report.found + report.extra)}; "
        f"{report.compared:,} vectors were read back and are equal."
    )
