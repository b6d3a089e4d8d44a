"""`ocelot duplicates`: pictures that nearly look the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli.options import DATABASE, Filter, Given, Json, option, takes
from ocelot.cli.terminal import check_writable, printable, waiting, writing
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.types import Hit

__all__ = ["duplicates"]

_SHOWN = 20  # groups on the terminal


@takes(DATABASE)
def duplicates(
    *,
    given: Given,
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
    from ocelot.settings import load_settings

    if html is not None:
        check_writable(html)
    settings = load_settings(**given)
    with (
        build_collection(settings, create=False) as collection,
        waiting("Comparing", quiet=as_json),
    ):
        groups = duplicates(collection, threshold, filter=filter)
        total = collection.count()
    if html is not None:
        from ocelot.render.html import render_groups

        images = build_images(settings)
        with writing(html):
            html.write_text(render_groups(groups, threshold, images), encoding="utf-8")
        images.close()
    if as_json:
        shown = [[hit.to_dict() for hit in group] for group in groups]
        typer.echo(json.dumps({"threshold": threshold, "groups": shown}, ensure_ascii=False))
        return
    for group in groups[:_SHOWN]:
        _print_group(group)
    if len(groups) > _SHOWN:
        typer.echo(f"and {len(groups) - _SHOWN:,} more groups; --json and --html show all\n")
    more = sum(len(group) - 1 for group in groups)
    typer.echo(
        f"{count(len(groups), 'group')} with {count(more, 'near duplicate')} in {count(total)}."
    )


def _print_group(group: Sequence[Hit]) -> None:
    for hit in group:
        typer.echo(printable(f"{hit.score:.3f}  {hit.width}x{hit.height}  {hit.path}"))
        for path in hit.paths[1:]:
            typer.echo(printable(f"       also {path}"))
    typer.echo()
