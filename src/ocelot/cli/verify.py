"""`ocelot verify`: a collection compared with its files and its encoder."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli.options import BATCH, DATABASE, ENCODER, Given, Json, takes
from ocelot.cli.terminal import print_list, printable, progress_bar, resumable
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.maintenance.mend import Mended
    from ocelot.maintenance.verify import Verification

__all__ = ["verify"]

_SHOWN = 10  # findings of each kind on the terminal
_TITLES = {
    "gone": "gone from their folders",
    "away": "in folders that are missing or empty as a whole; is a disk not mounted?",
    "unreadable": "that cannot be read",
    "changed": "with other bytes than were indexed",
    "damaged": "with other bytes, but their old size and time: restore a copy",
    "unindexed": "without a row",
    "vector": "with another vector than their picture gets",
}


@takes(DATABASE, ENCODER, BATCH)
def verify(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DIR", help="Folders or image files. [all rows, and the folders they are in]"
        ),
    ] = None,
    *,
    given: Given,
    sample: Annotated[
        int, typer.Option("--sample", min=0, metavar="N", help="Vectors to compute again.")
    ] = 32,
    full: Annotated[bool, typer.Option("--full", help="Read every file again.")] = False,
    mend: Annotated[bool, typer.Option("--mend", help="Put right what is found.")] = False,
    prune_missing: Annotated[
        bool,
        typer.Option(
            "--prune-missing",
            help="With --mend: also remove rows of folders that are missing or empty as a whole.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare a collection with its files and its encoder; exits with 1 if something is wrong.

    Each row must have a readable file with the bytes that were indexed, each picture a row, and
    some vectors are computed again. With --mend, pictures without a row and changed ones are
    indexed, rows whose files are gone are removed, and wrong vectors are replaced.

    Examples:
        ocelot verify pictures --db shop.db --mend
    """
    from ocelot.build import build_engine
    from ocelot.maintenance.mend import mend as put_right
    from ocelot.maintenance.verify import verify
    from ocelot.settings import load_settings

    settings = load_settings(**given, reranker="none")
    mended: Mended | None = None
    with (
        resumable(),
        build_engine(settings, create=False) as engine,
        progress_bar("Verifying", quiet=as_json) as show,
    ):
        parts = (engine.collection, engine.encoder, engine.images)
        found = verify(*parts, paths or None, sample=sample, full=full, progress=show)
        if mend and found.findings:
            mended = put_right(found, *parts, prune_missing=prune_missing, progress=show)
            found = verify(*parts, paths or None, sample=sample, full=full, progress=show)
    if as_json:
        table = asdict(found) | {"mended": mended and asdict(mended), "db": settings.db}
        typer.echo(json.dumps(table, ensure_ascii=False))
    else:
        if mended is not None:
            _print_mended(mended)
        _print_found(found, settings.db)
    if found.findings:
        raise typer.Exit(1)


def _print_mended(mended: Mended) -> None:
    typer.echo(
        f"Mended: {count(mended.encoded)} indexed, {count(mended.relocated, 'file')} moved or "
        f"copied, {count(mended.dropped, 'path')} and {count(mended.removed, 'row')} removed, "
        f"{count(mended.vectors, 'vector')} replaced."
    )
    print_list(f"{count(len(mended.failures), 'file')} could not be used", mended.failures)


def _print_found(found: Verification, db: str) -> None:
    for kind, title in _TITLES.items():
        some = [finding for finding in found.findings if finding.kind == kind]
        if some:
            typer.echo(f"{count(len(some), 'file')} {title}:")
        for finding in some[:_SHOWN]:
            reason = f" ({finding.reason})" if finding.reason else ""
            typer.echo(printable(f"  {finding.path}{reason}"))
        if len(some) > _SHOWN:
            typer.echo(f"  and {len(some) - _SHOWN:,} more; --json names all")
    lost = f", {found.lost:,} of them without their picture" if found.lost else ""
    typer.echo(f"{db}: {count(found.rows, 'row')}{lost}, {count(found.files, 'file')}.")
    if found.compared:
        typer.echo(
            f"{count(found.compared, 'vector')} computed again: the largest difference is "
            f"{found.difference:.1e}, the lowest cosine similarity {found.cosine:.5f}."
        )
    typer.echo(f"{len(found.findings):,} wrong." if found.findings else "All is well.")
