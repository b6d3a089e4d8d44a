"""What the parts of richer queries do to the hits, on the demo shop and its metadata.

Each line compares the first nine hits of a query with those of the same query and one more part:
the share of what the part is about, and of what the query asked for in the first place.

    python benchmarks/queries.py [--quick] [--encoder NAME_OR_FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from turns import machine

import ocelot
from ocelot.assets import demo_shop
from ocelot.types import Hit, Item, Query

COPIES = 60  # near duplicates that are added to the shop

Hits = Sequence[Hit]
Measure = Callable[[Hits], float]


def share(key: str, *values: Any) -> Measure:
    """The share of hits that have one of these values."""
    return lambda hits: float(np.mean([hit.metadata[key] in values for hit in hits] or [0]))


def right_kind(kind: str) -> dict[str, Measure]:
    return {"right kind": share("kind", kind)}


def both(kind: str, pattern: str) -> Measure:
    """The share of hits of this kind with this pattern."""
    wanted = (kind, pattern)
    return lambda hits: float(
        np.mean([(hit.metadata["kind"], hit.metadata["pattern"]) == wanted for hit in hits])
    )


def distinct(key: str) -> Measure:
    """The number of different values."""
    return lambda hits: float(len({hit.metadata[key] for hit in hits}))


class Shop:
    """The demo shop in an engine, and what is known of its items."""

    def __init__(self, engine: ocelot.Engine, step: int) -> None:
        self.engine = engine
        self.items = list(engine.items())
        self.kinds = sorted({item.metadata["kind"] for item in self.items})
        self.patterns = sorted({item.metadata["pattern"] for item in self.items} - {"plain"})
        pairs = {(item.metadata["kind"], item.metadata["pattern"]) for item in self.items}
        self.pairs = [pair for pair in sorted(pairs) if pair[1] != "plain"][::step]

    def of(self, kind: str | None, pattern: str, other: str = "") -> list[Item]:
        """Items with a pattern, of a kind or of any but one."""
        return [
            item
            for item in self.items
            if item.metadata["pattern"] == pattern
            and item.metadata["kind"] in ([kind] if kind else set(self.kinds) - {other})
        ]

    def hits(self, query: Query, limit: int = 9) -> Hits:
        return self.engine.search(query, limit=limit).hits

    def compare(
        self, name: str, cases: Iterable[tuple[Query, Query, dict[str, Measure]]], limit: int = 9
    ) -> None:
        """Print the mean of each measure, before and after."""
        before: dict[str, list[float]] = {}
        after: dict[str, list[float]] = {}
        for plain, richer, measures in cases:
            found = self.hits(plain, limit), self.hits(richer, limit)
            for what, measure in measures.items():
                before.setdefault(what, []).append(measure(found[0]))
                after.setdefault(what, []).append(measure(found[1]))
        number = len(next(iter(before.values())))
        for what in before:
            change = f"{np.mean(before[what]):7.3f} -> {np.mean(after[what]):.3f}"
            print(f"{name:34} {what:34} {change}   {number} queries")


def negatives(shop: Shop) -> None:
    def of_text(kind: str, pattern: str) -> tuple[Query, Query, dict[str, Measure]]:
        plain = Query(text=kind)
        return (
            plain,
            plain.refined(negative_text=f"{pattern} print"),
            {
                "with the unwanted print": share("pattern", pattern),
                "right kind": share("kind", kind),
            },
        )

    shop.compare("negative text", (of_text(*pair) for pair in shop.pairs))

    def of_picture(kind: str, pattern: str) -> tuple[Query, Query, dict[str, Measure]]:
        plain, _, measures = of_text(kind, pattern)
        (shown,) = shop.of(None, pattern, other=kind)[:1]
        picture = shop.engine.images.original(shown)
        return plain, plain.refined(negative_images=picture), measures

    shop.compare("negative picture", (of_picture(*pair) for pair in shop.pairs))

    def of_two(kind: str, one: str, two: str) -> tuple[Query, Query, dict[str, Measure]]:
        plain = Query(text=kind)
        text = f"{one} print, {two} print"
        measures = {"with one of two prints": share("pattern", one, two)}
        return (
            plain,
            plain.refined(negative_text=text),
            measures | {"right kind": share("kind", kind)},
        )

    found = [(one, other[1]) for one, other in pairwise(shop.pairs) if one[0] == other[0]]
    shop.compare("two negatives in one text", (of_two(*one, two) for one, two in found))


def stored_items(shop: Shop) -> None:
    def liked(kind: str, pattern: str) -> tuple[Query, Query, dict[str, Measure]]:
        plain = Query(text=kind)
        ids = [item.id for item in shop.of(None, pattern, other=kind)[:3]]
        measures = {
            "with the liked print": share("pattern", pattern),
            "right kind": share("kind", kind),
        }
        return plain, plain.refined(like=ids), measures

    shop.compare("like three of another kind", (liked(*pair) for pair in shop.pairs))

    def unliked(kind: str, pattern: str) -> tuple[Query, Query, dict[str, Measure]]:
        plain = Query(text=kind)
        (item,) = shop.of(kind, pattern)[:1]
        colour = share("colour", item.metadata["colour"])
        measures = right_kind(kind) | {"of the unliked one's colour": colour}
        return plain, plain.refined(unlike=item.id), measures

    shop.compare("unlike one", (unliked(*pair) for pair in shop.pairs))

    def refined(kind: str, pattern: str) -> tuple[Query, Query, dict[str, Measure]]:
        plain = Query(text=kind)
        measures = {"right kind and print": both(kind, pattern)}
        return plain, plain.refined(f"{pattern} print"), measures

    shop.compare("refined by a second text", (refined(*pair) for pair in shop.pairs))


def weights(shop: Shop, step: int) -> None:
    patterned = [item for item in shop.items if item.metadata["pattern"] != "plain"][::step]

    def weighted(**parts: Any) -> Iterable[tuple[Query, Query, dict[str, Measure]]]:
        for number, item in enumerate(patterned):
            pattern = item.metadata["pattern"]
            fitting = shop.of(None, pattern, other=item.metadata["kind"])
            kind = fitting[number % len(fitting)].metadata["kind"]
            measures = {
                "kind of the text": share("kind", kind),
                "print of the picture": share("pattern", pattern),
                "first is both": lambda hits, k=kind, p=pattern: both(k, p)(hits[:1]),
            }
            plain = Query(text=kind, items=item.id)
            yield plain, plain.refined(**parts), measures

    shop.compare("text weight 2", weighted(text_weight=2))
    shop.compare("picture weight 1.5", weighted(image_weights=1.5))
    shop.compare("hybrid, a picture and a kind", weighted(hybrid="title"))


def selections(shop: Shop) -> None:
    def of_print(pattern: str, **wish: Any) -> tuple[Query, Query, dict[str, Measure]]:
        plain = Query(text=f"{pattern} print")
        measures = {"different kinds": distinct("kind"), "right print": share("pattern", pattern)}
        return plain, plain.refined(**wish), measures

    shop.compare("group by kind", (of_print(p, group_by="kind") for p in shop.patterns))
    for amount in (0.2, 0.3, 0.4):
        found = (of_print(p, diversity=amount) for p in shop.patterns)
        shop.compare(f"diversity {amount}", found)

    def of_kind(kind: str, **wish: Any) -> tuple[Query, Query, dict[str, Measure]]:
        measures = right_kind(kind) | {"different colours": distinct("colour")}
        return Query(text=kind), Query(text=kind, **wish), measures

    shop.compare("diversity 0.3", (of_kind(kind, diversity=0.3) for kind in shop.kinds))

    def cut(kind: str, pattern: str, least: float) -> tuple[Query, Query, dict[str, Measure]]:
        all_of_them = len(shop.of(kind, pattern))
        precision = both(kind, pattern)
        measures: dict[str, Measure] = {
            "precision": precision,
            "recall": lambda hits: precision(hits) * len(hits) / all_of_them,
        }
        plain = Query(text=f"{pattern} {kind}")
        return plain, plain.refined(min_share=least), measures

    for least in (0.9, 0.92):
        found = (cut(*pair, least) for pair in shop.pairs)
        shop.compare(f"at least {least} of the best score", found, limit=30)


def hybrid(shop: Shop, step: int) -> None:
    def with_titles(
        query: Query, measures: dict[str, Measure]
    ) -> tuple[Query, Query, dict[str, Measure]]:
        return query, query.refined(hybrid="title"), measures

    def of_print(pattern: str) -> tuple[Query, Query, dict[str, Measure]]:
        right = share("pattern", pattern)
        measures = {"right print": right, "first has it": lambda hits: right(hits[:1])}
        return with_titles(Query(text=pattern), measures)

    shop.compare("hybrid, a print", map(of_print, shop.patterns))

    def of_pair(kind: str, pattern: str) -> tuple[Query, Query, dict[str, Measure]]:
        right, there = both(kind, pattern), len(shop.of(kind, pattern))
        measures: dict[str, Measure] = {
            "found of its kind and print": lambda hits: right(hits) * len(hits) / min(there, 9),
            "first is both": lambda hits: right(hits[:1]),
            "right kind": share("kind", kind),
        }
        return with_titles(Query(text=f"{pattern} {kind}"), measures)

    shop.compare("hybrid, print and kind", (of_pair(*pair) for pair in shop.pairs))

    def in_colour(item: Item, colour: str) -> tuple[Query, Query, dict[str, Measure]]:
        kind = item.metadata["kind"]

        def fits(hits: Hits) -> float:
            first = hits[0].metadata
            return float((first["kind"], first["colour"]) == (kind, colour))

        query = Query(text=f"the same in {colour}", items=item.id)
        return with_titles(query, {"first has kind and colour": fits})

    there = {(item.metadata["kind"], item.metadata["colour"]) for item in shop.items}
    asked = [
        (item, colour)
        for item in shop.items
        for kind, colour in sorted(there)
        if kind == item.metadata["kind"] and colour != item.metadata["colour"]
    ]
    found = (in_colour(*pair) for pair in asked[:: 10 * step])
    shop.compare("hybrid, a picture in a colour", found)


def folding(shop: Shop, folder: Path) -> None:
    """Add smaller, harder compressed copies of some pictures, and count them among the hits."""

    def folded(what: str, measure: Measure) -> None:
        for threshold in (0.95, 0.98):
            queries = [(Query(text=kind), Query(text=kind, fold=threshold)) for kind in shop.kinds]
            found = ((plain, folding, {what: measure}) for plain, folding in queries)
            shop.compare(f"fold {threshold}", found)

    folded("folded without copies", lambda hits: float(sum(hit.folded for hit in hits)))
    for item in shop.items[:: len(shop.items) // COPIES]:
        with Image.open(item.path) as picture:
            small = picture.convert("RGB").resize([side * 4 // 5 for side in picture.size])
        small.save(folder / f"{item.id}.jpg", quality=60)
        shop.engine.add(folder / f"{item.id}.jpg", metadata={**item.metadata, "copy_of": item.id})
    names = "different pictures, with copies"
    folded(names, lambda hits: float(len({hit.metadata.get("copy_of", hit.id) for hit in hits})))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the queries")
    parser.add_argument("--encoder", default="ocelot-tiny")
    options = parser.parse_args()
    step = 4 if options.quick else 1
    shop = demo_shop()
    with tempfile.TemporaryDirectory() as work:
        place = Path(work)
        with ocelot.open(place / "shop.db", encoder=options.encoder, reranker=None) as engine:
            engine.index(shop / "images", metadata=shop / "metadata.csv")
            print(f"{engine.encoder.name}, {engine.count()} pictures; {machine()['processor']}\n")
            indexed = Shop(engine, step)
            weights(indexed, 3 * step)
            negatives(indexed)
            stored_items(indexed)
            selections(indexed)
            hybrid(indexed, step)
            folding(indexed, place)


if __name__ == "__main__":
    main()
