"""Collections of growing size, on Milvus Lite and on a server: time, recall, memory, disk.

    python benchmarks/scale.py [--rows 1000 10000 100000] [--million] [--lite-only] [--quick]
                               [--server URI --token TOKEN] [--lite FLAT HNSW] [--on-server HNSW]

Vectors are drawn around random centres, some hundred to each, so that neighbours are of one
cluster; queries are drawn in the same way and none is stored. Rows are inserted once under FLAT,
then each index is built in its turn. Every step is a process of its own, so that a collection is
opened by a process that did not write it, and memory is that of what searches. Recall is against
brute force over the same vectors. A server's searches do not wait for consistency.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import server
from turns import report

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.collection.tuning import LIMIT, exact

BLOCK = 2_000  # rows in one message
SPREAD = 0.7  # length of what is added to a centre of length 1; within a cluster cosines are 0.67


def drawn(count: int, rows: int, dimension: int, seed: tuple[int, ...]) -> np.ndarray:
    """Unit vectors of the clusters that a collection of this size has."""
    size = (max(rows // 100, 10), dimension)
    centres = np.random.default_rng(0).normal(size=size).astype(np.float32)
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    random = np.random.default_rng(seed)
    added = random.normal(scale=SPREAD / dimension**0.5, size=(count, dimension))
    vectors = centres[random.integers(len(centres), size=count)] + added.astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def blocks(rows: int, dimension: int) -> Iterator[tuple[list[str], np.ndarray]]:
    """Ids and vectors of all rows; never all in memory."""
    for start in range(0, rows, BLOCK):
        numbers = range(start, min(start + BLOCK, rows))
        ids = [hashlib.sha256(str(number).encode()).hexdigest() for number in numbers]
        yield ids, drawn(len(ids), rows, dimension, (1, start))


def insert(place: dict[str, Any], rows: int, dimension: int) -> dict[str, Any]:
    """Write all rows; making them is not counted."""
    spent = 0.0
    identity = EncoderIdentity("none", "0" * 64, dimension)
    with Collection.open(**place, encoder=identity, index="FLAT") as collection:
        for ids, vectors in blocks(rows, dimension):
            started = time.perf_counter()
            collection.upsert(
                [
                    Row(id, {f"/pictures/{id}.jpg": 1}, 20_000, 400, 300, {"title": id[:8]}, vector)
                    for id, vector in zip(ids, vectors, strict=True)
                ],
                fresh=True,
            )
            spent += time.perf_counter() - started
        started = time.perf_counter()
        collection.flush()
        spent += time.perf_counter() - started
    return {"insert s": round(spent, 2)}


def build(place: dict[str, Any], index: str) -> dict[str, Any]:
    started = time.perf_counter()
    with Collection.open(**place, index=index) as collection:
        spent = time.perf_counter() - started
        assert collection.describe().index == index
    return {"build s": round(spent, 2)}


def search(place: dict[str, Any], rows: int, dimension: int, queries: int) -> dict[str, Any]:
    started = time.perf_counter()
    with Collection.open(**place, create=False, consistency="Eventually") as collection:
        reopen = time.perf_counter() - started
        wanted = drawn(queries, rows, dimension, (2,))
        seconds, found = [], []
        for number, query in enumerate([*wanted[:5], *wanted], -5):
            started = time.perf_counter()
            hits = collection.search(query, limit=LIMIT)
            if number >= 0:
                seconds.append(time.perf_counter() - started)
                found.append({hit.id for hit in hits})
        memory = memory_of({os.getpid()})
    nearest = exact(wanted, blocks(rows, dimension), [frozenset()] * queries)
    hit = sum(len(ids & near) for ids, near in zip(found, nearest, strict=True))
    p50, p95 = 1000 * np.percentile(seconds, (50, 95))
    return {
        "reopen s": round(reopen, 2),
        "p50 ms": round(p50, 1),
        "p95 ms": round(p95, 1),
        "recall@9": round(hit / (LIMIT * queries), 4),
        "memory MB": memory,
    }


def memory_of(processes: set[int]) -> int | None:
    """MB of processes now; None where the system does not tell."""
    pages = 0
    for process in processes:
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except FileNotFoundError:
            continue  # it has ended
    return pages * os.sysconf("SC_PAGE_SIZE") // 2**20 if pages else None


def below() -> set[int]:
    """The processes that this one has started, and theirs."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found: set[int] = set()
    while (
        some := {pid for pid, parent in parents.items() if parent in found | {os.getpid()}} - found
    ):
        found |= some
    return found


def disk(folder: Path) -> int:
    """MB of the files in a folder."""
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file()) // 10**6


def alone(step: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Run a step in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(step, *arguments).result()


def measure(
    name: str,
    place: dict[str, Any],
    data: Path | None,
    args: argparse.Namespace,
    rows: int,
    indexes: list[str],
) -> Iterator[dict[str, Any]]:
    """One result for each index.

    Args:
        data: Folder with the data of the database; None if it is elsewhere.
    """
    place = {**place, "name": f"scale_{rows}"}
    inserted = alone(insert, place, rows, args.dimension)
    for index in indexes:
        built = alone(build, place, index)
        searched = alone(search, place, rows, args.dimension, args.queries)
        if name != "Lite":
            searched["memory MB"] = memory_of(below()) if data else None
        result = {"where": name, "rows": rows, "index": index, **inserted, **built, **searched}
        yield {**result, "disk MB": disk(data) if data else None}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--million", action="store_true", help="1,000,000 rows, too")
    parser.add_argument("--dimension", type=int, default=768)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--lite", nargs="*", default=["FLAT", "HNSW"], help="indexes on Lite")
    parser.add_argument("--on-server", nargs="*", default=["FLAT", "AUTOINDEX", "HNSW", "IVF_SQ8"])
    parser.add_argument("--server", help="address of a server; the packaged one by default")
    parser.add_argument("--token", default="")
    parser.add_argument("--lite-only", action="store_true")
    parser.add_argument("--quick", action="store_true", help="1,000 rows on Lite")
    args = parser.parse_args()
    if args.quick:
        args.rows, args.queries, args.lite_only = [1_000], 50, True
    if args.million:
        args.rows.append(1_000_000)
    results = []
    for rows, name in product(args.rows, ("Lite",) if args.lite_only else ("Lite", "server")):
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data"
            data.mkdir()
            if name == "Lite":
                place, indexes = nullcontext({"uri": f"{data}/scale.db"}), args.lite
            else:
                place, indexes = server.milvus(data, args.server, args.token), args.on_server
            kept = None if name != "Lite" and args.server else data
            with place as where:
                for result in measure(name, where, kept, args, rows, indexes) if where else ():
                    print(result, flush=True)
                    results.append(result)
    report("Collections of growing size", results, {"dimensions": args.dimension})


if __name__ == "__main__":
    main()
