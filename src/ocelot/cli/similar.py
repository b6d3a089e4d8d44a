"""`ocelot similar`: what is close to a stored picture."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer

from ocelot.cli.options import DATABASE, Filter, Given, Json, Limit, MinScore, Paths, takes
from ocelot.cli.search import check_format, print_paths, print_table
from ocelot.words import count

__all__ = ["similar"]


@takes(DATABASE)
def similar(
    id: Annotated[
        str, typer.Argument(metavar="ID", help="Of a stored picture: see `ocelot search --json`.")
    ],
    *,
    given: Given,
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
    check_format(paths, as_json)
    from ocelot.build import build_collection
    from ocelot.settings import load_settings

    with build_collection(load_settings(**given), create=False) as collection:
        started = time.perf_counter()
        hits = collection.similar(id, limit=limit, filter=filter, min_score=min_score)
        seconds = time.perf_counter() - started
    if as_json:
        found = {
            "id": id,
            "hits": [hit.to_dict() for hit in hits],
            "timings": {"total": round(seconds, 4)},
        }
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
    elif paths or not hits:
        print_paths(hits)
    else:
        print_table(hits, reranked=False)
        typer.echo(f"\n{count(len(hits))} in {seconds:.2f} s.")
