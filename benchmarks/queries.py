"""What the parts of richer queries do to the hits, on the demo shop and its metadata.

Each line compares the first nine hits of a query with those of the same query and one more part:
the share of what the part is about, and of what the query asked for in the first place.

    python benchmarks/queries.py [--quick] [--encoder NAME_OR_FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from turns import Row, report

import ocelot
from ocelot.assets import demo_shop
from ocelot.types import Hit, Item, Query

COPIES = 60  # near duplicates that are added to the shop

Measure = Callable[[Sequence[Hit]], float]
Case = tuple[Query, Query, dict[str, Measure]]  # without the part, with it, what to look at


def share(**wanted: str) -> Measure:
    """The share of hits that have all these values."""
    return lambda hits: float(
        np.mean([wanted.items() <= dict(hit.metadata).items() for hit in hits] or [0])
    )


def first(measure: Measure) -> Measure:
    return lambda hits: measure(hits[:1])


def distinct(key: str) -> Measure:
    """The number of different values; hits without one count by themselves."""
    return lambda hits: float(len({hit.metadata.get(key, hit.id) for hit in hits}))


class Shop:
    """The demo shop in an engine, and what is known of its items."""

    def __init__(self, engine: ocelot.Engine, step: int) -> None:
        self.engine = engine
        self.items = list(engine.items())
        self.kinds = sorted({item.metadata["kind"] for item in self.items})
        patterned = [item for item in self.items if item.metadata["pattern"] != "plain"]
        self.patterns = sorted({item.metadata["pattern"] for item in patterned})
        pairs = {(item.metadata["kind"], item.metadata["pattern"]) for item in patterned}
        self.pairs = sorted(pairs)[::step]
        self.patterned, self.step = patterned[:: 3 * step], step

    def of(self, kind: str, pattern: str) -> list[Item]:
        return [item for item in self.items if has(item, kind, pattern)]

    def elsewhere(self, kind: str, pattern: str) -> list[Item]:
        """Items of any other kind with a pattern."""
        return [
            item
            for item in self.items
            if item.metadata["pattern"] == pattern and item.metadata["kind"] != kind
        ]

    def compare(self, part: str, cases: Iterable[Case], limit: int = 9) -> Iterator[Row]:
        """Yield the mean of each measure, without the part and with it."""
        found: dict[str, list[tuple[float, float]]] = {}
        for plain, richer, measures in cases:
            without, with_it = (
                self.engine.search(query, limit=limit).hits for query in (plain, richer)
            )
            for name, measure in measures.items():
                found.setdefault(name, []).append((measure(without), measure(with_it)))
        for name, values in found.items():
            before, after = np.mean(values, axis=0).round(3).tolist()
            yield {
                "part": part,
                "queries": len(values),
                "measure": name,
                "without": before,
                "with": after,
            }


def has(item: Item, kind: str, pattern: str) -> bool:
    return (item.metadata["kind"], item.metadata["pattern"]) == (kind, pattern)


def negatives(shop: Shop, kind: str, pattern: str) -> dict[str, Case]:
    """Cases of one kind and print: what is not wanted, liked, and asked for in a second text."""
    plain = Query(text=kind)
    others = shop.elsewhere(kind, pattern)
    of_print = {"with the print": share(pattern=pattern), "right kind": share(kind=kind)}
    (unliked, *_) = shop.of(kind, pattern)
    of_colour = {"of its colour": share(colour=unliked.metadata["colour"])}
    picture = shop.engine.images.original(others[0])
    return {
        "negative text": (plain, plain.refined(negative_text=f"{pattern} print"), of_print),
        "negative picture": (plain, plain.refined(negative_images=picture), of_print),
        "like three": (plain, plain.refined(like=[one.id for one in others[:3]]), of_print),
        "unlike one": (
            plain,
            plain.refined(unlike=unliked.id),
            of_colour | {"right kind": share(kind=kind)},
        ),
        "refined by a text": (
            plain,
            plain.refined(f"{pattern} print"),
            {"right kind and print": share(kind=kind, pattern=pattern)},
        ),
    }


def weighted(shop: Shop, **part: float | str) -> Iterator[Case]:
    """A stored picture and the name of another kind."""
    for number, item in enumerate(shop.patterned):
        pattern = item.metadata["pattern"]
        fitting = shop.elsewhere(item.metadata["kind"], pattern)
        kind = fitting[number % len(fitting)].metadata["kind"]
        measures = {
            "kind of the text": share(kind=kind),
            "print of the picture": share(pattern=pattern),
            "first is both": first(share(kind=kind, pattern=pattern)),
        }
        plain = Query(text=kind, items=item.id)
        yield plain, plain.refined(**part), measures


def selections(shop: Shop) -> Iterator[Row]:
    """Grouping, difference, and a least share of the best score."""
    for name, part in (("group by kind", {"group_by": "kind"}), ("diversity", {"diversity": 0.3})):
        cases = []
        for pattern in shop.patterns:
            plain = Query(text=f"{pattern} print")
            measures = {"different kinds": distinct("kind"), "right print": share(pattern=pattern)}
            cases.append((plain, plain.refined(**part), measures))
        yield from shop.compare(f"{name}, a print", cases)
    cases = []
    for kind in shop.kinds:
        measures = {"different colours": distinct("colour"), "right kind": share(kind=kind)}
        cases.append((Query(text=kind), Query(text=kind, diversity=0.3), measures))
    yield from shop.compare("diversity, a kind", cases)
    cases = []
    for kind, pattern in shop.pairs:
        plain = Query(text=f"{pattern} {kind}")
        measures = found_of(kind, pattern, len(shop.of(kind, pattern)))
        cases.append((plain, plain.refined(min_share=0.92), measures))
    yield from shop.compare("at least 0.92 of the best score", cases, limit=30)


def found_of(kind: str, pattern: str, there: int) -> dict[str, Measure]:
    precision = share(kind=kind, pattern=pattern)
    return {"precision": precision, "recall": lambda hits: precision(hits) * len(hits) / there}


def hybrid(shop: Shop) -> Iterator[Row]:
    """Titles joined to the vectors, for a print, a print with a kind, and a picture in a colour."""

    def with_titles(query: Query, measures: dict[str, Measure]) -> Case:
        return query, query.refined(hybrid="title"), measures

    prints = [
        with_titles(
            Query(text=pattern),
            {"right print": share(pattern=pattern), "first has it": first(share(pattern=pattern))},
        )
        for pattern in shop.patterns
    ]
    yield from shop.compare("hybrid, a print", prints)
    pairs = [
        with_titles(
            Query(text=f"{pattern} {kind}"),
            {
                "right kind": share(kind=kind),
                "first is both": first(share(kind=kind, pattern=pattern)),
            },
        )
        for kind, pattern in shop.pairs
    ]
    yield from shop.compare("hybrid, print and kind", pairs)
    there = sorted({(item.metadata["kind"], item.metadata["colour"]) for item in shop.items})
    asked = [
        with_titles(
            Query(text=f"the same in {colour}", items=item.id),
            {"first has kind and colour": first(share(kind=kind, colour=colour))},
        )
        for item in shop.items
        for kind, colour in there
        if kind == item.metadata["kind"] and colour != item.metadata["colour"]
    ]
    yield from shop.compare("hybrid, a picture in a colour", asked[:: 10 * shop.step])


def folding(shop: Shop, folder: Path) -> Iterator[Row]:
    """Add smaller, harder compressed copies of some pictures, and count them among the hits."""
    for item in shop.items[:: len(shop.items) // COPIES]:
        with Image.open(item.path) as picture:
            small = picture.convert("RGB").resize([side * 4 // 5 for side in picture.size])
        small.save(folder / f"{item.id}.jpg", quality=60)
        shop.engine.add(folder / f"{item.id}.jpg", metadata={**item.metadata, "copy_of": item.id})
    measures = {"different pictures": distinct("copy_of")}
    cases = [(Query(text=kind), Query(text=kind, fold=0.98), measures) for kind in shop.kinds]
    yield from shop.compare(f"fold 0.98, {COPIES} copies", cases)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of the queries")
    parser.add_argument("--encoder", default="ocelot-tiny")
    options = parser.parse_args()
    folder = demo_shop()
    with (
        tempfile.TemporaryDirectory() as work,
        ocelot.open(f"{work}/shop.db", encoder=options.encoder, reranker=None) as engine,
    ):
        engine.index(folder / "images", metadata=folder / "metadata.csv")
        shop = Shop(engine, 4 if options.quick else 1)
        rows = [
            *shop.compare("text weight 2", weighted(shop, text_weight=2)),
            *shop.compare("picture weight 1.5", weighted(shop, image_weights=1.5)),
            *shop.compare("hybrid, a picture and a kind", weighted(shop, hybrid="title")),
        ]
        cases = [negatives(shop, *pair) for pair in shop.pairs]
        for part in cases[0]:
            rows += shop.compare(part, (case[part] for case in cases))
        rows += [*selections(shop), *hybrid(shop), *folding(shop, Path(work))]
    report("Parts of queries", rows, {"encoder": options.encoder})


if __name__ == "__main__":
    main()
