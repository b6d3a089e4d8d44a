"""Writing rows through `Collection` against the same rows with plain pymilvus.

    python benchmarks/milvus.py [--server URI --token TOKEN | --lite-only] [--quick]

The same schema, the same index, the same messages, into new collections, in turns: on Milvus Lite
and on a server, by default the one that the package `milvus` carries. With `--index-after` also
whether a server is sooner done where the index is made after the rows instead of before.
"""

from __future__ import annotations

import argparse
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
from turns import Side, in_turns, report

from ocelot.collection import Collection, EncoderIdentity, Row

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


def groups(entities: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(entities), size):
        yield entities[start : start + size]


def compare(place: dict[str, Any], where: str, rows: int, dimension: int, rounds: int) -> None:
    """One table: plain upserts, plain inserts, ours; making the rows is part of each."""
    size = 8 * 2**20 // (4 * dimension + 400)  # what the indexing pipeline sends at once
    entities = drawn(rows, dimension)
    took: dict[str, list[float]] = {
        "pymilvus, upsert": [],
        "pymilvus, insert": [],
        "Collection": [],
    }

    def plain(method: str, collection: Collection, client: MilvusClient) -> None:
        for group in groups(entities, size):
            getattr(client, method)(collection.name, [dict(entity) for entity in group])

    def ours(collection: Collection, client: MilvusClient) -> None:
        for group in groups(entities, size):
            collection.upsert(
                [
                    Row(
                        one["id"],
                        one["paths"],
                        one["size"],
                        one["width"],
                        one["height"],
                        {name: one[name] for name in ("title", "price", "category")},
                        one["vector"],
                    )
                    for one in group
                ],
                fresh=True,
            )

    writers = dict(
        zip(took, (partial(plain, "upsert"), partial(plain, "insert"), ours), strict=True)
    )
    for number in range(rounds + 1):
        for name in took if number % 2 else reversed(list(took)):
            with emptied(place, dimension) as collection:
                client = MilvusClient(uri=place["uri"], token=place.get("token", ""))
                started = time.perf_counter()
                writers[name](collection, client)
                if number:
                    took[name].append(time.perf_counter() - started)
                client.close()
    report(f"Writing {dimension} dimensions, {where}", took, items=rows, what="rows")


def index_order(place: dict[str, Any], rows: int, dimension: int, rounds: int) -> None:
    """Until all rows are indexed and can be searched: the index made before them, or after."""
    entities = drawn(rows, dimension)

    def run(after: bool) -> None:
        with emptied(place, dimension) as collection:
            client = MilvusClient(uri=place["uri"], token=place.get("token", ""))
            name = collection.name
            index = MilvusClient.prepare_index_params()
            index.add_index("vector", index_type="AUTOINDEX", metric_type="COSINE")
            if after:
                client.release_collection(name)
                client.drop_index(name, "vector")
            for group in groups(entities, 2_000):
                client.upsert(name, group)
            client.flush(name, timeout=600)
            if after:
                client.create_index(name, index, timeout=600)
                client.load_collection(name, timeout=600)
            while int(client.describe_index(name, "vector")["indexed_rows"]) < rows:
                time.sleep(0.1)
            client.close()

    sides = [Side("index first", partial(run, False)), Side("index last", partial(run, True))]
    seconds = in_turns(sides, rounds)
    report(f"Index before or after {rows} rows", seconds, items=rows, what="rows")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dimensions", type=int, nargs="+", default=[256, 768])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--server", help="address of a server; the packaged one by default")
    parser.add_argument("--token", default="")
    parser.add_argument("--lite-only", action="store_true")
    parser.add_argument("--index-after", action="store_true")
    parser.add_argument("--quick", action="store_true", help="2,000 rows of 256 dimensions")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.dimensions, args.rounds = 2_000, [256], 2

    with tempfile.TemporaryDirectory() as folder:
        for dimension in args.dimensions:
            place = {"uri": f"{folder}/{dimension}.db"}
            compare(place, "Milvus Lite", args.rows, dimension, args.rounds)
        if args.lite_only:
            return
        with server.milvus(Path(folder), args.server, args.token) as place:
            if place is None:
                return
            for dimension in args.dimensions:
                compare(place, "Milvus server", args.rows, dimension, args.rounds)
            if args.index_after:
                index_order(place, args.rows, args.dimensions[0], args.rounds)


if __name__ == "__main__":
    main()
