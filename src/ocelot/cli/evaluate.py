"""`ocelot evaluate`: retrieval metrics."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ocelot.cli.options import (
    BATCH,
    ENCODER,
    MEASURE,
    RERANKER,
    Given,
    Json,
    Settings,
    add_command,
    option,
    takes,
)
from ocelot.cli.terminal import print_json, print_table, say, waiting
from ocelot.errors import InputError
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.evaluation import Evaluation, Figures
    from ocelot.evaluation.benchmarks.base import Benchmark
    from ocelot.evaluation.run import Run
    from ocelot.types import Failure

__all__ = ["app"]

app = typer.Typer(help="Measure retrieval.", no_args_is_help=True, rich_markup_mode=None)

_DEPTH = 9  # what a search asks for by default
_FAILURES_SHOWN = 5  # of a benchmark; of own pictures all are shown

Data = Annotated[Path, typer.Argument(metavar="DIR")]
Images = Annotated[
    Path | None, typer.Option("--images", metavar="DIR", help="The folder of the pictures.")
]
Queries = Annotated[Path, typer.Argument(metavar="QUERIES.jsonl")]
Gallery = Annotated[
    Path, typer.Option("--images", metavar="DIR", help="The folder of the gallery.")
]
_RERANKER = option("--reranker", help="auto, llm, fusion, cross-encoder:NAME or none. [none]")
_OPTIONS = (ENCODER, BATCH, RERANKER, {"reranker": _RERANKER}, MEASURE)


@takes(*_OPTIONS)
def cirr(
    data: Data,
    *,
    split: Annotated[
        Literal["val", "test1"],
        typer.Option(metavar="val|test1", help="A test split has no published answers."),
    ] = "val",
    images: Images = None,
    given: Given,
    as_json: Json = False,
) -> None:
    """Measure retrieval on CIRR (val), or write its submissions (test1).

    The folder has `captions` and `image_splits` as published, and the pictures in `img_raw`. With
    --reranker, the first hits are reranked, and the report says what it gained and cost.

    Examples:
        ocelot evaluate cirr CIRR --reranker llm
        ocelot evaluate cirr CIRR --split test1 --out submission
    """
    from ocelot.evaluation.benchmarks.cirr import read_cirr

    _measure(given, as_json, read_cirr, data, split=split, images=images)


@takes(*_OPTIONS)
def fashioniq(
    data: Data,
    *,
    gallery: Annotated[
        Literal["original", "captions"],
        typer.Option(metavar="original|captions", help="captions is smaller and easier."),
    ] = "original",
    images: Images = None,
    given: Given,
    as_json: Json = False,
) -> None:
    """Measure retrieval on the validation split of FashionIQ.

    The folder has `captions` and `image_splits` as published, and the pictures in `images`.

    Examples:
        ocelot evaluate fashioniq FashionIQ --encoder bge-visualized-base
    """
    from ocelot.evaluation.benchmarks.fashioniq import read_fashioniq

    _measure(given, as_json, read_fashioniq, data, gallery=gallery, images=images)


@takes(*_OPTIONS)
def circo(
    data: Data,
    *,
    split: Annotated[
        Literal["val", "test"],
        typer.Option(metavar="val|test", help="A test split has no published answers."),
    ] = "val",
    images: Images = None,
    given: Given,
    as_json: Json = False,
) -> None:
    """Measure retrieval on CIRCO (val), or write its submission (test).

    The folder has `annotations` as published, and COCO's unlabeled pictures and their list in
    `COCO2017_unlabeled`.

    Examples:
        ocelot evaluate circo CIRCO --out runs/circo
    """
    from ocelot.evaluation.benchmarks.circo import read_circo

    _measure(given, as_json, read_circo, data, split=split, images=images)


@takes(*_OPTIONS)
def genecis(data: Data, *, images: Images = None, given: Given, as_json: Json = False) -> None:
    """Measure retrieval on those tasks of GeneCIS whose files are in the folder.

    The folder of the pictures has `VG_100K_all` and `val2017`; by default it is the same folder.

    Examples:
        ocelot evaluate genecis GeneCIS --images pictures
    """
    from ocelot.evaluation.benchmarks.genecis import read_genecis

    _measure(given, as_json, read_genecis, data, images=images)


@takes(*_OPTIONS)
def triplets(queries: Queries, images: Gallery, *, given: Given, as_json: Json = False) -> None:
    """Measure composed retrieval on your own pictures, with image-only and text-only baselines.

    Each line: {"reference": "a.jpg" or null, "text": "…" or null, "targets": ["b.jpg", …]}, and
    perhaps "task" and "candidates": ["b.jpg", …], which are then ranked instead of all pictures.

    Examples:
        ocelot evaluate triplets queries.jsonl --images pictures --out runs/a
    """
    from ocelot.evaluation.benchmarks.triplets import read_triplets, triplets_benchmark
    from ocelot.indexing.scan import File, scan
    from ocelot.types import Failure

    queried = read_triplets(queries)
    if not images.is_dir():
        raise InputError(f"There is no folder {images}.")
    found = list(scan([images]))
    pictures = [Path(file.path) for file in found if isinstance(file, File)]
    failures = [file for file in found if isinstance(file, Failure)]
    where = (queried, images.absolute(), pictures)
    _measure(given, as_json, triplets_benchmark, *where, failures=failures)


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json")],
    second: Annotated[Path, typer.Argument(metavar="B.json")],
    *,
    row: Annotated[
        str, typer.Option("--row", help="composed, reranked, image_only or text_only.")
    ] = "composed",
    as_json: Json = False,
) -> None:
    """Compare two reports of the same queries by a paired permutation test.

    Each is the `report.json` of a run with --out, or its folder.

    Examples:
        ocelot evaluate compare runs/a runs/b
    """
    from ocelot.evaluation.compare import compare as compared

    found = compared(first, second, row=row)
    if as_json:
        print_json(found)
        return
    titles = ["A", "B", "B - A", "p"]
    rows = [
        (one.metric, f"{one.a:.3f}", f"{one.b:.3f}", f"{one.b - one.a:+.3f}", f"{one.p:.4f}")
        for one in found
    ]
    print_table(["", *titles], rows, right=titles)


def _measure(
    given: Given,
    as_json: bool,
    read: Callable[..., Benchmark],
    *where: Any,
    failures: Sequence[Failure] = (),
    **options: Any,
) -> None:
    """Read a benchmark, rank, measure, write and show."""
    from ocelot.build import build_encoder, build_reranker
    from ocelot.evaluation.figures import evaluate
    from ocelot.evaluation.report import read_trec_run, report, write_report
    from ocelot.evaluation.run import GalleryImages, rank, rank_names
    from ocelot.settings import load_settings

    template, depth, trec, out = map(given.pop, ("template", "depth", "run", "out"))
    if template is not None:
        options["template"] = template
    benchmark = read(*where, **options)
    if out is None and not any(query.targets for query in benchmark.queries):
        raise InputError(
            f"The answers of {benchmark.name} are not published: give --out DIR, and send the "
            "submission that is written there to its evaluation server."
        )
    settings = load_settings(**given)
    encoder = None
    if trec is not None:
        ranked = rank_names(benchmark, read_trec_run(trec))
    else:
        folders = sorted({picture.path.parent for picture in benchmark.pictures.values()})
        encoder = build_encoder(settings, pictures=folders)
        reranker = None
        if given["reranker"] is not None:  # a default would charge for a language model unasked
            reranker = build_reranker(settings, encoder, GalleryImages(benchmark.pictures))
        with waiting(count(len(benchmark.queries), "query"), quiet=as_json):
            ranked = rank(encoder, benchmark, reranker, depth=depth or _DEPTH)
    ranked = replace(ranked, failures=(*failures, *ranked.failures))
    evaluation = evaluate(ranked)
    found = report(ranked, evaluation, encoder)
    if encoder is not None:
        found["encoder"] = settings.encoder
    files = [] if out is None else write_report(out, ranked, found)
    if as_json:
        print_json(found)
        return
    made_by = settings.encoder if encoder is not None else trec
    say(f"{count(evaluation.queries, 'query')} over {count(evaluation.gallery)} ({made_by})")
    if benchmark.name != "triplets":
        say(f"{benchmark.name}: {benchmark.protocol} Text: {benchmark.template}")
    if evaluation.composed:
        _print_figures(evaluation)
        _print_gains(evaluation, ranked)
        for task, figures in evaluation.tasks.items():
            typer.echo()
            say(f"{task}: {count(figures.queries, 'query')}")
            _print_figures(figures)
    for file in files:
        say(f"wrote {file}", err=True)
    _print_failures(benchmark, ranked)


def _print_figures(result: Figures) -> None:
    names = list(result.composed)
    rows: list[list[str]] = []

    def add(label: str, figures: Mapping[str, float]) -> None:
        known = {} if figures.get("queries") == 0 else figures
        rows.append([label, *(f"{known[n]:.3f}" if n in known else "-" for n in names)])

    for row in ("composed", "reranked", "image_only", "text_only", "chance"):
        figures = getattr(result, row)
        if figures or row == "chance":
            add(row.replace("_", " "), figures)
        if row == "composed" and row in result.intervals:
            for end, label in enumerate(("  95 % from", "  to")):
                add(label, {name: pair[end] for name, pair in result.intervals[row].items()})
    print_table(["", *names], rows, right=names)


def _print_gains(evaluation: Evaluation, run: Run) -> None:
    """Print what the composition gains over its parts, and what reranking gained and cost."""
    gap = evaluation.composition_gap
    if gap is not None:
        say(
            f"composition gap, {gap.metric}: {gap.value:+.3f} ({gap.interval[0]:+.3f} to "
            f"{gap.interval[1]:+.3f}, 95 %), {count(gap.queries, 'query')}"
        )
    cost = run.reranking
    if cost is None:
        return
    gains = [
        f"{one.metric} {one.value:+.3f} ({one.interval[0]:+.3f} to {one.interval[1]:+.3f})"
        for one in evaluation.gains
        if one.interval != (0, 0)
    ]
    tokens = cost.usage.prompt_tokens + cost.usage.completion_tokens
    facts = [f"{cost.seconds:.1f} s"]
    facts += [f"{tokens:,} tokens"] if cost.usage.calls else []
    facts += [f"${cost.usage.cost:.2f}"] if cost.usage.cost is not None else []
    facts += [f"{count(cost.fallbacks, 'query')} not ranked"] if cost.fallbacks else []
    say(f"{cost.reranker} over {cost.depth} hits gained {', '.join(gains) or 'nothing'}")
    say(f"and took {', '.join(facts)}")


def _print_failures(benchmark: Benchmark, run: Run) -> None:
    shown = len(run.failures) if benchmark.strict else _FAILURES_SHOWN
    for failure in run.failures[:shown]:
        say(f"{failure.path}: {failure.reason}", err=True)
    if len(run.failures) > shown or run.unasked:
        typer.echo(
            f"{count(len(run.failures))} of {len(benchmark.pictures):,} cannot be read and are not "
            f"ranked; {count(len(run.unasked), 'query')} without a reference count as misses.",
            err=True,
        )


@takes(ENCODER, BATCH)
def text_weight(
    queries: Queries, images: Gallery, *, settings: Settings, as_json: Json = False
) -> None:
    """Choose what words count beside a picture for CLIP, SigLIP and the like, on your own queries.

    The queries are those of `ocelot evaluate triplets`.

    Examples:
        ocelot evaluate text-weight queries.jsonl --images pictures --encoder st:clip-ViT-B-32
    """
    from ocelot.build import build_encoder
    from ocelot.evaluation import choose_text_weight, read_triplets
    from ocelot.indexing.scan import File, scan

    queried = read_triplets(queries)
    encoder = build_encoder(settings)
    pictures = [Path(file.path) for file in scan([images]) if isinstance(file, File)]
    found = choose_text_weight(encoder, queried, images, pictures)
    if as_json:
        print_json({"encoder": encoder.name, **vars(found)})
        return
    rows = [
        (f"{weight:.2f}", f"{mrr:.3f}", "best" if weight == found.weight else "")
        for weight, mrr in found.mrr.items()
    ]
    print_table(["weight", "MRR", ""], rows, right=["weight", "MRR"])
    typer.echo(
        f"\n{count(found.queries, 'query')}. As set: {found.as_set:.3f}. Chosen on one half, "
        f"measured on the other: {found.held_out:.3f}.\n"
        f"To use it: OCELOT_ENCODER_TEXT_WEIGHT={found.weight}"
    )


for command in (cirr, fashioniq, circo, genecis, triplets, compare, text_weight):
    add_command(app, command)
