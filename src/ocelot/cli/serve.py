"""`ocelot serve`: the HTTP API and the page, from one warm process."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import ipaddress
import logging
import math
import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ocelot.cli import options
from ocelot.cli.startup import quick_start
from ocelot.errors import ConfigurationError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ocelot.service import Service

__all__ = ["serve"]

_LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8000,
    db: options.Database = None,
    collection: options.CollectionName = None,
    token: options.Token = None,
    encoder: options.EncoderName = None,
    weights: options.Weights = None,
    text_model: options.TextModel = None,
    device: options.Device = None,
    backend: options.Backend = None,
    precision: options.Precision = None,
    calibration: options.Calibration = None,
    batch_size: options.Batch = None,
    reranker: options.RerankerName = None,
    llm_model: options.LanguageModel = None,
    llm_base_url: options.LanguageModelUrl = None,
    uploads: Annotated[
        Path | None,
        typer.Option(help="Folder for uploaded pictures. [beside the file]", show_default=False),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(help="Searches at once. [16]", show_default=False)
    ] = None,
    queue: Annotated[
        int | None, typer.Option(help="Searches that may wait. [64]", show_default=False)
    ] = None,
    batch_window: Annotated[
        float | None,
        typer.Option(help="Seconds to wait for company in a batch. [0.002]", show_default=False),
    ] = None,
    page: Annotated[bool, typer.Option("--page/--no-page", help="Also serve the page.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every request.")] = False,
) -> None:
    """Serve the HTTP API and the page: one warm process that owns encoder and collection."""
    with quick_start():
        from ocelot.build import build_service
        from ocelot.settings import load_settings

    settings = load_settings(
        db=db,
        collection=collection,
        token=token,
        batch_size=batch_size,
        **options.encoder_settings(
            encoder, weights, text_model, device, backend, precision, calibration
        ),
        reranker=reranker,
        llm_model=llm_model,
        llm_base_url=llm_base_url,
        uploads=uploads,
        threads=threads,
        queue=queue,
        batch_window=batch_window,
    )
    if verbose:
        logging.getLogger("ocelot").setLevel(logging.INFO)
    loopback = _is_loopback(host)
    if not loopback and settings.api_keys is None:
        logging.getLogger("ocelot").warning(
            "Listening on %s without API keys: everybody who reaches this machine can search, "
            "add and delete. Set OCELOT_API_KEYS, or listen on 127.0.0.1.",
            host,
        )
    _keep_memory_together()
    listener = _listen(host, port)
    with listener:
        with quick_start():
            service = build_service(settings)
        try:
            from ocelot.web.app import create_app

            # A key keeps other web pages out by itself, and a proxy here may pass its own names.
            guarded = settings.api_keys is not None or not loopback
            names = None if guarded else (*_LOCAL_NAMES, host)
            app = create_app(service, settings, page=page, hosts=names)
            announcement = _announcement(listener, service, settings.db)
            _run(app, listener, announcement, settings.stop_timeout)
        finally:
            service.close()
    typer.echo("Stopped; everything is written.", err=True)
    if service.busy:  # a language model that does not answer holds a thread, and that the process
        sys.stdout.flush()
        os._exit(0)


def _keep_memory_together() -> None:
    """Let all threads share two heaps: glibc gives each its own, and they only ever grow."""
    with suppress(OSError, AttributeError):  # other systems have no such call, or no need
        ctypes.CDLL(None).mallopt(-8, 2)  # M_ARENA_MAX


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket; refused before anything is loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()  # so that of two servers the later one fails here
    except OSError as error:
        cause = error.strerror or str(error)
        mend = "choose another --port" if error.errno == errno.EADDRINUSE else "check --host"
        if error.errno == errno.EACCES:
            mend = "take a --port from 1024"
        raise ConfigurationError(
            f"Cannot listen on {host}:{port} ({cause.lower()}); {mend}."
        ) from None
    return listener


def _announcement(listener: socket.socket, service: Service, db: str) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    count = asyncio.run(service.count())
    judge = f"reranked by {service.default}" if service.default else "not reranked"
    return f"Ocelot is on http://{shown}:{port} ({count:,} pictures in {db}, {judge})."


def _run(app: FastAPI, listener: socket.socket, announcement: str, stop_timeout: float) -> None:
    import uvicorn

    from ocelot.web.app import stop_streams

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            typer.echo(announcement)
            typer.echo("Ctrl-C stops it.", err=True)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            stop_streams(app)  # an open page would hold its stream for ever
            await super().shutdown(sockets)

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(stop_timeout),
        timeout_keep_alive=30,
    )
    # uvicorn stops at the first signal and then sends it again: by then there is nothing to do.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    Server(config).run(sockets=[listener])
