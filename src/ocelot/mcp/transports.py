"""How clients reach the MCP server: standard input and output, or /mcp of the web application."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from starlette.routing import Route

from ocelot.mcp.server import create_server
from ocelot.service import Service

__all__ = ["add_mcp", "serve_stdio"]


def serve_stdio(service: Service, stop: Callable[[], None]) -> None:
    """Serve one client until it closes standard input.

    Meanwhile standard output is the client's: what is printed goes to standard error.

    Args:
        stop: Called at SIGINT and SIGTERM. It must end the process, as nothing can wake the thread
            that waits for standard input.
    """

    async def run() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows
                asyncio.get_running_loop().add_signal_handler(number, stop)
        server = create_server(service)
        async with stdio_server() as (incoming, outgoing):
            await server.run(incoming, outgoing, server.create_initialization_options())

    asyncio.run(run())


def add_mcp(app: FastAPI, service: Service) -> None:
    """Serve MCP at /mcp (streamable HTTP, without sessions), while the application runs.

    The application's middleware checks keys, hosts, origins and the size of bodies, as for every
    path; the SDK's own checks of hosts and origins, which would need the same lists, are off.
    """
    manager = StreamableHTTPSessionManager(
        create_server(service), stateless=True, max_request_body_size=service.limits.upload_bytes
    )
    outer = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(running: Any) -> AsyncIterator[Any]:
        async with outer(running) as state, manager.run():
            yield state

    app.router.lifespan_context = lifespan
    # Without sessions a GET would be a stream on which nothing ever comes.
    app.router.routes.append(Route("/mcp", StreamableHTTPASGIApp(manager), methods=["POST"]))
