"""A real uvicorn on a free loopback port, in a thread of the test.

with serve(create_app(service, settings, page=False)) as url:
    httpx.get(f"{url}/healthz")
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


class WebServer(uvicorn.Server):
    """Serves an application until `stop`.

    Attributes:
        url: Where, without a slash at the end.
    """

    def __init__(self, app: Any, *, port: int = 0, **options: Any) -> None:
        # Without the grace, a response that never ends would keep a failing test forever.
        chosen = {"timeout_graceful_shutdown": 10, "log_level": "warning", "access_log": False}
        super().__init__(uvicorn.Config(app, server_header=False, **(chosen | options)))
        self._socket = socket.create_server(("127.0.0.1", port))
        # Else each answer on a kept connection waits 40 ms for the client's word.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._is_up = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self.run, args=([self._socket],), daemon=True)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._is_up.set()

    def start(self) -> None:
        """Return when it takes requests."""
        self._thread.start()
        assert self._is_up.wait(30), "the server did not start"

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the server's event loop, as a signal handler is called."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(function)

    def stop(self, timeout: float = 30) -> bool:
        """Stop as a signal does: let responses finish. Returns whether that came to an end."""
        self.should_exit = True
        self._thread.join(timeout)
        return not self._thread.is_alive()


@contextmanager
def serve(app: Any, **options: Any) -> Iterator[str]:
    """The address of a server that runs until the end of the block; options are uvicorn's."""
    server = WebServer(app, **options)
    server.start()
    try:
        yield server.url
    finally:
        assert server.stop(), "the server did not stop"
