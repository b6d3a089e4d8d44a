"""Connections that send nothing: each takes a file descriptor, and without one nobody is answered.

uvicorn waits without end for the head of a first request. So a head has a deadline, a client has
a number of connections, and of too many in all the one that has waited longest makes room.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any, ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

from ocelot.web.api.problems import Problem

__all__ = ["GuardedProtocol", "guarded", "raise_open_files"]

_OTHER_FILES = 128  # open files of the database, the encoder and the log, and some to spare
_LEAST = 32  # connections, however few files may be open


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 on one connection, which is closed when no request comes.

    Attributes:
        per_client: Connections that one address may have; 0 for any number.
        most: Connections in all; one more closes the one that has waited longest for a head.
        head_seconds: Seconds that the head of a request may take.
    """

    per_client: ClassVar[int]
    most: ClassVar[int]
    head_seconds: ClassVar[float]
    by_client: ClassVar[Counter[str]]
    waiting: ClassVar[dict[GuardedProtocol, None]]  # for a first head, the oldest first

    _deadline: asyncio.TimerHandle | None = None
    _address: str = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self.by_client[self._address] += 1
        if self.per_client and self.by_client[self._address] > self.per_client:
            return self._refuse(
                Problem(
                    429,
                    f"One client may have {self.per_client} connections at once: use those again, "
                    "or raise the setting client_connections.",
                    headers={"Retry-After": "1"},
                )
            )
        self.waiting[self] = None
        self._expect_head(self.head_seconds)
        if len(self.connections) > self.most and self.waiting:
            oldest = next(iter(self.waiting))
            oldest._stop_waiting()  # at once: `connection_lost` comes later
            oldest.connections.discard(oldest)
            oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.by_client[self._address] -= 1
        if not self.by_client[self._address]:
            del self.by_client[self._address]
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        super().handle_events()
        if self.cycle is not before:  # a head is complete
            self._stop_waiting()

    def on_response_complete(self) -> None:
        self._expect_head(self.timeout_keep_alive)
        super().on_response_complete()

    def _expect_head(self, seconds: float) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = self.loop.call_later(seconds, self._late)

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        if self.conn.trailing_data[0] and self.cycle is None:  # a part of a head came
            detail = f"The head of the request did not arrive within {self.head_seconds:g} seconds."
            return self._refuse(Problem(408, detail))
        self.transport.close()

    def _refuse(self, problem: Problem) -> None:
        response = problem.response()
        response.headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {problem.status} {problem.title}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + response.body)
        self.transport.close()


def guarded(*, per_client: int, head_seconds: float, most: int) -> type[GuardedProtocol]:
    """The protocol of one server, with its limits and counts; for `uvicorn.Config(http=…)`."""
    attributes: dict[str, Any] = {
        "per_client": per_client,
        "most": most,
        "head_seconds": head_seconds,
        "by_client": Counter(),
        "waiting": {},
    }
    return type("GuardedProtocol", (GuardedProtocol,), attributes)


def raise_open_files() -> int:
    """Let this process open as many files as it may; returns how many connections that leaves."""
    try:
        import resource
    except ImportError:  # not on Windows, which has no such limit
        return 10_000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else hard
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(_LEAST, soft - _OTHER_FILES)
