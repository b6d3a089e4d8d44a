"""Writing rows through `Collection` against the same rows with plain pymilvus.

    python benchmarks/milvus.py [--server URI --token TOKEN | --lite-only] [--quick]

The same schema, the same index, the same messages, into new collections, in turns: on Milvus Lite
and on a server, by default the one that the package `milvus` carries. The garbage collector has the
threshold of the command `ocelot`.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import server
from pymilvus import MilvusClient
from turns import report, spread

from ocelot.collection import Collection, EncoderIdentity, Row

METADATA = ("title", "price", "category")
_numbers = count()


def drawn(rows: int, dimension: int) -> list[dict[str, Any]]:
    """Rows in the form that pymilvus takes."""
    vectors = np.random.default_rng(0).normal(size=(rows, dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return [
        {
            "id": hashlib.sha256(str(n).encode()).hexdigest(),
            "paths": {f"/pictures/{n:06}.jpg": 1_700_000_000_123_456_789 + n},
            "size": 20_000 + n,
            "width": 400,
            "height": 300,
            "vector": vector,
            "title": f"Product number {n}",
            "price": n / 100,
            "category": "Toys",
        }
        for n, vector in enumerate(vectors)
    ]


@contextmanager
def emptied(place: dict[str, Any], dimension: int) -> Iterator[Collection]:
    """A new collection, dropped at the end."""
    identity = EncoderIdentity("none", "0" * 64, dimension)
    collection = Collection.open(**place, name=f"bench_{next(_numbers)}", encoder=identity)
    try:
        yield collection
    finally:
        collection.drop()


def writing(
    place: dict[str, Any], where: str, dimension: int, rows: int, rounds: int
) -> dict[str, object]:
    """One row of the table: plain upserts, plain inserts, ours; making the rows is part of each."""
    size = 8 * 2**20 // (4 * dimension + 400)  # what the indexing pipeline sends at once
    entities = drawn(rows, dimension)
    groups = [entities[start : start + size] for start in range(0, rows, size)]
    fields = [list(map(_fields, group)) for group in groups]

    def plain(method: str, collection: Collection, client: MilvusClient) -> None:
        for group in groups:
            getattr(client, method)(collection.name, [dict(entity) for entity in group])

    def ours(collection: Collection, client: MilvusClient) -> None:
        for group in fields:
            collection.upsert([Row(**one) for one in group], fresh=True)

    writers = {"upsert": partial(plain, "upsert"), "insert": partial(plain, "insert"), "ours": ours}
    took: dict[str, list[float]] = {name: [] for name in writers}
    for number in range(rounds + 1):
        for name in took if number % 2 else reversed(list(took)):
            with emptied(place, dimension) as collection:
                client = MilvusClient(uri=place["uri"], token=place.get("token", ""))
                started = time.perf_counter()
                writers[name](collection, client)
                if number:
                    took[name].append(time.perf_counter() - started)
                client.close()
    ratios = [one / other for one, other in zip(took["upsert"], took["ours"], strict=True)]
    return {
        "": f"{where}, {dimension} dimensions",
        "rows": rows,
        "plain upsert, s": spread(took["upsert"]),
        "plain insert, s": spread(took["insert"]),
        "`Collection`, s": spread(took["ours"]),
        "ratio to upsert": spread(ratios),
    }


def _fields(entity: dict[str, Any]) -> dict[str, Any]:
    """What makes a `Row`."""
    own = {name: value for name, value in entity.items() if name not in METADATA}
    return {**own, "metadata": {name: entity[name] for name in METADATA}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[256, 768])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", help="address of a server; the packaged one by default")
    parser.add_argument("--token", default="")
    parser.add_argument("--lite-only", action="store_true")
    parser.add_argument("--quick", action="store_true", help="2,000 rows of 256 dimensions")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.dimensions, args.rounds = 2_000, [256], 2

    gc.set_threshold(50_000)
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            writing({"uri": f"{folder}/{n}.db"}, "Milvus Lite", n, args.rows, args.rounds)
            for n in args.dimensions
        ]
        if not args.lite_only:
            with server.milvus(Path(folder), args.server, args.token) as place:
                for dimension in args.dimensions if place else ():
                    rows.append(writing(place, "server", dimension, args.rows, args.rounds))
        report("Writing to Milvus", rows)


if __name__ == "__main__":
    main()
