"""A held-out evaluation set: a shop of pictures, and queries for combinations never trained on."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from recipes.ocelot_tiny.catalogue.split import held_out
from recipes.ocelot_tiny.catalogue.vocabulary import Product
from recipes.ocelot_tiny.drawings import TASKS, Theme, Triplet, random_product, sample_triplet
from recipes.ocelot_tiny.pools import render

__all__ = ["COMPOSED_TASKS", "write_benchmark"]

# task -> share of the queries
COMPOSED_TASKS: Mapping[str, float] = {
    "theme": 0.4,
    "colour": 0.3,
    "pattern": 0.15,
    "category": 0.15,
}


@dataclass(frozen=True)
class _Picture:
    name: str
    subject: Product | Theme


def write_benchmark(
    folder: Path,
    *,
    count: int = 900,
    queries: int = 300,
    seed: int = 0,
    tasks: Mapping[str, float] = COMPOSED_TASKS,
    size: int = 320,
) -> Path:
    """Draw a gallery and write `queries.jsonl` beside it, as `ocelot evaluate triplets` reads.

    The gallery holds every query's target and reference; the rest are near misses: the same
    kind and style in other prints and colours, and the same print on other kinds. A query's
    targets are all pictures of the gallery that answer it.

    Args:
        count: Pictures in the gallery, at least two for each query.
        tasks: Shares of the tasks.

    Returns:
        The queries file.
    """
    if queries < 1 or count < 2 * queries:
        raise ValueError(
            f"The pictures must be at least twice the queries, was: {count} and {queries}"
        )
    rng = random.Random(f"benchmark/{seed}")
    (folder / "images").mkdir(parents=True, exist_ok=True)
    drawn = _draw_queries(rng, queries, tasks)
    gallery: list[_Picture] = []

    def add(subject: Product | Theme) -> _Picture:
        gallery.append(_Picture(f"images/{len(gallery):06}.jpg", subject))
        return gallery[-1]

    pairs = [
        (triplet, add(triplet.target), add(triplet.reference) if triplet.reference else None)
        for triplet in drawn
    ]
    while len(gallery) < count:
        add(_near_miss(rng, rng.choice(drawn).target))
    for number, picture in enumerate(gallery):
        image = render(picture.subject, (seed << 24) + (1 << 40) + number, size)
        image.save(folder / picture.name, "JPEG", quality=88)
    lines = []
    for triplet, _, reference in pairs:
        targets = [p.name for p in gallery if triplet.wanted.accepts(p.subject) and p != reference]
        lines.append(
            json.dumps(
                {
                    "reference": reference.name if reference else None,
                    "text": triplet.text,
                    "targets": targets,
                    "task": triplet.task,
                }
            )
        )
    file = folder / "queries.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def _draw_queries(rng: random.Random, queries: int, tasks: Mapping[str, float]) -> list[Triplet]:
    drawn: list[Triplet] = []
    while len(drawn) < queries:
        task = rng.choices(list(tasks), list(tasks.values()))[0]
        if task not in TASKS:
            raise ValueError(f"task must be one of {', '.join(TASKS)}, was: {task!r}")
        plain = {"pattern": "plain"} if task == "category" else {}
        target = random_product(rng, held_out, **plain)
        triplet = sample_triplet(rng, task, target, lambda product: True)
        if triplet.task == task:
            drawn.append(triplet)
    return drawn


def _near_miss(rng: random.Random, target: Product) -> Product:
    def anything(product: Product) -> bool:
        return product != target

    if rng.random() < 0.5:
        other = random_product(rng, anything, kind=target.kind)
        return Product(other.kind, target.style, other.pattern, other.colour)
    if rng.random() < 0.6:
        return random_product(rng, anything, pattern=target.pattern, colour=target.colour)
    return random_product(rng, anything)
