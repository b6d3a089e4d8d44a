"""The overhead of a search: its time without that of the encoder and of Milvus.

    python benchmarks/search.py [--items 900 20000] [--server URI --token TOKEN] [--quick]

Composed queries (a picture and a text, each only once) with the bundled encoder, without a
reranker, over drawn pictures and invented rows. The overhead is the time of a search, less the
encoder's `prepare` and `embed` and pymilvus's `search`. It is measured as a library call, and over
HTTP with one client. Where the package `milvus` is installed, a real server is measured after
Milvus Lite, unless --server names one; not with --quick.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import json
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import server
from shop import write_catalogue
from turns import report

import ocelot
from ocelot.build import build_encoder
from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.encoders.base import Encoder, EncoderWrapper
from ocelot.encoders.batching import BatchingEncoder
from ocelot.encoders.caching import CachingEncoder
from ocelot.engine import Engine
from ocelot.images.store import ImageStore
from ocelot.service import Service
from ocelot.settings import load_settings
from ocelot.types import Input

GOAL = 0.005  # seconds
PARTS = ("whole search", "encoder", "Milvus", "overhead")


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


class TimedEncoder(EncoderWrapper):
    """An encoder whose calls are timed."""

    def __init__(self, encoder: Encoder, clock: Clock) -> None:
        super().__init__(encoder)
        self._prepare = clock.around("encoder", encoder.prepare)
        self._embed_checked = clock.around("encoder", encoder.embed_checked)

    def prepare(self, input: Input) -> Any:
        return self._prepare(input)

    def embed_checked(self, batch: Sequence[Any]) -> Any:
        return self._embed_checked(batch)


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
                Row(
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


def in_library(
    engine: Engine, clock: Clock, queries: Iterator[tuple[bytes, str]]
) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in PARTS}
    for picture, text in queries:
        clock.seconds.clear()
        started = time.perf_counter()
        result = engine.search(image=picture, text=text)
        note(spent, time.perf_counter() - started, clock)
        assert len(result.hits) == 9
    return spent


def over_http(
    port: int, clock: Clock, queries: Iterator[tuple[bytes, str]]
) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in PARTS}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for picture, text in queries:
        sent = {"images": [{"base64": base64.b64encode(picture).decode()}], "text": text}
        body = json.dumps({**sent, "rerank": False})
        clock.seconds.clear()
        started = time.perf_counter()
        connection.request("POST", "/v1/search", body, {"Content-Type": "application/json"})
        answer = connection.getresponse().read()
        note(spent, time.perf_counter() - started, clock)
        assert len(json.loads(answer)["hits"]) == 9
    connection.close()
    return spent


def note(spent: dict[str, list[float]], whole: float, clock: Clock) -> None:
    encoder, milvus = clock.seconds["encoder"], clock.seconds["Milvus"]
    for name, seconds in zip(
        PARTS, (whole, encoder, milvus, whole - encoder - milvus), strict=True
    ):
        spent[name].append(seconds)


@contextmanager
def served(service: Service, uploads: Path) -> Iterator[int]:
    """Run a server in a thread, as `ocelot serve --no-page` does; give its port."""
    import uvicorn

    from ocelot.web.app import create_app

    app = create_app(service, load_settings(uploads=uploads), page=False)
    # With the protocol named, as in `ocelot serve`, asyncio sends without delay.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            thread.join()


def measure(place: dict[str, str], count: int, shop: Path, folder: Path, rounds: int) -> None:
    clock = Clock()
    inner = build_encoder(load_settings())
    encoder = CachingEncoder(BatchingEncoder(TimedEncoder(inner, clock)))
    name = f"bench_{count}"
    collection = Collection.open(encoder=EncoderIdentity.of(encoder), name=name, **place)
    images = ImageStore(uploads=folder / "uploads")
    engine = Engine(encoder, collection, images=images)
    service = Service(engine, {})
    try:
        fill(collection, inner, shop, count)
        client = collection._client  # not public: only its own time is to be subtracted
        client.search = clock.around("Milvus", client.search)
        where = f"{collection.deployment}, {count:,} items"
        in_library(engine, clock, queries(shop, 10, 0))
        spent = in_library(engine, clock, queries(shop, rounds, 100))
        tell(f"Search in the library: {where}", spent)
        with served(service, folder / "uploads") as port:
            over_http(port, clock, queries(shop, 10, 10_000))
            tell(
                f"Search over HTTP: {where}", over_http(port, clock, queries(shop, rounds, 20_000))
            )
    finally:
        service.close()
        if collection.deployment != "lite":
            Collection.open(name=name, create=False, **place).drop()


def tell(title: str, spent: dict[str, list[float]]) -> None:
    overhead = spent["overhead"]
    median = statistics.median(overhead)
    notes = {
        "overhead, median ms": round(1000 * median, 2),
        f"at most {1000 * GOAL:g} ms": median <= GOAL,
        "overhead, 90th percentile ms": round(1000 * statistics.quantiles(overhead, n=10)[-1], 2),
    }
    report(title, spent, what="searches", notes=notes)


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
        for count in counts:
            measure({"uri": str(folder / f"{count}.db")}, count, shop, folder, rounds)
        if arguments.quick and not arguments.server:
            return
        with server.milvus(folder, arguments.server, arguments.token) as place:
            for count in counts if place else ():
                measure(place, count, shop, folder, rounds)


if __name__ == "__main__":
    print(f"ocelot {ocelot.__version__}")
    main()
