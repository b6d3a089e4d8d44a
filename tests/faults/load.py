"""Many clients, slow ones and hostile ones, at one server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from tests.faults.finding import Finding, Losses, tally
from tests.faults.inputs import _FILTERS
from tests.faults.processes import serving
from tests.faults.shops import Shop, rows
from tests.web.test_serve import picture

_HALF = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Le"


def busy_server(folder: Path, short: bool) -> Finding:
    """64 clients search while slow connections, hostile filters and uploads come."""
    shop, losses, statuses, slowest = (
        Shop.write(folder, 20 if short else 60),
        Losses(),
        Counter[str](),
        [0.0],
    )
    db, seconds, slow = folder / "shop.db", 1.5 if short else 60.0, 60 if short else 300
    with shop.open(db) as engine:
        engine.index(shop.folder / "images")
    stopped, added = threading.Event(), list[str]()

    def search(url: str, number: int) -> None:
        with httpx.Client(base_url=url, timeout=120) as client:
            while not stopped.is_set():
                filter = _FILTERS[number % len(_FILTERS)] if number % 8 == 0 else "price < 1000"
                number += 8
                began = time.perf_counter()
                body = json.dumps({"text": "a leopard phone case", "filter": filter})
                headers = {"content-type": "application/json"}
                answer = client.post("/v1/search", content=body, headers=headers)
                slowest[0] = max(slowest[0], time.perf_counter() - began)
                statuses[str(answer.status_code)] += 1
                losses.that(answer.status_code in (200, 400, 422, 429), f"{answer.status_code}")

    def upload(url: str) -> None:
        with httpx.Client(base_url=url, timeout=120) as client:
            for seed in range(100_000):
                if stopped.is_set():
                    return
                files = {"image": ("a.png", picture(seed), "image/png")}
                answer = client.post("/v1/items", files=files)
                if answer.status_code == 201:
                    added.append(answer.json()["id"])
                losses.that(answer.status_code in (201, 429), f"upload {answer.status_code}")

    with serving(db, "--no-page") as (command, url), ThreadPoolExecutor(66) as pool:
        place = urlsplit(url)
        half = [_half_open(place.hostname or "", place.port or 0, n) for n in range(slow)]
        jobs = [pool.submit(search, url, number) for number in range(64)]
        jobs.append(pool.submit(upload, url))
        stopped.wait(seconds)
        stopped.set()
        for job in jobs:
            job.result(180)
        for connection in half:
            connection.close()
        command.process.terminate()
        ended = command.end()
    losses.that(ended.code == 0 and not ended.crashed, f"exit {ended.code} of the server")
    with shop.open(db) as engine:
        found = rows(engine.collection)
        shop.compare(losses, {id: found[id] for id in shop.expected if id in found}, whole=True)
        for id in added:
            losses.that(id in found, "acknowledged picture")
    return Finding(
        f"64 clients for {seconds:.0f} s, every eighth with hostile filters, {slow} connections "
        f"that never send a whole request, uploads beside",
        f"statuses {tally(statuses)}; slowest answer {slowest[0]:.1f} s; {len(added):,} uploads",
        losses.all(),
        ended.memory,
    )


def _half_open(host: str, port: int, number: int) -> socket.socket:
    """A connection of one of five clients, with half a request."""
    connection = socket.socket()
    connection.bind((f"127.0.0.{2 + number % 5}", 0))
    connection.connect((host, port))
    connection.sendall(_HALF)
    return connection
