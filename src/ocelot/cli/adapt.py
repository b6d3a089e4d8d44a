"""`ocelot adapt`: an encoder for one's own catalogue."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli import options
from ocelot.cli.terminal import printable, resumable
from ocelot.cli.train import DeviceName
from ocelot.errors import ConfigurationError

__all__ = ["adapt"]

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The pictures.")]


def adapt(
    folder: Folder,
    *,
    metadata: Annotated[
        Path | None,
        options.option("--metadata", help="The metadata file. [metadata.csv, .jsonl or .parquet]"),
    ] = None,
    encoder: Annotated[
        str, typer.Option("--encoder", help="The encoder to adapt: a name, .pth or folder.")
    ] = "ocelot-tiny",
    text_model: options.TextModel = None,
    minutes: Annotated[float, typer.Option("--minutes", min=0, help="Of training.")] = 10,
    output: Annotated[
        Path | None, options.option("--output", "-o", help="Folder of the result. [FOLDER-encoder]")
    ] = None,
    title: Annotated[str | None, options.option("--title", help="Column of the title.")] = None,
    attributes: Annotated[
        str | None,
        options.option(
            "--attributes",
            metavar="A,B",
            help="Columns that vary within a design: colour,material.",
        ),
    ] = None,
    kind: Annotated[
        str | None, options.option("--kind", help="Column of the kind of thing.")
    ] = None,
    group_by: Annotated[
        str | None,
        options.option("--group-by", help="Column that is equal for pictures of one design."),
    ] = None,
    language: Annotated[
        str | None,
        options.option(
            "--language",
            help="en, it, es, de, fr, zh, ja, or a file of your own; see docs/adapt.md.",
        ),
    ] = None,
    device: DeviceName = None,
    as_json: options.Json = False,
) -> None:
    """Adapt an encoder to your own pictures and their metadata. Run it again to resume.

    It finds titles, colours and kinds by itself, trains on questions made from them, measures on
    designs that it has not seen, and keeps nothing that is not better.

    Examples:
        ocelot adapt shop
        ocelot adapt shop --minutes 30 --attributes colour,material --group-by sku
    """
    from ocelot.adapting.adapt import adapt

    def say(line: str) -> None:
        typer.echo(printable(line), err=as_json)

    try:
        with resumable():
            result = adapt(
                folder, metadata=metadata, encoder=encoder, text_model=text_model,
                minutes=minutes, output=output, title=title, kind=kind, group_by=group_by,
                attributes=None if attributes is None else attributes.split(","),
                language=language, device=device, say=say,
            )  # fmt: skip
    except OSError as error:
        raise ConfigurationError(f"Cannot write the result: {error.strerror or error}.") from None
    if as_json:
        typer.echo(json.dumps(asdict(result), default=str, ensure_ascii=False))
        return
    for figure in result.figures:
        typer.echo(str(figure))
    typer.echo(result.reason)
    if result.report:
        typer.echo(printable(f"The report is {result.report}."))
    if result.encoder:
        typer.echo(
            printable(
                f"Use it: ocelot reindex --encoder {result.encoder} (a new collection: ocelot "
                f"index {folder} --encoder {result.encoder})."
            )
        )
        typer.echo(f"To go back: ocelot reindex --encoder {encoder}.")
