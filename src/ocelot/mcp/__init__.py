"""The MCP server: language models search the collection, by the Model Context Protocol.

It needs the extra `mcp`.
"""

from ocelot.errors import requires_extra

with requires_extra("mcp", "The MCP server"):
    from ocelot.mcp.server import add_mcp, create_server, serve_stdio

__all__ = ["add_mcp", "create_server", "serve_stdio"]
