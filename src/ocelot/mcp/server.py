"""The MCP server over a service: lists the tools, runs them, and puts errors into one sentence."""

from __future__ import annotations

import inspect
from typing import Any

from fastapi.exceptions import RequestValidationError
from mcp.server import Server
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    ToolAnnotations,
)
from mcp.types import Tool as Description
from pydantic import ValidationError

from ocelot import __version__
from ocelot.mcp.tools import TOOLS, Tool
from ocelot.service import Service
from ocelot.web.api.problems import problem_of, stopping

__all__ = ["create_server"]

_INSTRUCTIONS = (
    "Searches a collection of pictures with a picture, a text, or both, and shows what it finds. "
    "Call stats first to learn which fields there are; filters are conditions on them, such as "
    '`price < 30 and category == "Mugs"`. Nothing can be changed.'
)


def create_server(service: Service) -> Server[Any]:
    """The MCP server, for any transport. The caller closes the service."""
    tools = {tool.name: tool for tool in TOOLS}

    async def list_tools(_: Any, __: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[_describe(tool) for tool in TOOLS])

    async def call_tool(_: Any, asked: CallToolRequestParams) -> CallToolResult:
        tool = tools.get(asked.name)
        if tool is None:
            known = f"There is no such tool: this server has {', '.join(tools)}."
            raise MCPError(INVALID_PARAMS, known)
        try:
            if service.closed:
                raise stopping()
            arguments = tool.arguments.model_validate(asked.arguments or {})
            return CallToolResult(content=[*await tool.run(service, arguments)])
        except Exception as error:  # the SDK would send the text of any exception
            return CallToolResult(content=[TextContent(text=_sentence(error))], is_error=True)

    return Server(
        "ocelot",
        title="Ocelot",
        version=__version__,
        instructions=_INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _describe(tool: Tool) -> Description:
    return Description(
        name=tool.name,
        title=tool.title,
        description=inspect.getdoc(tool.run),
        input_schema=tool.arguments.model_json_schema(),
        annotations=ToolAnnotations(read_only_hint=True, open_world_hint=False),
    )


def _sentence(error: Exception) -> str:
    """What the HTTP API says of the same error."""
    if isinstance(error, ValidationError):
        found = error.errors(include_url=False)
        error = RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found])
    return problem_of(error).detail
