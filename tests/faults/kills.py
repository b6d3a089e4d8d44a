"""kill -9 of the indexer, of the server and of Milvus, at random moments."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np

from ocelot.errors import OcelotError
from tests import milvus_server as milvus
from tests.faults.finding import Finding, Losses, tally
from tests.faults.processes import Command, serving
from tests.faults.shops import Shop, rows
from tests.forwarder import Forwarder
from tests.web.test_serve import picture

_SEED = 16


def indexer(folder: Path, short: bool) -> Finding:
    """`ocelot index` is killed; what is stored is right; the next run completes it."""
    shop = Shop.write(folder, 60 if short else 300)
    started = time.perf_counter()
    command = ("index", shop.folder / "images", "--db")
    memory = [Command(*command, folder / "first.db", folder=folder / "run").end().memory]
    whole = time.perf_counter() - started
    times = 1 if short else 20
    losses, stored, generator = Losses(), [], np.random.default_rng(_SEED)
    for number, moment in enumerate(
        generator.uniform((0.7 if short else 0.2) * whole, whole, times)
    ):
        db = folder / f"{number}.db"
        memory.append(Command(*command, db, folder=folder / "run").end(after=moment).memory)
        with shop.open(db) as engine:
            found = rows(engine.collection)
            stored.append(len(found))
            shop.compare(losses, found, whole=False)
            engine.index(shop.folder / "images")
            shop.compare(losses, rows(engine.collection), whole=True)
    return Finding(
        f"kill -9 of `ocelot index` of {len(shop.expected)} pictures, at {times} random moments",
        f"the next run goes on from {min(stored)} to {max(stored)} stored pictures",
        losses.all(),
        max(memory),
    )


def server(folder: Path, short: bool) -> Finding:
    """`ocelot serve` is killed during uploads; what it acknowledged is there."""
    db, times = folder / "shop.db", 1 if short else 5
    losses, acknowledged, memory = Losses(), dict[str, int](), []
    generator = np.random.default_rng(_SEED)

    def send(url: str, first: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            for seed in range(first, first + 10_000):
                files = {"image": ("a.png", picture(seed), "image/png")}
                try:
                    answer = client.post("/v1/items", files=files)
                except httpx.HTTPError:
                    return  # killed
                losses.that(answer.status_code == 201, f"status {answer.status_code}")
                acknowledged[answer.json()["id"]] = seed

    for number in range(times):
        with serving(db, "--no-page") as (command, url), ThreadPoolExecutor(4) as pool:
            for n in range(4):
                pool.submit(send, url, 1_000_000 * number + 10_000 * n)
            after = float(generator.uniform(1, 2) if short else generator.uniform(3, 6))
            memory.append(command.end(after=after).memory)
    shop = Shop(folder)
    with shop.open(db) as engine:
        stored = engine.collection.known(acknowledged)
        for id, seed in acknowledged.items():
            losses.that(id in stored, "acknowledged picture")
            if id in stored:
                there = engine.images.original(engine.get(id)).data == picture(seed)
                losses.that(there, "file of an acknowledged picture")
    return Finding(
        f"kill -9 of `ocelot serve` during uploads by 4 clients, {times} times",
        f"connections end; after the start, all {len(acknowledged):,} acknowledged pictures are "
        "there",
        losses.all(),
        max(memory),
    )


def database(folder: Path, short: bool) -> Finding | None:
    """Milvus is killed while pictures are indexed and searched, and comes back."""
    if short or not milvus.is_installed():
        return None  # the start after a kill takes a minute
    shop, losses, seen = Shop.write(folder, 300), Losses(), Counter[str]()
    shop.expected  # noqa: B018 - the encoder and the rows, before any server runs
    data, started = folder / "milvus", threading.Event()
    data.mkdir()
    process, uri = milvus.start(data)
    options = {"OCELOT_TOKEN": milvus.TOKEN, "OCELOT_OUTAGE_TIMEOUT": "300"}
    with Forwarder(uri) as between:

        def search() -> None:
            """Search until told to stop; each call answers, or gives a sentence."""
            with shop.open(between.uri, token=milvus.TOKEN, collection="asked") as engine:
                engine.index(shop.folder / "images")
                started.set()
                while started.is_set():
                    try:
                        hits = engine.search(text="a leopard phone case").hits
                        losses.that(len(hits) == 9, "search with fewer hits")
                        seen["answered"] += 1
                    except OcelotError as error:
                        losses.that(str(error).endswith("."), "search without a sentence")
                        seen["refused with a sentence"] += 1

        with ThreadPoolExecutor(1) as pool:
            searching = pool.submit(search)
            while not started.wait(0.2) and not searching.done():
                pass
            try:
                arguments = ("index", shop.folder / "images", "--db", between.uri)
                command = Command(*arguments, folder=folder / "run", **options)
                for _ in range(600):  # until the first rows are stored
                    if _count(uri) > 0 or command.process.poll() is not None:
                        break
                    time.sleep(0.1)
                milvus.end(process, at_once=True)
                process, uri = milvus.start(data)
                between.target(uri)
                ended = command.end()
                time.sleep(2)  # searches after the outage
            finally:
                started.clear()
            searching.result()
        losses.that(ended.code == 0 and not ended.crashed, f"index: {ended.sentence}")
        with shop.open(between.uri, token=milvus.TOKEN) as engine:
            shop.compare(losses, rows(engine.collection), whole=True)
    milvus.end(process)
    return Finding(
        "kill -9 of Milvus while `ocelot index` writes and another process searches; it comes back",
        f"`index` waits and completes; searches: {tally(seen)}",
        losses.all(),
        ended.memory,
    )


def _count(uri: str) -> int:
    from ocelot.collection import Collection

    try:
        with Collection.open(uri, token=milvus.TOKEN, create=False) as collection:
            return collection.count()
    except OcelotError:
        return 0
