"""`ocelot serve`, the HTTP API and the page; `ocelot mcp`, tools for language models."""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import logging
import math
import os
import signal
import socket
import sys
from contextlib import redirect_stdout, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli.logs import write_logs_as
from ocelot.cli.options import BATCH, DATABASE, ENCODER, RERANKER, SERVER, Settings, flag, takes
from ocelot.cli.terminal import warn_if_large
from ocelot.errors import ConfigurationError
from ocelot.words import count

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ocelot.service import Service

__all__ = ["mcp", "serve"]

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@takes(DATABASE, ENCODER, BATCH, RERANKER, SERVER)
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    *,
    settings: Settings,
    page: Annotated[bool, flag("--page/--no-page", "Also serve the page.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every request.")] = False,
) -> None:
    """Serve the HTTP API and the page, from one process that keeps the encoder loaded.

    Examples:
        ocelot serve --db shop.db
        ocelot serve --host 0.0.0.0 --port 8080 --mcp
    """
    _save_memory()
    from ocelot.build import build_service

    write_logs_as(settings.log_format)
    if verbose:
        logging.getLogger("ocelot").setLevel(logging.INFO)
    with _listen(host, port) as listener:
        local = ipaddress.ip_address(listener.getsockname()[0]).is_loopback
        if not local and settings.api_keys is None:
            logging.getLogger("ocelot").warning(
                "Listening on %s without API keys: everybody who can reach this machine can "
                "search%s. Set OCELOT_API_KEYS, or listen on 127.0.0.1.",
                host,
                "" if settings.read_only else ", add and delete",
            )
        service = build_service(settings)
        try:
            from ocelot.web.app import create_app

            # API keys keep other web pages out already, and a proxy may send other host names.
            checked = local and settings.api_keys is None
            names = (*_LOCAL_NAMES, host) if checked else None
            app = create_app(service, settings, page=page, hosts=names)
            if settings.mcp:
                from ocelot.mcp import add_mcp

                add_mcp(app, service)
            _run(app, listener, _announcement(listener, service, settings), settings)
        finally:
            service.close()
    typer.echo("Stopped; everything is written.", err=True)
    _end(service)


@takes(DATABASE, ENCODER, RERANKER, read_only=True)
def mcp(*, settings: Settings) -> None:
    """Let a language model search a collection, by MCP on standard input and output.

    A program such as Claude Desktop or an editor starts it. It only reads: the tools search, find
    similar items, show an item, and describe the collection.

    Examples:
        ocelot mcp --db shop.db
    """
    with redirect_stdout(sys.stderr):  # standard output is for the protocol
        from ocelot.build import build_service
        from ocelot.mcp import serve_stdio

        service = build_service(settings)

    def stop() -> None:
        service.close()
        os._exit(0)

    typer.echo("The MCP server waits for a client on standard input; Ctrl-C stops it.", err=True)
    try:
        serve_stdio(service, stop)
    finally:
        service.close()
    _end(service)


def _end(service: Service) -> None:
    """End the process even if a language model that does not answer would keep it alive."""
    if service.busy:
        sys.stdout.flush()
        os._exit(0)


def _save_memory() -> None:
    """Have freed memory returned to the system; called before Pillow is imported."""
    # A picture in one large block is returned at once; Pillow keeps small blocks for later.
    os.environ.setdefault("PILLOW_BLOCK_SIZE", "64m")
    # glibc gives each thread a heap of its own, which only ever grows: let them share two.
    with suppress(OSError, AttributeError):  # other systems have no such call
        ctypes.CDLL(None).mallopt(-8, 2)  # M_ARENA_MAX


def _listen(host: str, port: int) -> socket.socket:
    """Return a listening socket, so that a bad address is reported before anything is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # so that the second of two servers fails here
    except OSError as error:
        cause = error.strerror or str(error)
        mends = {
            errno.EADDRINUSE: "choose another --port",
            errno.EACCES: "choose a --port from 1024 on",
        }
        mend = mends.get(error.errno or 0, "check --host")
        raise ConfigurationError(
            f"Cannot listen on {host}:{port} ({cause.lower()}); {mend}."
        ) from None
    return listener


def _announcement(listener: socket.socket, service: Service, settings: Settings) -> str:
    import asyncio  # 16 ms that other commands need not spend

    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    db, held = settings.db, asyncio.run(service.count())
    warn_if_large(db, held)
    ranked = f"reranked by {service.default}" if service.default else "not reranked"
    closed = ", read-only" if settings.read_only else ""
    return f"Ocelot is on http://{shown}:{port} ({count(held)} in {db}, {ranked}{closed})."


def _run(app: FastAPI, listener: socket.socket, announcement: str, settings: Settings) -> None:
    import uvicorn

    from ocelot.web.app import stop_streams
    from ocelot.web.security.connections import guarded, raise_open_files

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            typer.echo(announcement)
            typer.echo("Ctrl-C stops it.", err=True)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            stop_streams(app)  # an open page would keep its stream open
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        http=guarded(
            per_client=settings.client_connections,
            head_seconds=settings.header_timeout,
            most=raise_open_files(),
        ),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.stop_timeout),
        timeout_keep_alive=30,
    )
    # uvicorn stops at the first signal and then raises it again, which must do nothing.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    Server(config).run(sockets=[listener])
