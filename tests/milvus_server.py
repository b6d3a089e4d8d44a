"""A real Milvus server for tests: the one that the package `milvus` carries."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from pymilvus import MilvusClient, MilvusException

TOKEN = "root:Milvus"
_START_SECONDS = 120
# A strongly consistent read waits for the next tick, and a collection to be loaded for the next
# checks: 0.2 to 1 s by default, most of the time of a test.
_INTERVALS = (  # in milliseconds, as the server reads its settings from the environment
    "PROXY_TIMETICKINTERVAL", "QUERYCOORD_CHECKCHANNELINTERVAL", "QUERYCOORD_CHECKSEGMENTINTERVAL",
    "QUERYCOORD_DISTPULLINTERVAL",
)  # fmt: skip


def is_installed() -> bool:
    return find_spec("milvus") is not None


def start(data: Path) -> tuple[subprocess.Popen[bytes], str]:
    """Start a server with its data in `data`; gives its process and its address.

    Raises:
        RuntimeError: It is installed but does not answer; its log is in the message.
    """
    binary = Path(sys.executable).with_name("milvus-server")
    port = _free_port()
    log = data / "out.log"
    command = [str(binary), "--data", str(data / "milvus"), "--proxy-port", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--authorization-enabled", "true"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **dict.fromkeys(_INTERVALS, "50")},
            start_new_session=True,
        )
    uri = f"http://127.0.0.1:{port}"
    try:
        _wait(process, uri, log)
    except BaseException:
        end(process)
        raise
    return process, uri


@contextmanager
def milvus_server(data: Path) -> Iterator[str]:
    """A server with its data in `data`, which is removed afterwards; gives its address."""
    process, uri = start(data)
    try:
        yield uri
    finally:
        end(process)
        shutil.rmtree(data / "milvus", ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], uri: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            client = MilvusClient(uri, token=TOKEN, timeout=2, dedicated=True)
            client.list_collections(timeout=2)
            client.close()
            return
        except MilvusException:
            time.sleep(0.2)
    raise RuntimeError(f"milvus-server does not answer at {uri}; its log:\n{log.read_text()}")


def end(process: subprocess.Popen[bytes], *, at_once: bool = False) -> None:
    """End a server: its launcher leaves it running, so end the group of both."""
    for sent in (signal.SIGTERM, signal.SIGKILL)[at_once:]:
        try:
            os.killpg(process.pid, sent)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            continue


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
