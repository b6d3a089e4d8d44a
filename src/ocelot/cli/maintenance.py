"""Collections kept in order: `ocelot verify`, `repair`, `reindex` and `duplicates`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocelot.cli.options import (
    BATCH,
    DATABASE,
    ENCODER,
    INDEX,
    Filter,
    Json,
    Settings,
    flag,
    option,
    takes,
)
from ocelot.cli.terminal import (
    check_writable,
    print_failures,
    print_json,
    progress_bar,
    resumable,
    say,
    waiting,
    writing,
)
from ocelot.errors import CollectionError, ConfigurationError
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.maintenance.mend import Mended
    from ocelot.maintenance.verify import Verification

__all__ = ["duplicates", "reindex", "repair", "verify"]

_SHOWN = 10  # entries of a list; --json has all
_FINDINGS = {
    "gone": "gone from their folders",
    "away": "in folders that are missing or empty as a whole; is a disk not mounted?",
    "unreadable": "that cannot be read",
    "changed": "with other bytes than were indexed",
    "damaged": "with other bytes, but their old size and time: restore a copy",
    "unindexed": "without a row",
    "vector": "with another vector than their picture gets",
}


def _first(lines: Sequence[Any], indent: str) -> None:
    """Print the first lines of many."""
    for line in lines[:_SHOWN]:
        say(f"{indent}{line}")
    if len(lines) > _SHOWN:
        typer.echo(f"{indent}and {len(lines) - _SHOWN:,} more; --json names all")


@takes(DATABASE, ENCODER, BATCH, reranker="none")
def verify(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DIR", help="Folders or image files. [all rows, and the folders they are in]"
        ),
    ] = None,
    *,
    settings: Settings,
    sample: Annotated[
        int, typer.Option("--sample", min=0, metavar="N", help="Vectors to compute again.")
    ] = 32,
    full: Annotated[bool, flag("--full", "Read every file again.")] = False,
    mend: Annotated[bool, flag("--mend", "Put right what is found.")] = False,
    prune_missing: Annotated[
        bool,
        flag(
            "--prune-missing",
            "With --mend: also remove rows of folders that are missing or empty as a whole.",
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
        print_json({**vars(found), "mended": mended, "db": settings.db})
    else:
        if mended is not None:
            typer.echo(
                f"Mended: {count(mended.encoded)} indexed, {count(mended.relocated, 'file')} moved "
                f"or copied, {count(mended.dropped, 'path')} and {count(mended.removed, 'row')} "
                f"removed, {count(mended.vectors, 'vector')} replaced."
            )
            print_failures(mended.failures, "file")
        _print_found(found, settings.db)
    if found.findings:
        raise typer.Exit(1)


def _print_found(found: Verification, db: str) -> None:
    for kind, title in _FINDINGS.items():
        files = [
            f"{finding.path} ({finding.reason})" if finding.reason else finding.path
            for finding in found.findings
            if finding.kind == kind
        ]
        if files:
            typer.echo(f"{count(len(files), 'file')} {title}:")
        _first(files, "  ")
    lost = f", {found.lost:,} of them without their picture" if found.lost else ""
    typer.echo(f"{db}: {count(found.rows, 'row')}{lost}, {count(found.files, 'file')}.")
    if found.compared:
        typer.echo(
            f"{count(found.compared, 'vector')} computed again: the largest difference is "
            f"{found.difference:.1e}, the lowest cosine similarity {found.cosine:.5f}."
        )
    typer.echo(f"{len(found.findings):,} wrong." if found.findings else "All is well.")


@takes(DATABASE)
def repair(*, settings: Settings, as_json: Json = False) -> None:
    """Repair a damaged local database: keep a copy, save what can be read, say what is lost.

    Exits with 1 if something is lost.

    Examples:
        ocelot repair --db shop.db
    """
    from ocelot.collection import Collection
    from ocelot.collection.lite.repair import repair

    done = repair(settings.db)
    rows = None
    if done.copy:
        name = settings.collection
        with (
            suppress(CollectionError),  # only other collections may be left
            Collection.open(settings.db, name=name, create=False) as collection,
        ):
            rows = collection.count()
    if as_json:
        print_json({**vars(done), "count": rows, "db": settings.db})
    elif not done.copy:
        typer.echo(f"{settings.db} is not damaged: nothing was changed.")
    else:
        typer.echo(f"The damaged database is kept as {done.copy}. Its damage:")
        for damage in done.damages:
            say(f"  {damage}")
        typer.echo("Lost:" if done.losses else "Nothing is lost.")
        for loss in done.losses:
            say(f"  {loss.collection}: {loss.reason}")
            _first(loss.pictures, "    ")
        if rows is not None:
            typer.echo(f"{settings.db} now holds {count(rows)}.")
        if done.losses:
            typer.echo("To add what is lost, run `ocelot index` on the folders of the pictures.")
    if done.losses:
        raise typer.Exit(1)


@takes(DATABASE, ENCODER, INDEX, BATCH)
def reindex(
    *,
    settings: Settings,
    drop_old: Annotated[
        bool,
        flag(
            "--drop-old",
            "Remove the old collection after the switch. A server that still uses it fails "
            "from then on: restart it with the new encoder first.",
        ),
    ] = False,
    skip_unreadable: Annotated[
        bool, flag("--skip-unreadable", "Switch even if some pictures cannot be read.")
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
    from ocelot.maintenance.reindex import reindex

    if "encoder" not in settings.model_fields_set:
        raise ConfigurationError("Name the new encoder: --encoder NAME; `ocelot encoders` lists.")
    with resumable(), build_collection(settings, create=False) as old:
        pictures = [Path(next(iter(row.paths))) for row in old.sample()]
        encoder = build_encoder(settings, [path for path in pictures if path.is_file()])
        with progress_bar("Encoding", quiet=as_json) as show:
            report = reindex(
                old, encoder, build_images(settings), drop_old=drop_old,
                skip_unreadable=skip_unreadable, batch_size=settings.batch_size, progress=show,
            )  # fmt: skip
    if as_json:
        print_json({**vars(report), "db": settings.db})
    else:
        typer.echo(
            f"{count(report.found)}: {report.encoded:,} encoded, {report.unchanged:,} were there, "
            f"{report.updated:,} of them updated, {len(report.failures):,} failed "
            f"({report.seconds:.1f} s)."
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
        print_failures(report.failures, "picture")
    if not report.switched:
        leave_out = "" if skip_unreadable else ", or add --skip-unreadable"
        typer.echo(
            f"{old.opened_as} still stands for {old.name}: bring the files back and run it again, "
            f"or delete the items{leave_out}.",
            err=True,
        )
        raise typer.Exit(1)


@takes(DATABASE)
def duplicates(
    *,
    settings: Settings,
    threshold: Annotated[
        float, typer.Option(help="Least cosine similarity to the first picture of a group.")
    ] = 0.97,
    filter: Filter = None,
    html: Annotated[Path | None, option(help="Write a page with the pictures here.")] = None,
    as_json: Json = False,
) -> None:
    """List groups of near-duplicate pictures, by their stored vectors; nothing is changed.

    The first picture of a group has the most pixels, and the others are at least as similar to it
    as the threshold. Exact copies are one picture with several paths already.

    Examples:
        ocelot duplicates --db shop.db --threshold 0.95 --html duplicates.html
    """
    from ocelot.build import build_collection, build_images
    from ocelot.maintenance.duplicates import duplicates

    if html is not None:
        check_writable(html)
    with (
        build_collection(settings, create=False) as collection,
        waiting("Comparing", quiet=as_json),
    ):
        groups = duplicates(collection, threshold, filter=filter)
        total = collection.count()
    if html is not None:
        from ocelot.render.html import render_groups

        with closing(build_images(settings)) as images, writing(html):
            html.write_text(render_groups(groups, threshold, images), encoding="utf-8")
    if as_json:
        shown = [[hit.to_dict() for hit in group] for group in groups]
        print_json({"threshold": threshold, "groups": shown, "db": settings.db})
        return
    for group in groups[: 2 * _SHOWN]:
        for hit in group:
            say(f"{hit.score:.3f}  {hit.width}x{hit.height}  {hit.path}")
            for path in hit.paths[1:]:
                say(f"       also {path}")
        typer.echo()
    if len(groups) > 2 * _SHOWN:
        typer.echo(f"and {len(groups) - 2 * _SHOWN:,} more groups; --json and --html show all\n")
    more = sum(len(group) - 1 for group in groups)
    typer.echo(
        f"{count(len(groups), 'group')} with {count(more, 'near duplicate')} in {count(total)}."
    )
