"""`ocelot adapt`: an encoder for one's own catalogue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli import options
from ocelot.cli.terminal import print_json, resumable, say
from ocelot.cli.train import DeviceName

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
    minutes: Annotated[
        float, typer.Option("--minutes", min=0, help="Of training; more than 0.")
    ] = 10,
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
    describe: Annotated[
        bool, options.flag("--describe", "Let the vision model describe the pictures instead.")
    ] = False,
    calls: Annotated[
        int, typer.Option("--calls", min=1, help="The most calls to the vision model.")
    ] = 300,
    llm_model: Annotated[str | None, options.RERANKER["llm_model"]] = None,
    llm_base_url: Annotated[str | None, options.RERANKER["llm_base_url"]] = None,
    device: DeviceName = None,
    as_json: options.Json = False,
) -> None:
    """Adapt an encoder to your own pictures and their metadata. Run it again to resume.

    It finds titles, colours and kinds by itself, trains on questions made from them, measures on
    designs that it has not seen, and keeps nothing that is not better. Pictures without metadata
    are described by the vision model that reranks (--describe).

    Examples:
        ocelot adapt shop
        ocelot adapt shop --minutes 30 --attributes colour,material --group-by sku
        ocelot adapt shop --describe --calls 200
    """
    from ocelot.adapting.adapt import adapt

    names = map(str.strip, (attributes or "").split(","))
    with resumable():
        result = adapt(
            folder, metadata=metadata, encoder=encoder, text_model=text_model, minutes=minutes,
            output=output, title=title, kind=kind, group_by=group_by,
            attributes=None if attributes is None else [*filter(None, names)],
            language=language, describe=calls if describe else 0, device=device,
            say=lambda line: say(line, err=as_json),
            llm_model=llm_model, llm_base_url=llm_base_url,
        )  # fmt: skip
    if as_json:
        print_json(result)
        return
    for figure in result.figures:
        say(str(figure))
    say(result.reason)
    if result.report:
        say(f"The report is {result.report}.")
    if result.encoder:
        say(f"To use it: ocelot reindex --encoder {result.encoder}")
        say(f"In a new collection: ocelot index {folder} --db new.db --encoder {result.encoder}")
        say(f"To go back: ocelot reindex --encoder {encoder}")
