"""A port that forwards to a server, and that can be away: an outage without ending the server."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from types import TracebackType
from urllib.parse import urlsplit


class Forwarder:
    """Forwards TCP connections to a server while it is `up`; a context manager.

    Attributes:
        uri: The address to connect to instead of the server's.
    """

    def __init__(self, uri: str) -> None:
        self._target = urlsplit(uri)
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._port = 0
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def uri(self) -> str:
        return f"{self._target.scheme}://127.0.0.1:{self._port}"

    def __enter__(self) -> Forwarder:
        self._thread.start()
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def target(self, uri: str) -> None:
        """Forward further connections to another server."""
        self._target = urlsplit(uri)

    def up(self) -> None:
        """Accept connections."""
        asyncio.run_coroutine_threadsafe(self._up(), self._loop).result()

    def down(self) -> None:
        """End all connections, and refuse further ones."""
        asyncio.run_coroutine_threadsafe(self._down(), self._loop).result()

    async def _up(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _down(self) -> None:
        if self._server is not None:
            self._server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            there, out = await asyncio.open_connection(self._target.hostname, self._target.port)
        except OSError:  # the server is down, and so is this port for its clients
            writer.transport.abort()
            self._connections.discard(task)
            return
        try:
            await asyncio.gather(_copy(reader, out), _copy(there, writer))
        except asyncio.CancelledError:
            pass  # asyncio would report it
        finally:
            self._connections.discard(task)
            for end in (writer, out):
                end.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
