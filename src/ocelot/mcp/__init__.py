"""The MCP server: language models search the collection, by the Model Context Protocol.

It needs the extra `mcp`.
"""

from ocelot.errors import ConfigurationError

try:
    from ocelot.mcp.server import create_server
    from ocelot.mcp.transports import add_mcp, serve_stdio
except ImportError as error:
    package = str(error.name).partition(".")[0]
    raise ConfigurationError(
        f"The MCP server needs more packages ({package} is missing): "
        "pip install 'ocelot-search[mcp]'."
    ) from None

__all__ = ["add_mcp", "create_server", "serve_stdio"]
