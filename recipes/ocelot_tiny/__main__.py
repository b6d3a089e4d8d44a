"""The commands of the recipe: `python -m recipes.ocelot_tiny --help`, at the repository's root."""

from __future__ import annotations

import random
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.assets import demo_shop
from ocelot.cli import main
from ocelot.cli.train import Config, DeviceName, Initial, Output, run
from ocelot.errors import InputError

if TYPE_CHECKING:
    from ocelot.model.checkpoint import Checkpoint
    from ocelot.model.visualized_bge import Network

app = typer.Typer(
    help="How the bundled encoder is made.", no_args_is_help=True, rich_markup_mode=None,
    pretty_exceptions_enable=False,
)  # fmt: skip
app.callback()(main.options)

Tables = Annotated[
    Path, typer.Option("--tables", metavar="DIR", help="The folder that has the tables.")
]


@app.command()
def train(
    config: Config, output: Output, initial: Initial = None, device: DeviceName = None
) -> None:
    """Train one leg. Run the command again to resume."""
    from ocelot.training.config import read_config
    from recipes.ocelot_tiny.config import RecipeConfig
    from recipes.ocelot_tiny.source import RecipeSource

    settings = read_config(config, RecipeConfig)
    run(settings, RecipeSource(settings, output), output, initial, None, device)


@app.command()
def graft(
    initial: Annotated[Path, typer.Argument(metavar="ENCODER", help="Its folder.")],
    pictures: Annotated[Path, typer.Option(metavar="DIR", help="To fit the projection on.")],
    output: Output,
    count: Annotated[int, typer.Option(help="Most pictures.", min=256)] = 12_000,
) -> None:
    """Put EfficientNet-Lite0's pretrained weights in the place of an encoder's vision tower."""
    from ocelot.model.checkpoint import read_folder
    from recipes.ocelot_tiny.graft import grafted, published_weights, read_pictures

    checkpoint = read_folder(initial)
    network = grafted(checkpoint, published_weights(), read_pictures(pictures, count))
    _write_encoder(output, checkpoint, network)


@app.command("average")
def write_average(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="An encoder.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="One that began with it.")],
    output: Output,
    weight: Annotated[float, typer.Option(help="Of the second one.", min=0, max=1)] = 0.5,
    picture_share: Annotated[
        float | None, typer.Option(help="What a picture counts alone in a composed vector.", min=0)
    ] = None,
) -> None:
    """Write the mean of two encoders' weights."""
    from ocelot.model.checkpoint import read_folder
    from recipes.ocelot_tiny.average import average

    one, other = read_folder(first), read_folder(second)
    network = average(one, other, weight, picture_share)
    _write_encoder(output, other, network)


@app.command()
def share(
    encoder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The encoder.")],
    most: Annotated[
        float, typer.Option(help="Share where the text keeps what the picture shows.", min=0)
    ],
    output: Output,
    seed: Annotated[int, typer.Option(help="Of the texts.", min=0)] = 0,
) -> None:
    """Let a text choose how much the picture alone counts in a composed vector."""
    from ocelot.adapting.share import with_share_by_words
    from ocelot.model.checkpoint import read_folder
    from recipes.ocelot_tiny.share import wordings

    checkpoint = read_folder(encoder)
    geometry = replace(checkpoint.geometry, share_by_words=False)  # anew
    checkpoint = replace(checkpoint, geometry=geometry)
    network = with_share_by_words(checkpoint, *wordings(random.Random(seed)), most)
    _write_encoder(output, checkpoint, network)


@app.command()
def instance(
    encoder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The encoder.")],
    sets: Annotated[list[Path], typer.Argument(metavar="SET", help="Sets of trained pictures.")],
    tables: Tables,
    output: Output,
    block: Annotated[int, typer.Option(help="Of the vision tower.", min=0)] = 10,
    width: Annotated[int, typer.Option(help="Of the part.", min=1)] = 64,
    weight: Annotated[float, typer.Option(help="In a picture's vector.", min=0.01)] = 0.7,
) -> None:
    """Fit the part of a picture's vector that tells designs apart, whatever their colour.

    The pictures are those of the tables' designs and of evaluation sets of trained photographs.
    """
    from ocelot.model.checkpoint import read_folder
    from ocelot.model.geometry import InstanceConfig
    from ocelot.model.instance import with_instance
    from ocelot.model.visualized_bge import build
    from recipes.ocelot_tiny.instance import designs, views

    checkpoint = read_folder(encoder)
    size = checkpoint.geometry.vision.image_size
    grouped = [designs(tables, size), *(views(one, size) for one in sets)]
    fitted = with_instance(checkpoint, grouped, InstanceConfig(block, width, weight))
    _write_encoder(output, checkpoint, build(fitted))


def _write_encoder(output: Path, like: Checkpoint, network: Network) -> None:
    from ocelot.model.checkpoint import write_like

    write_like(output, network, like)
    typer.echo(f"The encoder is in {output}.")


