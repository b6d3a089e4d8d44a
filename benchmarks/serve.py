"""Load on `ocelot serve`: many clients at once, with and without batching, in turns.

    python benchmarks/serve.py [--clients 64] [--seconds 60] [--rerank] [--quick]

Two servers run on loopback over copies of one drawn shop: one gathers queries that come together
into batches, the other encodes each alone. Clients ask composed queries (a picture and one of 360
sentences) as fast as they are answered, a slice of time at the one server, then at the other, so
that whatever else the machine does meets both. Prints latencies, statuses and the servers' memory
over time, answers per second and their ratio slice by slice.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from turns import Row, report, spread

SLICES = 4
WARM_UP = 3.0  # seconds at each server before anything counts
COLOURS = ("red", "blue", "green", "black", "white", "pink", "tan", "orange", "purple", "grey")
THINGS = ("phone case", "mug", "lamp", "laptop", "kettle", "headphones", "blanket", "fan", "pan")
LOOKS = ("with this image theme", "in this pattern", "like this", "to match this")


@dataclass
class Side:
    """One server and what was measured at it."""

    name: str
    options: list[str]
    process: subprocess.Popen[str] | None = None
    port: int = 0
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    slices: list[float] = field(default_factory=list)  # seconds for one answer, by slice
    memory: list[int] = field(default_factory=list)

    def start(self, db: Path) -> None:
        command = [sys.executable, "-m", "ocelot", "serve", "--port", "0", "--no-page"]
        self.process = subprocess.Popen(
            [*command, "--db", str(db), *self.options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        found = re.search(r"http://\S+:(\d+)", self.process.stdout.readline())
        if found is None:
            raise SystemExit(f"The server {self.name} did not start.")
        self.port = int(found[1])

    def resident(self) -> int:
        """MiB that the server holds now."""
        assert self.process is not None
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024  # type: ignore[index]

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        self.process.wait(60)


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> int:
    """One POST /v1/search over an open connection; returns the status."""
    writer.write(
        b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    assert length is not None, head
    await reader.readexactly(int(length[1]))
    return int(head.split(b" ", 2)[1])


async def client(side: Side, bodies: list[bytes], first: int, until: float, counts: bool) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    number = first
    while time.perf_counter() < until:
        started = time.perf_counter()
        status = await post(reader, writer, bodies[number % len(bodies)])
        number += 7  # the sentences come in another order at each client
        if counts:
            side.statuses[status] += 1
            if status == 200:
                side.seconds.append(time.perf_counter() - started)
    writer.close()
    await writer.wait_closed()


async def load(side: Side, bodies: list[bytes], clients: int, seconds: float, counts: bool) -> None:
    started = time.perf_counter()
    until = started + seconds
    before = len(side.seconds)

    async def watch() -> None:
        while time.perf_counter() < until:
            side.memory.append(side.resident())
            await asyncio.sleep(1.0)

    jobs = [client(side, bodies, 31 * n, until, counts) for n in range(clients)]
    await asyncio.gather(*jobs, *([watch()] if counts else []))
    if counts:
        answers = len(side.seconds) - before
        if not answers:
            raise SystemExit(
                f"The server {side.name} gave no answer within {seconds:g} s "
                f"(statuses: {dict(side.statuses)}): take fewer --clients or more --seconds."
            )
        side.slices.append((time.perf_counter() - started) / answers)


def summary(side: Side) -> Row:
    """Return a row of the table."""
    cuts = statistics.quantiles(side.seconds, n=100)
    memory = [side.memory[place] for place in (0, len(side.memory) // 2, -1)]
    return {
        "": side.name,
        "answers/s": round(1 / statistics.median(side.slices), 1),
        "p50, ms": round(1000 * cuts[49]),
        "p95, ms": round(1000 * cuts[94]),
        "p99, ms": round(1000 * cuts[98]),
        "statuses": ", ".join(f"{count:,} x {code}" for code, count in side.statuses.items()),
        "MiB: first, halfway, last": ", ".join(map(str, memory)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60.0, help="at each server")
    parser.add_argument("--pictures", type=int, default=900)
    parser.add_argument("--rerank", action="store_true", help="also rerank, by fusion")
    parser.add_argument("--quick", action="store_true", help="8 s at each, 200 pictures")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds, arguments.pictures = 8.0, 200
    from shop import write_catalogue

    import ocelot

    with tempfile.TemporaryDirectory() as folder:
        shop = write_catalogue(Path(folder) / "shop", arguments.pictures)
        picture = {"base64": base64.b64encode(shop.query.read_bytes()).decode()}
        asked = {"images": [picture], "rerank": "fusion" if arguments.rerank else False}
        bodies = [
            json.dumps({**asked, "text": " ".join(words)}).encode()
            for words in product(COLOURS, THINGS, LOOKS)
        ]
        sides = [
            Side("encoded in batches", []),
            Side("encoded one by one", ["--batch-size", "1", "--batch-window", "0"]),
        ]
        for number, side in enumerate(sides):
            db = Path(folder) / f"{number}.db"
            with ocelot.open(db, reranker=None) as engine:
                engine.index(shop.directory / "images", metadata=shop.metadata)
            side.start(db)
        try:
            for side in sides:
                asyncio.run(load(side, bodies, arguments.clients, WARM_UP, counts=False))
            for _ in range(SLICES):
                for side in sides:
                    seconds = arguments.seconds / SLICES
                    asyncio.run(load(side, bodies, arguments.clients, seconds, counts=True))
        finally:
            for side in sides:
                side.stop()
    ratios = [alone / many for many, alone in zip(*(side.slices for side in sides), strict=True)]
    title = f"`ocelot serve`, {arguments.clients} clients"
    notes = {"speed of batching": spread(ratios), "seconds at each": arguments.seconds}
    report(title, [summary(side) for side in sides], notes)


if __name__ == "__main__":
    main()
