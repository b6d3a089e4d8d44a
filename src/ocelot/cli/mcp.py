"""`ocelot mcp`: the collection as tools of a language model."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import redirect_stdout

import typer

from ocelot.cli.options import DATABASE, ENCODER, RERANKER, Given, takes

__all__ = ["mcp"]


@takes(DATABASE, ENCODER, RERANKER)
def mcp(*, given: Given) -> None:
    """Let a language model search a collection, by MCP on standard input and output.

    A program such as Claude Desktop or an editor starts it. It only reads: the tools search, find
    similar items, show an item, and describe the collection.

    Examples:
        ocelot mcp --db shop.db
    """
    gc.disable()  # as in `ocelot search`, while modules and models are loaded
    with redirect_stdout(sys.stderr):  # standard output is for the protocol
        from ocelot.build import build_service
        from ocelot.mcp import serve_stdio
        from ocelot.settings import load_settings

        service = build_service(load_settings(**given, read_only=True))
    gc.enable()

    def stop() -> None:
        service.close()
        os._exit(0)

    typer.echo("The MCP server waits for a client on standard input; Ctrl-C stops it.", err=True)
    try:
        serve_stdio(service, stop)
    finally:
        service.close()
    if service.busy:  # a language model that does not answer would keep the process alive
        os._exit(0)
