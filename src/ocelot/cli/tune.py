"""`ocelot tune`: recall against latency on the collection's own vectors."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli.options import DATABASE, Json, Settings, flag, option, takes
from ocelot.cli.terminal import check_writable, print_json, print_table, waiting
from ocelot.errors import ConfigurationError
from ocelot.files import atomic_path

if TYPE_CHECKING:
    from ocelot.collection.tuning import Measured

__all__ = ["tune"]


@takes(DATABASE)
def tune(
    *,
    settings: Settings,
    recall: Annotated[
        float, typer.Option(min=0.01, max=1, help="Share of the 9 nearest pictures to be found.")
    ] = 0.99,
    indexes: Annotated[
        str | None,
        option("--indexes", metavar="LIST", help="Types to measure on a copy, too: HNSW,IVF_FLAT."),
    ] = None,
    queries: Annotated[int, typer.Option(min=10, max=5000, help="Queries to measure with.")] = 200,
    plot: Annotated[
        Path | None, option("--plot", metavar="FILE", help="Draw a PNG of the measurements.")
    ] = None,
    apply: Annotated[bool, flag("--apply", "Keep the proposal in the collection.")] = False,
    as_json: Json = False,
) -> None:
    """Measure recall and latency of the index, and propose the fastest search parameters.

    Queries are made of stored vectors, answers are checked by brute force over all of them. With
    --apply, everybody who opens the collection later searches with the proposed parameters; an
    index of another type is then built in place, which interrupts searches.

    Examples:
        ocelot tune --db shop.db
        ocelot tune --indexes HNSW,IVF_SQ8 --recall 0.98 --plot tune.png --apply
    """
    from ocelot.build import build_collection
    from ocelot.collection.tuning import best_of, draw_trial, measure, measure_copies

    if plot is not None:
        if find_spec("matplotlib") is None:
            raise ConfigurationError(
                "A plot needs matplotlib: pip install 'ocelot-search[train]', or leave out --plot."
            )
        check_writable(plot)
    # Waiting for consistency takes a server longer than most searches, and says nothing of them.
    open = partial(build_collection, settings, consistency="Eventually")
    wanted = dict.fromkeys(part.strip().upper() for part in (indexes or "").split(",") if part)
    with open(create=False) as collection, waiting("Tuning", quiet=as_json) as report:
        if pending := collection.unindexed():
            logging.getLogger("ocelot").warning(
                "%s has not indexed %s rows yet and searches them exactly, which flatters the "
                "recall measured now: tune again later.",
                settings.db, f"{pending:,}",
            )  # fmt: skip
        trial = draw_trial(collection, queries, report)
        measured = measure(collection, trial, report)
        if others := [index for index in wanted if index != measured[0].index]:
            measured += measure_copies(collection, trial, others, open, report)
    best = best_of(measured, recall)
    if plot is not None:
        _draw(plot, measured, recall)
    if apply and best is not None:
        with open(index=best.index) as collection:
            collection.keep_search_params(best.params)
    if as_json:
        found = {"rows": trial.rows, "queries": len(trial.queries), "measured": measured}
        kept = apply and best is not None
        print_json({**found, "best": best, "kept": kept, "db": settings.db})
    else:
        typer.echo(f"{len(trial.queries):,} queries, {trial.rows:,} vectors.")
        _print_measured(measured, best)
        typer.echo(_conclusion(measured, best, recall, apply))
    if apply and best is None:
        raise typer.Exit(1)


def _print_measured(measured: Sequence[Measured], best: Measured | None) -> None:
    figures = ["recall@9", "p50 ms", "p95 ms", "build s", "index MB"]
    rows = [
        (
            one.index + (" *" if one is best else ""),
            one.setting or "-",
            f"{one.recall:.4f}",
            f"{1000 * one.p50:.1f}",
            f"{1000 * one.p95:.1f}",
            "-" if one.build is None else f"{one.build:.1f}",
            "-" if one.memory is None else f"{one.memory / 1e6:.1f}",
        )
        for one in measured
    ]
    print_table(["index", "parameters", *figures], rows, right=figures)


def _conclusion(
    measured: Sequence[Measured], best: Measured | None, recall: float, apply: bool
) -> str:
    if best is None:
        most = max(measured, key=lambda one: one.recall)
        return (
            f"Nothing reaches a recall of {recall:g}, so nothing was changed; {most} has "
            f"{most.recall:.4f}. Try other --indexes."
        )
    live = measured[0].index
    if best.index == live == "FLAT":
        graph = "" if len(measured) > 1 else " Is a graph faster? See `ocelot tune --indexes HNSW`."
        return f"FLAT is exact and the fastest of those measured: there is nothing to tune.{graph}"
    replaced = f", in place of {live}" if best.index != live else ""
    kept = "The collection keeps it" if apply else "Keep it with --apply"
    found = f"recall {best.recall:.4f} in {1000 * best.p50:.1f} ms"
    return f"The fastest is {best}{replaced}: {found}. {kept}."


def _draw(file: Path, measured: Sequence[Measured], recall: float) -> None:
    """A line for each index, a point for each set of parameters."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for index in dict.fromkeys(one.index for one in measured):
        points = [(one.recall, 1000 * one.p50) for one in measured if one.index == index]
        axes.plot(*zip(*points, strict=True), marker="o", label=index)
    for one in measured:
        place = (one.recall, 1000 * one.p50)
        axes.annotate(one.setting, place, (3, 3), textcoords="offset points", fontsize=7)
    axes.axvline(recall, linestyle="--", color="grey", label=f"recall {recall:g}")
    axes.set(xlabel="recall@9", ylabel="median of one search, ms")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    with atomic_path(file) as partial:
        figure.savefig(partial, format="png", dpi=120, backend="agg")
