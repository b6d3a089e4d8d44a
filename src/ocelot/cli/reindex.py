"""`ocelot reindex`: the stored pictures under another encoder."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli.options import BATCH, DATABASE, ENCODER, INDEX, Given, Json, takes
from ocelot.cli.terminal import print_list, progress_bar, resumable
from ocelot.words import count

__all__ = ["reindex"]


@takes(DATABASE, ENCODER, INDEX, BATCH)
def reindex(
    *,
    given: Given,
    drop_old: Annotated[
        bool,
        typer.Option(
            "--drop-old",
            help="Remove the old collection after the switch. A server that still uses it fails "
            "from then on: restart it with the new encoder first.",
        ),
    ] = False,
    skip_unreadable: Annotated[
        bool,
        typer.Option("--skip-unreadable", help="Switch even if some pictures cannot be read."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Encode the stored pictures with another encoder, and use the result from then on.

    The new vectors go into a collection beside the old one, which stays in use until all is done
    and is kept until --drop-old. Ids and metadata stay. Run it again to continue.

    Examples:
        ocelot reindex --encoder bge-visualized-base
        ocelot reindex --encoder bge-visualized-base --drop-old
    """
    from ocelot.build import build_collection, build_encoder, build_images
    from ocelot.errors import ConfigurationError
    from ocelot.maintenance.reindex import reindex
    from ocelot.settings import load_settings

    settings = load_settings(**given)
    if "encoder" not in settings.model_fields_set:
        raise ConfigurationError("Name the new encoder: --encoder NAME; `ocelot encoders` lists.")
    with resumable(), build_collection(settings, create=False) as old:
        pictures = [Path(next(iter(row.paths))) for row in old.sample()]
        encoder = build_encoder(settings, [path for path in pictures if path.is_file()])
        with progress_bar("Encoding", quiet=as_json) as show:
            report = reindex(
                old,
                encoder,
                build_images(settings),
                drop_old=drop_old,
                skip_unreadable=skip_unreadable,
                batch_size=settings.batch_size,
                progress=show,
            )
    failed = len(report.failures)
    if as_json:
        typer.echo(json.dumps(asdict(report), ensure_ascii=False))
    else:
        typer.echo(
            f"{count(report.found)}: {report.encoded:,} encoded, {report.unchanged:,} were there, "
            f"{report.updated:,} of them updated, {failed:,} failed ({report.seconds:.1f} s)."
        )
        if report.overlap is not None:
            typer.echo(
                f"Of the first 9 hits of {count(report.queries, 'stored picture')}, "
                f"{report.overlap:.0%} are the same as with {old.identity.name}."
            )
        if report.switched:
            typer.echo(
                f"{old.opened_as} now stands for {report.collection}: use --encoder "
                f"{settings.encoder} from now on, and restart servers with it."
            )
        if report.dropped:
            typer.echo(f"Removed: {', '.join(report.dropped)}.")
        print_list(f"{count(failed)} cannot be read", report.failures)
    if not report.switched:
        leave_out = "" if skip_unreadable else ", or add --skip-unreadable"
        typer.echo(
            f"{old.opened_as} still stands for {old.name}: bring the files back and run it again, "
            f"or delete the items{leave_out}.",
            err=True,
        )
        raise typer.Exit(1)
