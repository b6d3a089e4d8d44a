"""`ocelot backup` and `ocelot restore`: a local database as one tar file."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli.options import DATABASE, SERVER, Given, Json, takes
from ocelot.cli.terminal import waiting
from ocelot.words import count

__all__ = ["backup", "restore"]

_LOCAL = {"db": DATABASE["db"], "uploads": SERVER["uploads"]}


@takes(_LOCAL)
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tar file, or a folder for one.")],
    *,
    given: Given,
    as_json: Json = False,
) -> None:
    """Back up a local database and its uploads, while it may be in use.

    All of its collections are in the file. Pictures that were indexed where they are, are not. For
    a server use milvus-backup, or `ocelot export`.

    Examples:
        ocelot backup backups --db shop.db
    """
    from ocelot.maintenance.backup import backup
    from ocelot.settings import load_settings

    settings = load_settings(**given)
    with waiting("Backing up", quiet=as_json):
        done = backup(settings.db, file, settings.uploads)
    if as_json:
        typer.echo(json.dumps(asdict(done), default=str))
        return
    typer.echo(
        f"{done.file} holds {count(len(done.collections), 'collection')} of {settings.db} and "
        f"{count(done.uploads, 'upload')} ({done.bytes / 1e6:,.1f} MB)."
    )


@takes(_LOCAL)
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ocelot backup` wrote.")],
    *,
    given: Given,
    as_json: Json = False,
) -> None:
    """Make a local database of a backup; one that exists is never overwritten.

    Examples:
        ocelot restore backups/shop-20260131-030000.tar --db restored.db
    """
    from ocelot.maintenance.backup import restore
    from ocelot.settings import load_settings

    settings = load_settings(**given)
    with waiting("Restoring", quiet=as_json):
        done = restore(file, settings.db, settings.uploads)
    if as_json:
        typer.echo(json.dumps(asdict(done), default=str))
        return
    held = ", ".join(f"{name} {count(rows)}" for name, rows in done.rows.items())
    typer.echo(
        f"{settings.db} is as it was at {done.made}: {held or 'no pictures'}; "
        f"{count(done.uploads, 'upload')}."
    )
