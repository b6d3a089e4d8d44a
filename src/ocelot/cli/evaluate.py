"""`ocelot evaluate`: figures, and sets of photographs to measure them on."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli.options import BATCH, ENCODER, Given, Json, takes
from ocelot.cli.terminal import printable

if TYPE_CHECKING:
    from ocelot.evaluation import Figures

__all__ = ["app"]

app = typer.Typer(help="Measure retrieval.", no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def _evaluate() -> None:
    """Measure retrieval."""


@app.command("triplets")
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
    found = list(scan([images]))
    pictures = [Path(file.path) for file in found if isinstance(file, File)]
    folder = images.absolute()
    result = evaluate_triplets(
        build_encoder(settings, pictures=[images]), queried, folder, pictures
    )
    failures = [file for file in found if isinstance(file, Failure)]
    result = replace(result, failures=(*failures, *result.failures))
    if as_json:
        typer.echo(json.dumps(result.to_dict()))
        return
    typer.echo(f"{result.queries} queries over {result.gallery} pictures ({settings.encoder})")
    _show(result)
    for task, figures in result.tasks.items():
        typer.echo()
        typer.echo(printable(f"{task}: {figures.queries} queries"))
        _show(figures)
    for failure in result.failures:
        typer.echo(printable(f"{failure.path}: {failure.reason}"), err=True)


def _show(result: Figures) -> None:
    rows = {
        "composed": result.composed,
        "image only": result.image_only,
        "text only": result.text_only,
        "chance": result.chance,
    }
    names = list(result.composed)
    typer.echo(" " * 12 + "".join(f"{name:>8}" for name in names))
    for row, figures in rows.items():
        none = figures.get("queries") == 0
        cells = ["       -" if none else f"{figures[name]:8.3f}" for name in names]
        typer.echo(f"{row:<12}" + "".join(cells))


@app.command("photographs")
def photographs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With metadata.csv.")],
    task: Annotated[
        str,
        typer.Option(metavar="TASK", help="recolour, recolour-elsewhere, print, view or words."),
    ],
    only: Annotated[
        Path, typer.Option(metavar="FILE", help="Names of the held-out photographs, one to a line.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder.")],
    articles: Annotated[
        str,
        typer.Option(
            help="How the names of those that show one article begin. [all]", show_default=False
        ),
    ] = "",
    queries: Annotated[
        int | None,
        typer.Option(help="At most so many. [all; 300 prints]", min=1, show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other colours and views.")] = 0,
) -> None:
    """Write an evaluation set of one task from photographs that training never saw.

    metadata.csv has the columns file_name and category. Only photographs that FILE names are
    asked with or for. The result is for `ocelot evaluate triplets`.
    """
    from ocelot.errors import InputError
    from ocelot.training.photo_benchmark import read_photographs, write_photo_benchmark
    from ocelot.training.photographs import read_names

    held_out = read_names(only)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as kept:
            album = read_photographs(
                folder,
                Path(kept, "photographs.npy"),
                task,
                held_out=held_out,
                articles=articles,
                seed=seed,
            )
            file = write_photo_benchmark(
                output, album, task, held_out=held_out, queries=queries, seed=seed
            )
    except OSError as error:
        raise InputError(f"Cannot write to {output}: {error.strerror or error}.") from None
    typer.echo(f"Wrote {len(list((output / 'images').iterdir()))} pictures and {file}.")
