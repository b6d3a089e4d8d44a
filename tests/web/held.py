"""Parts that wait until a test lets them go on, and clients that go away."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ocelot.encoders.base import Encoder
from ocelot.service import Service
from ocelot.types import Hit, Input, Query

SECONDS = 30.0  # after which a test that waits has failed


class Gate:
    """A place where threads wait.

    Attributes:
        entered: Released once for each that came.
        came: How many came.
    """

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.came = 0
        self._open = threading.Event()

    def wait(self) -> None:
        self.came += 1
        self.entered.release()
        assert self._open.wait(SECONDS), "nobody opened the gate"

    def reached(self) -> None:
        """Wait for one to come."""
        assert self.entered.acquire(timeout=SECONDS), "nobody came"

    def open(self) -> None:
        self._open.set()


class HeldEncoder(Encoder):
    """Another encoder, behind a gate."""

    def __init__(self, encoder: Encoder, gate: Gate) -> None:
        self.name, self.dimension = encoder.name, encoder.dimension
        self.fingerprint = encoder.fingerprint
        self._encoder, self._gate = encoder, gate

    def prepare(self, item: Input) -> Any:
        self._gate.wait()
        return self._encoder.prepare(item)

    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        return self._encoder.embed(batch)


class HeldReranker:
    """Reverses the hits, behind a gate."""

    name = "held"

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def __call__(self, query: Query, hits: Sequence[Hit]) -> Sequence[int]:
        self._gate.wait()
        return range(len(hits))[::-1]


class Departures:
    """The counter of abandoned requests, and a word at each of them."""

    def __init__(self, service: Service) -> None:
        self._counter: Any = service.metrics.abandoned
        self._noted = threading.Semaphore(0)
        service.metrics.abandoned = self  # type: ignore[assignment]

    def inc(self) -> None:
        self._counter.inc()
        self._noted.release()

    def noted(self) -> None:
        """Wait for one."""
        assert self._noted.acquire(timeout=SECONDS), "nobody noticed that the client is gone"


def connect(url: str) -> socket.socket:
    """A connection to a server."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=SECONDS)


def request(path: str, body: bytes, *headers: str) -> bytes:
    """A POST of JSON as it goes over the wire."""
    lines = [
        f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json",
        f"Content-Length: {len(body)}", *headers, "", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode() + body
