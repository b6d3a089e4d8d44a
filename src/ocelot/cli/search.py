"""`ocelot search` and `ocelot similar`: the table, the JSON, and the files that are written."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli.options import (
    DATABASE,
    ENCODER,
    RERANKER,
    Filter,
    Json,
    Limit,
    MinScore,
    Paths,
    Settings,
    flag,
    option,
    takes,
)
from ocelot.cli.terminal import check_writable, print_json, print_table, say, waiting, writing
from ocelot.errors import InputError
from ocelot.query import MAX_REFERENCES
from ocelot.words import count

if TYPE_CHECKING:
    from ocelot.engine import Engine
    from ocelot.types import Hit, Result

__all__ = ["print_result", "reranked", "save_outputs", "search", "similar"]

_NO_KEY = "Set OPENAI_API_KEY to have a vision model rerank and explain."
_NOTHING = "Nothing was found. Loosen --filter or --min-score, or index more pictures."
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@takes(DATABASE, ENCODER, RERANKER)
def search(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="QUERY",
            help='Pictures and words, as in A.jpg "in green". A picture is a file, a URL, or "-" '
            "for standard input.",
        ),
    ] = None,
    *,
    image: Annotated[
        list[str] | None,  # a Path would take a URL apart
        option(
            "--image", "-i", metavar="PICTURE", help=f"Query picture, up to {MAX_REFERENCES} times."
        ),
    ] = None,
    text: Annotated[
        str | None,
        option("--text", "-t", help='Query sentence; a minus means without: "shirt -red".'),
    ] = None,
    item: Annotated[
        list[str] | None, option(metavar="ID", help="Stored picture as a query picture.")
    ] = None,
    image_weight: Annotated[
        list[float] | None,
        option(metavar="FLOAT", help="What pictures count, 0.1 to 10; once, or for each. [1]"),
    ] = None,
    text_weight: Annotated[
        float | None, option(help="What words count beside pictures, 0.1 to 10. [1]")
    ] = None,
    negative_text: Annotated[str | None, option(help="What is not wanted.")] = None,
    negative_image: Annotated[
        list[str] | None, option(metavar="PICTURE", help="A picture of what is not wanted.")
    ] = None,
    negative_weight: Annotated[
        float | None, option(help="What that counts, 0.1 to 10. [0.5]")
    ] = None,
    like: Annotated[
        list[str] | None, option(metavar="ID", help="Closer to this stored picture.")
    ] = None,
    unlike: Annotated[
        list[str] | None, option(metavar="ID", help="Further from this stored picture.")
    ] = None,
    group_by: Annotated[
        str | None, option(metavar="FIELD", help="The best hit for each value of a field only.")
    ] = None,
    hybrid: Annotated[
        str | None, option(metavar="FIELD", help="Compare the text with this field's words, too.")
    ] = None,
    fold: Annotated[
        float | None, option(help="Leave out near duplicates, from this cosine similarity.")
    ] = None,
    diversity: Annotated[
        float | None, option(help="How much hits should differ, 0 to 1; try 0.3. [0]")
    ] = None,
    settings: Settings,
    limit: Limit = 9,
    filter: Filter = None,
    min_score: MinScore = None,
    min_share: Annotated[
        float | None, option(help="Leave out hits below this share of the best score, 0 to 1.")
    ] = None,
    keep_reference: Annotated[
        bool, flag("--keep-reference", "Also return the query pictures themselves.")
    ] = False,
    no_rerank: Annotated[bool, flag("--no-rerank", "Keep the retrieval order.")] = False,
    panorama: Annotated[Path | None, option(help="Write the panorama here.")] = None,
    html: Annotated[
        Path | None, option(help="Write a page with the query, the hits and the reason here.")
    ] = None,
    paths: Paths = False,
    as_json: Json = False,
) -> None:
    """Search with pictures, a sentence, or pictures changed as the sentence says.

    Examples:
        ocelot search "a red mug" --filter "price < 30"
        ocelot search leopard.jpg "phone case with this image theme" --html answer.html
        ocelot search leopard.jpg --paths --limit 3
    """
    _check_format(paths, as_json)
    if panorama is not None and panorama.suffix.lower() not in _PICTURES:
        raise InputError(f"Cannot write {panorama}: name it .jpg, .png or .webp.")
    # torch's threads would spin while they wait for more work, which one query does not bring.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from ocelot.build import build_engine
    from ocelot.cli.query import query_of

    weights = image_weight[0] if image_weight and len(image_weight) == 1 else image_weight
    query = query_of(
        words or [], image or [], text,
        items=item, image_weights=weights, text_weight=text_weight,
        negative_text=negative_text, negative_images=negative_image,
        negative_weight=negative_weight, like=like, unlike=unlike,
        group_by=group_by, fold=fold, diversity=diversity, min_share=min_share,
        hybrid=hybrid,
    )  # fmt: skip
    for output in (panorama, html):
        if output is not None:
            check_writable(output)
    if no_rerank:
        settings = settings.model_copy(update={"reranker": "none"})
    with build_engine(settings, create=False) as engine:
        result = engine.search(
            query, limit=limit, filter=filter, min_score=min_score, keep_reference=keep_reference,
            rerank=False,
        )  # fmt: skip
        result = reranked(engine, result, quiet=as_json or paths)
    if as_json:
        print_json(result.to_dict(), indent=2)
    elif paths:
        _print_paths(result.hits)
    else:
        print_result(result)
        if settings.reranker == "auto" and not settings.uses_llm and result.hits:
            typer.echo(_NO_KEY, err=True)
    save_outputs(result, panorama, html)


@takes(DATABASE)
def similar(
    id: Annotated[
        str, typer.Argument(metavar="ID", help="Of a stored picture: see `ocelot search --json`.")
    ],
    *,
    settings: Settings,
    limit: Limit = 9,
    filter: Filter = None,
    min_score: MinScore = None,
    paths: Paths = False,
    as_json: Json = False,
) -> None:
    """Find what is close to a stored picture. No encoder is needed.

    Examples:
        ocelot similar SKU-1 --limit 5
    """
    _check_format(paths, as_json)
    from ocelot.build import build_collection

    with build_collection(settings, create=False) as collection:
        started = time.perf_counter()
        hits = collection.similar(id, limit=limit, filter=filter, min_score=min_score)
        seconds = time.perf_counter() - started
    if as_json:
        found = {"id": id, "hits": [hit.to_dict() for hit in hits]}
        print_json({**found, "timings": {"total": round(seconds, 4)}}, indent=2)
    elif paths or not hits:
        _print_paths(hits)
    else:
        _print_hits(hits, reranked=False)
        typer.echo(f"\n{count(len(hits))} in {seconds:.2f} s.")


def _check_format(paths: bool, as_json: bool) -> None:
    if paths and as_json:
        raise InputError("--paths and --json exclude each other: give one of them.")


def _print_paths(hits: Sequence[Hit]) -> None:
    """Print one path on each line, byte for byte."""
    for hit in hits:
        typer.echo(os.fsencode(hit.path))
    if not hits:
        typer.echo(_NOTHING, err=True)


def reranked(engine: Engine, result: Result, *, quiet: bool = False) -> Result:
    """Rerank with the engine's reranker, if any; a terminal shows that a language model thinks."""
    if engine.reranker is None:
        return result
    name = engine.reranker.name
    with waiting(f"{name} is looking at the pictures", quiet=quiet or name == "fusion"):
        return engine.rerank(result)