@app.command()
def catalogue(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write it.")],
    count: Annotated[int, typer.Option(help="Pictures.", min=1, max=1_000_000)] = 900,
    seed: Annotated[int, typer.Option(help="Another seed gives another shop.", min=0)] = 0,
    held_out: Annotated[
        bool,
        typer.Option(
            "--held-out", help="Write an evaluation set of combinations that are not trained on."
        ),
    ] = False,
    queries: Annotated[int, typer.Option(help="Queries with --held-out.", min=1)] = 300,
) -> None:
    """Draw a shop of product pictures with metadata, and a leopard to search it with."""
    from recipes.ocelot_tiny.benchmark import write_benchmark
    from recipes.ocelot_tiny.catalogue.write import write_catalogue

    try:
        if held_out:
            file = write_benchmark(directory, count=count, queries=queries, seed=seed)
            typer.echo(f"Wrote {count} pictures and {file}.")
            return
        report = write_catalogue(directory, count, seed)
    except ValueError as error:
        raise InputError(f"{error}.") from None
    except OSError as error:
        raise InputError(f"Cannot write to {directory}: {error.strerror or error}.") from None
    typer.echo(f"Wrote {report.images} pictures, {report.metadata} and {report.query}.")


@app.command("demo-shop")
def write_demo_shop(
    count: Annotated[int, typer.Option(help="Pictures.", min=1)] = 300,
) -> None:
    """Draw the demo shop that ships with Ocelot: the first pictures of the catalogue."""
    from recipes.ocelot_tiny.catalogue.write import write_catalogue

    shutil.rmtree(demo_shop() / "images", ignore_errors=True)
    report = write_catalogue(demo_shop(), count)
    typer.echo(f"Wrote {report.images} pictures into {report.directory}.")


@app.command()
def photographs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With metadata.csv.")],
    task: Annotated[
        str,
        typer.Option(
            "--task", metavar="TASK", help="recolour, recolour-elsewhere, print, view or words."
        ),
    ],
    only: Annotated[
        Path,
        typer.Option(
            "--only", metavar="FILE", help="Names of the held-out photographs, one to a line."
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder.")],
    articles: Annotated[
        str,
        typer.Option(
            help="How the names of files with one article begin. [all]",
            show_default=False,
        ),
    ] = "",
    queries: Annotated[
        int | None,
        typer.Option(help="Most queries. [all; 300 prints]", min=1, show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other colours and views.")] = 0,
) -> None:
    """Write an evaluation set of one task from photographs that are not trained on.

    metadata.csv has the columns file_name and category. Only photographs that FILE names are
    references or targets. The result is for `ocelot evaluate triplets`.
    """
    from recipes.ocelot_tiny.photo_benchmark import read_photographs, write_photo_benchmark
    from recipes.ocelot_tiny.photographs import read_names

    held_out = read_names(only)
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as kept:
            photos = read_photographs(
                folder,
                Path(kept, "photographs.npy"),
                task,
                held_out=held_out,
                articles=articles,
                seed=seed,
            )
            file = write_photo_benchmark(
                output, photos, task, held_out=held_out, queries=queries, seed=seed
            )
    except OSError as error:
        raise InputError(f"Cannot write to {output}: {error.strerror or error}.") from None
    typer.echo(f"Wrote {len(list((output / 'images').iterdir()))} pictures and {file}.")


@app.command()
def measure(
    encoder: Annotated[str, typer.Argument(metavar="ENCODER", help="A name or a folder.")],
    tables: Tables,
    tutorial: Annotated[
        Path | None, typer.Option("--tutorial", metavar="DIR", help="The tutorial's pictures.")
    ] = None,
) -> None:
    """Measure an encoder on held-out product photographs: colours, kinds, titles and themes."""
    from ocelot.encoders.visualized_bge import VisualizedBGE
    from recipes.ocelot_tiny.shop_benchmark import measures

    for one in measures(VisualizedBGE.load(encoder), tables, tutorial):
        typer.echo(
            f"{one.task:40} {one.figure:28} {one.value:8.3f}  "
            f"({one.queries} queries, {one.gallery} pictures)"
        )


@app.command("calibrate")
def calibrate_encoder(
    encoder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The encoder.")],
    tables: Tables,
    sets: Annotated[list[Path], typer.Argument(metavar="SET", help="Evaluation sets.")],
) -> None:
    """Fit what an encoder's scores mean on held-out searches, and write it beside the weights."""
    from ocelot.encoders.visualized_bge import VisualizedBGE
    from ocelot.score_calibration import write_score_calibration
    from recipes.ocelot_tiny.calibrate import calibrate, every_search, fused_gain, judge

    searches = every_search(VisualizedBGE.load(encoder), tables, sets)
    calibration = calibrate(searches)
    write_score_calibration(encoder, calibration)
    typer.echo(f"weights: text {calibration.text}, picture {calibration.image}")
    for search in searches:
        name = f"{search.name} ({search.parts})"
        judged = judge(search, calibration)
        typer.echo(
            f"{name:46} {judged.queries:5} queries, right {judged.right:.3f}; called a match "
            f"{judged.called:.3f}, of these right {judged.precision:.3f}; without an answer called "
            f"a match {judged.called_without:.3f}"
        )
        if search.parts == "both":
            gain = fused_gain(search, calibration)
            typer.echo(
                f"{'':46} R@1 {gain.plain:.3f}, fused {gain.fused:.3f} "
                f"(gain {gain.low:+.3f} to {gain.high:+.3f})"
            )


if __name__ == "__main__":
    main.run(app)
