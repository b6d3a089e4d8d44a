"""The MCP server over a service, on standard input and output or at /mcp of the web application.

It lists the tools, runs them, and puts errors into one sentence.
"""

from __future__ import annotations

import asyncio
import inspect
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import FastAPI
from mcp import types
from mcp.server import Server
from mcp.server.stdio import stdio_server
from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError
from starlette.routing import Route

from ocelot import __version__
from ocelot.mcp.tools import TOOLS
from ocelot.service import Service
from ocelot.web.api.problems import invalid, problem_of, stopping

__all__ = ["add_mcp", "create_server", "serve_stdio"]

_INSTRUCTIONS = (
    "Searches a collection of pictures with a picture, a text, or both, and shows what it finds. "
    "Call stats first to learn which fields there are; filters are conditions on them, such as "
    '`price < 30 and category == "Mugs"`. Nothing can be changed.'
)


def create_server(service: Service) -> Server[Any]:
    """The MCP server, for any transport. The caller closes the service."""

    async def list_tools(_: Any, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        annotations = types.ToolAnnotations(read_only_hint=True, open_world_hint=False)
        tools = [
            types.Tool(
                name=name,
                title=title,
                description=inspect.getdoc(run),
                input_schema=arguments.model_json_schema(),
                annotations=annotations,
            )
            for name, (title, arguments, run) in TOOLS.items()
        ]
        return types.ListToolsResult(tools=tools)

    async def call_tool(_: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        if asked.name not in TOOLS:
            known = f"There is no such tool: this server has {', '.join(TOOLS)}."
            raise MCPError(types.INVALID_PARAMS, known)
        _, arguments, run = TOOLS[asked.name]
        try:
            if service.closed:
                raise stopping()
            content = await run(service, arguments.model_validate(asked.arguments or {}))
            return types.CallToolResult(content=[*content])
        except Exception as error:  # the SDK would send the text of any exception
            text = _sentence(error)
            return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)

    return Server(
        "ocelot",
        title="Ocelot",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _sentence(error: Exception) -> str:
    """What the HTTP API says of the same error."""
    if isinstance(error, ValidationError):
        return invalid(error, "call").detail
    return problem_of(error).detail


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
