"""`ocelot search`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ocelot.cli import options
from ocelot.cli.startup import quick_start
from ocelot.cli.terminal import printable, sentence
from ocelot.errors import ConfigurationError, InputError
from ocelot.types import MAX_REFERENCES, Query

if TYPE_CHECKING:
    from ocelot.images.thumbnails import Thumbnails
    from ocelot.types import Result

__all__ = ["NO_KEY", "as_dict", "print_result", "save_outputs", "search"]

NO_KEY = (
    "No OPENAI_API_KEY: ranked offline by fusion. Set it to have a vision model rerank and explain."
)
_PICTURES = (".jpg", ".jpeg", ".png", ".webp")


def search(
    image: Annotated[
        list[Path] | None,
        typer.Option(
            "--image",
            "-i",
            metavar="PATH",
            show_default=False,
            help=f"Query picture; again for further ones, up to {MAX_REFERENCES}.",
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", "-t", help="Query sentence.", show_default=False)
    ] = None,
    db: options.Database = None,
    collection: options.CollectionName = None,
    token: options.Token = None,
    encoder: options.EncoderName = None,
    weights: options.Weights = None,
    text_model: options.TextModel = None,
    device: options.Device = None,
    backend: options.Backend = None,
    precision: options.Precision = None,
    calibration: options.Calibration = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000)] = 9,
    filter: Annotated[
        str | None,
        typer.Option(help='Over the metadata, e.g. "price < 30".', show_default=False),
    ] = None,
    min_score: Annotated[
        float | None, typer.Option(help="Leave out lower cosines.", show_default=False)
    ] = None,
    keep_reference: Annotated[
        bool, typer.Option("--keep-reference", help="Also show the query pictures themselves.")
    ] = False,
    no_rerank: Annotated[bool, typer.Option("--no-rerank", help="Keep retrieval order.")] = False,
    reranker: options.RerankerName = None,
    llm_model: options.LanguageModel = None,
    llm_base_url: options.LanguageModelUrl = None,
    panorama: Annotated[
        Path | None, typer.Option(help="Write the panorama here.", show_default=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with everything here.", show_default=False)
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Search with pictures, a sentence, or pictures changed as the sentence says."""
    if not image and not (text and text.strip()):
        raise InputError("There is nothing to search for: give --image, --text, or both.")
    if panorama is not None and panorama.suffix.lower() not in _PICTURES:
        raise InputError(f"Cannot write {panorama}: name it .jpg, .png or .webp.")
    # One query is over before it pays that torch's threads spin for the next, in others' way.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with quick_start():
        from ocelot.build import build_engine
        from ocelot.settings import load_settings

    query = Query(text=text, others=tuple(image or ()))
    settings = load_settings(
        db=db,
        collection=collection,
        token=token,
        **options.encoder_settings(
            encoder, weights, text_model, device, backend, precision, calibration
        ),
        reranker="none" if no_rerank else reranker,
        llm_model=llm_model,
        llm_base_url=llm_base_url,
    )
    with quick_start(), build_engine(settings, create=False) as engine:
        result = engine.ask(
            query,
            limit=limit,
            filter=filter,
            min_score=min_score,
            keep_reference=keep_reference,
        )
    if as_json:
        typer.echo(json.dumps(as_dict(result), ensure_ascii=False, indent=2))
    else:
        print_result(result)
        if settings.reranker == "auto" and not settings.generative and result.hits:
            typer.echo(NO_KEY, err=True)
    save_outputs(result, panorama, html, engine.thumbnails)


def as_dict(result: Result) -> dict[str, Any]:
    """The result as `--json` prints it: hits in final order, each with its earlier rank."""
    images = [str(image) for image in result.query.images]
    ranking = result.ranking

    def entry(rank: int, hit: Any) -> dict[str, Any]:
        return {
            "rank": rank,
            "earlier_rank": hit.rank,
            "score": round(hit.score, 6),
            "path": hit.path,
            "paths": list(hit.paths),
            "title": hit.title,
            "id": hit.id,
            "metadata": dict(hit.metadata),
        }

    hits = [entry(rank, hit) for rank, hit in enumerate(result.ranked, 1)]
    return {
        "query": {
            "image": images[0] if images else None,
            "images": images,
            "text": result.query.text,
        },
        "hits": hits,
        "winner": hits[0] if result.winner is not None else None,
        "ranking": None
        if ranking is None
        else {
            "reranker": ranking.reranker,
            "status": ranking.status,
            "detail": ranking.detail,
            "match": ranking.match,
            "reason": ranking.reason,
            "cached": ranking.cached,
            "usage": vars(ranking.usage),
        },
        "timings": {name: round(seconds, 4) for name, seconds in result.timings.items()},
    }


def print_result(result: Result) -> None:
    """A table, the winner and the reason."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not result.hits:
        typer.echo("Nothing was found. Loosen --filter or --min-score, or index more pictures.")
        return
    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge: one hit, one line
        console = Console(width=10_000)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("#", "right"), ("was", "right"), ("score", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("path", overflow="fold")
    table.add_column("title", overflow="fold")
    for rank, hit in enumerate(result.ranked, 1):
        table.add_row(
            str(rank),
            str(hit.rank),
            f"{hit.score:.3f}",
            Text(printable(_short(hit.path))),
            Text(printable(hit.title)),
        )
    console.print(table)
    typer.echo()
    winner, ranking = result.winner, result.ranking
    if winner is None:
        typer.echo("None of these fits the query.")
    else:
        typer.echo(printable(f"Winner: {winner.title} ({_short(winner.path)})"))
    if ranking is not None:
        if ranking.reason:
            typer.echo(printable(f"Why:    {' '.join(ranking.reason.split())}"))
        status = "" if ranking.status == "ok" else f", {ranking.status}: {ranking.detail}"
        used = ranking.usage
        tokens = f", {used.prompt_tokens + used.completion_tokens} tokens" if used.calls else ""
        cached = ", from the cache" if ranking.cached else ""
        typer.echo(sentence(f"Ranked by {ranking.reranker}{cached}{tokens}{status}"))
    seconds = result.timings.get("total", 0.0)
    typer.echo(f"{len(result.hits)} pictures in {seconds:.2f} s.")


def _short(path: str) -> str:
    """Relative to the working folder where the file is inside it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def save_outputs(
    result: Result,
    panorama: Path | None,
    html: Path | None,
    thumbnails: Thumbnails | None = None,
) -> None:
    """Write the panorama and the page that were asked for; small copies save reading files."""
    if panorama is None and html is None:
        return
    picture = None
    if result.hits:  # as a reranker sees them: in retrieval order
        from ocelot.rerankers.panorama.compose import MAX_CANDIDATES, panorama_of_hits

        picture = panorama_of_hits(result.query, result.hits[:MAX_CANDIDATES], thumbnails)
    if panorama is not None and picture is None:
        typer.echo(f"Nothing to show, so {panorama} is not written.", err=True)
    elif panorama is not None and picture is not None:
        _write(panorama, lambda: picture.save(panorama, quality=90))
    if html is not None:
        from ocelot import __version__
        from ocelot.render.html import render_page

        page = render_page(result, panorama=picture, version=__version__)
        _write(html, lambda: html.write_text(page, encoding="utf-8"))


def _write(file: Path, write: Any) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write()
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"Cannot write {file}: {cause}.") from None
