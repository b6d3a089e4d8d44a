"""`ocelot evaluate`: retrieval metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli.options import BATCH, ENCODER, Given, Json, add_command, takes
from ocelot.cli.terminal import printable
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.evaluation import Figures

__all__ = ["app"]

app = typer.Typer(help="Measure retrieval.", no_args_is_help=True, rich_markup_mode=None)


@takes(ENCODER, BATCH)
def triplets(
    queries: Annotated[Path, typer.Argument(metavar="QUERIES.jsonl")],
    images: Annotated[
        Path, typer.Option("--images", metavar="DIR", help="The folder of the gallery.")
    ],
    *,
    given: Given,
    as_json: Json = False,
) -> None:
    """Measure composed retrieval on your own pictures, with image-only and text-only baselines.

    Each line: {"reference": "a.jpg" or null, "text": "…" or null, "targets": ["b.jpg", …]}.
    """
    from ocelot.build import build_encoder
    from ocelot.errors import InputError
    from ocelot.evaluation import evaluate_triplets, read_triplets
    from ocelot.indexing.scan import File, scan
    from ocelot.settings import load_settings
    from ocelot.types import Failure

    queried = read_triplets(queries)
    if not images.is_dir():
        raise InputError(f"There is no folder {images}.")
    settings = load_settings(**given)
    encoder = build_encoder(settings, pictures=[images])
    found = list(scan([images]))
    pictures = [Path(file.path) for file in found if isinstance(file, File)]
    result = evaluate_triplets(encoder, queried, images.absolute(), pictures)
    failures = [file for file in found if isinstance(file, Failure)]
    result = replace(result, failures=(*failures, *result.failures))
    if as_json:
        typer.echo(json.dumps({"encoder": settings.encoder} | result.to_dict(), ensure_ascii=False))
        return
    queries_over = f"{count(result.queries, 'query')} over {count(result.gallery)}"
    typer.echo(f"{queries_over} ({settings.encoder})")
    _show(result)
    for task, figures in result.tasks.items():
        typer.echo()
        typer.echo(printable(f"{task}: {count(figures.queries, 'query')}"))
        _show(figures)
    for failure in result.failures:
        typer.echo(printable(f"{failure.path}: {failure.reason}"), err=True)


@takes(ENCODER, BATCH)
def text_weight(
    queries: Annotated[Path, typer.Argument(metavar="QUERIES.jsonl")],
    images: Annotated[
        Path, typer.Option("--images", metavar="DIR", help="The folder of the gallery.")
    ],
    *,
    given: Given,
    as_json: Json = False,
) -> None:
    """Choose what words count beside a picture for CLIP, SigLIP and the like, on your own queries.

    The queries are those of `ocelot evaluate triplets`.
    """
    from ocelot.build import build_encoder
    from ocelot.evaluation import choose_text_weight, read_triplets
    from ocelot.indexing.scan import File, scan
    from ocelot.settings import load_settings

    queried = read_triplets(queries)
    encoder = build_encoder(load_settings(**given))
    pictures = [Path(file.path) for file in scan([images]) if isinstance(file, File)]
    found = choose_text_weight(encoder, queried, images, pictures)
    if as_json:
        typer.echo(json.dumps({"encoder": encoder.name} | vars(found), ensure_ascii=False))
        return
    typer.echo("weight     MRR")
    for weight, mrr in found.mrr.items():
        typer.echo(f"{weight:6.2f}  {mrr:.3f}{'  best' if weight == found.weight else ''}")
    typer.echo(
        f"\n{count(found.queries, 'query')}. As set: {found.as_set:.3f}. Chosen on one half, "
        f"measured on the other: {found.held_out:.3f}.\n"
        f"To use it: OCELOT_ENCODER_TEXT_WEIGHT={found.weight}"
    )


def _show(result: Figures) -> None:
    typer.echo(" " * 12 + "".join(f"{name:>8}" for name in result.composed))
    for row in ("composed", "image_only", "text_only", "chance"):
        figures = getattr(result, row)
        none = figures.get("queries") == 0
        cells = ["       -" if none else f"{figures[name]:8.3f}" for name in result.composed]
        typer.echo(f"{row.replace('_', ' '):<12}" + "".join(cells))


add_command(app, triplets)
add_command(app, text_weight)
