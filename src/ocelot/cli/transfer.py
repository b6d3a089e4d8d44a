"""Collections moved as a whole: `ocelot adopt`, `copy`, `export`, `import`, `backup`, `restore`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ocelot.cli.options import (
    DATABASE,
    ENCODER,
    INDEX,
    SERVER,
    Filter,
    Given,
    Json,
    Settings,
    option,
    takes,
)
from ocelot.cli.terminal import print_failures, print_json, progress_bar, resumable, waiting
from ocelot.words import count

__all__ = ["adopt", "backup", "copy", "export", "import_", "restore"]

_INTO = {
    "db": DATABASE["db"],
    "collection": option("--into", metavar="NAME", help="Collection to fill. [ocelot]"),
    "token": DATABASE["token"],
}
_SOURCE = {name: DATABASE[name] for name in ("collection", "tenant", "database", "token")}
_LOCAL = {"db": DATABASE["db"], "uploads": SERVER["uploads"]}


@takes(_INTO, ENCODER, reranker="none")
def adopt(
    uri: Annotated[
        str, typer.Argument(metavar="URI", help="Milvus: a file, or the address of a server.")
    ],
    *,
    source: Annotated[
        str, option("--collection", metavar="NAME", help="The collection to take over.")
    ],
    settings: Settings,
    path_field: Annotated[
        str, typer.Option("--path-field", metavar="NAME", help="Field with the path of a picture.")
    ] = "image_path",
    root: Annotated[
        Path, typer.Option("--root", metavar="DIR", help="Folder that relative paths start from.")
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
    failures = report.failures
    if as_json:
        print_json({**vars(report), "total": total, "db": settings.db})
    else:
        typer.echo(
            f"{count(report.found, 'row')} found: {report.adopted:,} taken over, "
            f"{count(report.duplicates, 'duplicate')}, {len(failures):,} left out "
            f"({report.seconds:.1f} s)."
        )
        typer.echo(f"{settings.db} now holds {count(total)}.")
        print_failures(failures, "row")
    if failures and not report.adopted + report.duplicates:
        raise typer.Exit(1)


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
        str | None, option("--to-token", help="Token of the destination; OCELOT_TO_TOKEN is safer.")
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
    own = settings.collection.removesuffix(f"__{settings.tenant}")
    target = load_settings(
        destination=True, db=destination, collection=to_collection or own, token=to_token,
        index=index,
    )  # fmt: skip
    if not (to_collection or target.tenant):
        target = target.model_copy(update={"collection": settings.collection})
    with (
        resumable(),
        build_collection(settings, create=False) as old,
        build_collection(target, old.identity) as new,
        progress_bar("Copying", quiet=as_json) as show,
    ):
        report = copy_collection(old, new, progress=show)
    if as_json:
        print_json({**vars(report), "db": new.uri, "collection": new.name})
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


@takes(DATABASE)
def export(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .parquet file, or a folder for one.")
    ],
    *,
    settings: Settings,
    filter: Filter = None,
    as_json: Json = False,
) -> None:
    """Write a collection to a Parquet file: ids, paths, vectors and metadata.

    pandas reads it, Milvus's bulk import takes it as it is, and `ocelot import` puts it into
    another collection. Pictures are not part of it.

    Examples:
        ocelot export shop.parquet --db shop.db --filter "price < 30"
    """
    from ocelot.build import build_collection
    from ocelot.maintenance.export import export_rows

    target = file if file.suffix == ".parquet" else file / f"{settings.collection}.parquet"
    with (
        build_collection(settings, create=False) as collection,
        progress_bar("Exporting", quiet=as_json) as show,
    ):
        written = export_rows(collection, target, filter=filter, progress=show)
    size = target.stat().st_size
    if as_json:
        print_json({"file": target, "rows": written, "bytes": size, "db": settings.db})
    else:
        typer.echo(f"{target} holds {count(written, 'row')} ({size / 1e6:,.1f} MB).")


@takes(DATABASE, INDEX)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ocelot export` wrote.")],
    *,
    settings: Settings,
    as_json: Json = False,
) -> None:
    """Put the rows of a Parquet file into a collection, with their vectors as they are.

    Nothing is encoded, and no encoder is needed. Rows replace those with the same ids, so the
    command can be run again. The collection is made if it is missing; one of another encoder is
    refused.

    Examples:
        ocelot import shop.parquet --db http://localhost:19530 --collection shop
    """
    from ocelot.build import build_collection
    from ocelot.maintenance.export import identity_of, import_rows

    with (
        resumable(),
        build_collection(settings, identity_of(file)) as collection,
        progress_bar("Importing", quiet=as_json) as show,
    ):
        report = import_rows(file, collection, show)
        total = collection.count()
    if as_json:
        print_json({**vars(report), "total": total, "db": settings.db})
    else:
        typer.echo(f"{count(report.found, 'row')} found: {report.stored:,} stored.")
        typer.echo(f"{settings.db} now holds {count(total)}.")
        print_failures(report.failures, "row")
    if report.failures and not report.stored:
        raise typer.Exit(1)


@takes(_LOCAL)
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A .tar file, or a folder for one.")],
    *,
    settings: Settings,
    as_json: Json = False,
) -> None:
    """Back up a local database and its uploads, while it may be in use.

    All of its collections are in the file. Pictures that were indexed where they are, are not. For
    a server use milvus-backup, or `ocelot export`.

    Examples:
        ocelot backup backups --db shop.db
    """
    from ocelot.maintenance.backup import backup

    with waiting("Backing up", quiet=as_json):
        done = backup(settings.db, file, settings.uploads)
    if as_json:
        print_json({**vars(done), "db": settings.db})
        return
    typer.echo(
        f"{done.file} holds {count(len(done.collections), 'collection')} of {settings.db} and "
        f"{count(done.uploads, 'upload')} ({done.bytes / 1e6:,.1f} MB)."
    )


@takes(_LOCAL)
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `ocelot backup` wrote.")],
    *,
    settings: Settings,
    as_json: Json = False,
) -> None:
    """Make a local database of a backup; one that exists is never overwritten.

    Examples:
        ocelot restore backups/shop-20260131-030000.tar --db restored.db
    """
    from ocelot.maintenance.backup import restore

    with waiting("Restoring", quiet=as_json):
        done = restore(file, settings.db, settings.uploads)
    if as_json:
        print_json({**vars(done), "db": settings.db})
        return
    held = ", ".join(f"{name} {count(rows)}" for name, rows in done.rows.items())
    typer.echo(
        f"{settings.db} is as it was at {done.made}: {held or 'no pictures'}; "
        f"{count(done.uploads, 'upload')}."
    )