def print_result(result: Result) -> None:
    """Print a table of the hits, the best match and the reason."""
    from ocelot.render.words import cost, ranked, unknown, verdict

    if not result.hits:
        typer.echo(_NOTHING)
        return
    _print_hits(result.hits)
    typer.echo()
    best, ranking = result.best, result.ranking
    if best is None:
        typer.echo("No good match. These pictures are the closest.")
    else:
        say(f"{verdict(ranking)}: {best.title} ({_short(best.path)})")
    if ranking is not None:
        if ranking.reason:
            say(f"Why: {' '.join(ranking.reason.split())}")
        repaired = "repaired" if ranking.status == "repaired" else ""
        made = ", ".join(filter(None, [ranked(ranking), cost(ranking), repaired]))
        detail = f": {ranking.detail.rstrip(' .')}" if ranking.detail else ""
        say(f"{made[0].upper()}{made[1:]}{detail}.")
    if said := unknown(result):
        say(said)
    seconds = result.timings.get("total", 0.0)
    typer.echo(f"{count(len(result.hits))} in {seconds:.2f} s.")


def _print_hits(hits: Sequence[Hit], *, reranked: bool = True) -> None:
    """Print a line for each hit; `reranked` tells whether to show its retrieval rank, too."""
    places = ["#", "was", "score"] if reranked else ["#", "score"]
    rows = []
    for hit in hits:
        was = [str(hit.retrieval_rank)] if reranked else []
        title = hit.title + (f" (+{hit.folded})" if hit.folded else "")
        rows.append([str(hit.rank), *was, f"{hit.score:.3f}", _short(hit.path), title])
    print_table([*places, "path", "title"], rows, right=places)


def _short(path: str) -> str:
    """The path, relative to the working folder if it is below it."""
    with suppress(ValueError):
        return str(Path(path).relative_to(Path.cwd()))
    return path


def save_outputs(result: Result, panorama: Path | None, html: Path | None) -> None:
    """Write the panorama and the page, where a path is given."""
    if panorama is not None and not result.hits:
        typer.echo(f"There are no hits, so {panorama} is not written.", err=True)
    elif panorama is not None:
        with writing(panorama):
            result.panorama().save(panorama, quality=90)
    if html is not None:
        with writing(html):
            html.write_text(result.to_html(), encoding="utf-8")
