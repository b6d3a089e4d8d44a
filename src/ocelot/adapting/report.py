"""The report of an adaptation as one page: figures, and held-out questions before and after."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocelot.adapting.measure import Answer
from ocelot.adapting.understand import Catalogue
from ocelot.evaluation.benchmarks.triplets import TripletQuery
from ocelot.files import write_atomic
from ocelot.render.html import data_url, environment, sendable, small

if TYPE_CHECKING:
    from ocelot.adapting.adapt import Adaptation

__all__ = ["write_page"]

_EXAMPLES = 10
_TITLED, _CHANGES = 8, 6  # of what a vision model described
_TILE = 160  # pixels


def write_page(
    result: Adaptation,
    catalogue: Catalogue,
    folder: Path,
    queries: Sequence[TripletQuery],
    before: Sequence[Answer],
    after: Sequence[Answer],
    initial: str,
) -> None:
    """Write the report of a result to its place."""
    examples: list[dict[str, Any]] = [
        {"query": queries[n], "before": before[n].names, "after": after[n].names}
        for n in _drawn(queries)
    ]
    changes, rows = catalogue.changes, catalogue.rows if catalogue.described else ()
    titled = random.Random(0).sample(rows, min(_TITLED, len(rows)))
    page = (
        environment("ocelot.adapting")
        .get_template("report.html")
        .render(
            result=result,
            changes=random.Random(0).sample(changes, min(_CHANGES, len(changes))),
            titled=titled,
            examples=examples,
            initial=initial,
            picture=lambda name: data_url(small, folder / name, _TILE),
        )
    )
    assert result.report is not None
    write_atomic(result.report, sendable(page).encode())


def _drawn(queries: Sequence[TripletQuery]) -> list[int]:
    """Numbers of questions, drawn at random, in turns from each task."""
    tasks = defaultdict(list)
    for number, query in enumerate(queries):
        tasks[query.task].append(number)
    rng = random.Random(0)
    mixed = [rng.sample(numbers, min(_EXAMPLES, len(numbers))) for numbers in tasks.values()]
    turns = [one[turn] for turn in range(_EXAMPLES) for one in mixed if turn < len(one)]
    return turns[:_EXAMPLES]
