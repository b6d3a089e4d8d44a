"""The overhead of a search: its time without that of the encoder and of Milvus.

    python benchmarks/search.py [--items 900 20000] [--server URI --token TOKEN] [--quick]

Composed queries (a picture and a text, each only once) with the bundled encoder, without a
reranker, over drawn pictures and invented rows. The overhead is the time of a search, less the
encoder's `prepare` and `embed` and pymilvus's `search`. It is measured as a library call, and over
HTTP with one client. The collection's own searches are also measured from 16 threads at once, each
with another vector. Where the package `milvus` is installed, a real server is measured after
Milvus Lite, unless --server names one; not with --quick.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import server
from shop import write_catalogue
from turns import Row, report, spread

from ocelot.build import build_encoder
from ocelot.collection import Collection, EncoderIdentity
from ocelot.collection import Row as CollectionRow
from ocelot.encoders.base import Encoder
from ocelot.encoders.batching import BatchingEncoder
from ocelot.encoders.caching import CachingEncoder
from ocelot.engine import Engine
from ocelot.images.store import ImageStore
from ocelot.service import Service
from ocelot.settings import load_settings
from ocelot.types import Input
from ocelot.web.app import create_app
from tests.uvicorn_server import serve

Spent = dict[str, list[float]]  # milliseconds of each search, by part


class Clock:
    """Adds up the seconds of the wrapped calls, in all threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*args, **options)
            finally:
                spent = time.perf_counter() - started
                self.seconds[name] = self.seconds.get(name, 0.0) + spent

        return timed


def fill(collection: Collection, encoder: Encoder, shop: Path, count: int) -> None:
    """Store `count` rows: the vectors of the drawn pictures with noise."""
    rng = np.random.default_rng(3)
    files = sorted((shop / "images").iterdir())
    real = encoder.encode([Input(file) for file in files])
    for start in range(0, count, 1000):
        rows = []
        for number in range(start, min(start + 1000, count)):
            file, near = files[number % len(files)], real[number % len(files)]
            far = near + rng.normal(0, 0.5 / np.sqrt(len(near)), len(near))
            rows.append(
                CollectionRow(
                    hashlib.sha256(str(number).encode()).hexdigest(),
                    {f"{file}": 1_700_000_000_000_000_000 + number},
                    30_000,
                    320,
                    320,
                    {"title": f"Picture {number} of a shop", "price": number % 97 + 0.5,
                     "category": f"kind {number % 12}", "rating": number % 5},
                    (far / np.linalg.norm(far)).astype(np.float32),
                )
            )  # fmt: skip
        collection.upsert(rows)
    collection.flush()


def queries(shop: Path, count: int, first: int) -> Iterator[tuple[bytes, str]]:
    """Yield pictures and texts, no pair twice."""
    files = sorted((shop / "images").iterdir())
    for number in range(first, first + count):
        data = files[number % len(files)].read_bytes()
        yield data, f"the same in colour number {number}"


def timed(
    ask: Callable[[bytes, str], int], clock: Clock, queries: Iterator[tuple[bytes, str]]
) -> Spent:
    """Ask one query after the other; `ask` returns the number of hits."""
    spent: Spent = {"whole": [], "encoder": [], "Milvus": [], "ours": []}
    for picture, text in queries:
        clock.seconds.clear()
        started = time.perf_counter()
        count = ask(picture, text)
        whole = time.perf_counter() - started
        assert count == 9
        encoder, milvus = clock.seconds["encoder"], clock.seconds["Milvus"]
        parts = (whole, encoder, milvus, whole - encoder - milvus)
        for name, seconds in zip(spent, parts, strict=True):
            spent[name].append(1000 * seconds)
    return spent


def asking(connection: http.client.HTTPConnection, picture: bytes, text: str) -> int:
    sent = {"images": [{"base64": base64.b64encode(picture).decode()}], "text": text}
    body = json.dumps({**sent, "rerank": False})
    connection.request("POST", "/v1/search", body, {"Content-Type": "application/json"})
    return len(json.loads(connection.getresponse().read())["hits"])


def at_once(collection: Collection, searches: int) -> float:
    """Return the milliseconds of one search of many that 16 threads make."""
    shape = (searches, collection.identity.dimension)
    vectors = np.random.default_rng(5).normal(size=shape).astype(np.float32)
    with ThreadPoolExecutor(16) as threads:
        started = time.perf_counter()
        found = list(threads.map(collection.search, vectors))
        seconds = time.perf_counter() - started
    assert all(len(hits) == 9 for hits in found)
    return 1000 * seconds / searches


def measure(place: dict[str, str], count: int, shop: Path, folder: Path, rounds: int) -> Row:
    """Return a row of the table."""
    clock = Clock()
    inner = build_encoder(load_settings())
    encoder = CachingEncoder(BatchingEncoder(inner))
    name = f"bench_{count}"
    collection = Collection.open(encoder=EncoderIdentity.of(encoder), name=name, **place)
    engine = Engine(encoder, collection, images=ImageStore(uploads=folder / "uploads"))
    service = Service(engine, {})
    try:
        fill(collection, inner, shop, count)
        for step in ("prepare", "embed_checked"):
            setattr(inner, step, clock.around("encoder", getattr(inner, step)))
        client = collection._client  # not public: only its own time is to be subtracted
        client.search = clock.around("Milvus", client.search)

        def in_library(picture: bytes, text: str) -> int:
            return len(engine.search(image=picture, text=text).hits)

        timed(in_library, clock, queries(shop, 10, 0))
        library = timed(in_library, clock, queries(shop, rounds, 100))
        together = [at_once(collection, rounds) for _ in range(5)]
        settings = load_settings(uploads=folder / "uploads")
        with serve(create_app(service, settings, page=False)) as url:
            over_http = partial(asking, http.client.HTTPConnection(url.removeprefix("http://")))
            timed(over_http, clock, queries(shop, 10, 10_000))
            served_too = timed(over_http, clock, queries(shop, rounds, 20_000))
    finally:
        service.close()
        if collection.deployment != "lite":
            Collection.open(name=name, create=False, **place).drop()
    return {
        "": f"{collection.deployment}, {count:,} items",
        **{f"{part}, ms": spread(spent) for part, spent in library.items() if part != "ours"},
        "Milvus, 16 at once, ms each": spread(together),
        "ours in the library, ms": spread(library["ours"]),
        "ours over HTTP, ms": spread(served_too["ours"]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[900, 20_000])
    parser.add_argument("--server", help="address of a Milvus server")
    parser.add_argument("--token", default="")
    parser.add_argument("--rounds", type=int, default=200, help="queries of each kind")
    parser.add_argument("--quick", action="store_true", help="900 items, 50 queries")
    arguments = parser.parse_args()
    counts, rounds = arguments.items, arguments.rounds
    if arguments.quick:
        counts, rounds = [900], 50
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shop = write_catalogue(folder / "shop", 120).directory
        rows = [
            measure({"uri": str(folder / f"{count}.db")}, count, shop, folder, rounds)
            for count in counts
        ]
        if arguments.server or not arguments.quick:
            with server.milvus(folder, arguments.server, arguments.token) as place:
                for count in counts if place else ():
                    rows.append(measure(place, count, shop, folder, rounds))
    report("Searching", rows)


if __name__ == "__main__":
    main()
