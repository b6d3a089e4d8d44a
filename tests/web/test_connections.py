"""Half-open connections, opened for real: everybody else is still answered."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from ocelot.service import Service
from ocelot.web.security.connections import guarded
from tests.uvicorn_server import serve
from tests.web.conftest import app_of
from tests.web.held import SECONDS, connect
from tests.web.test_serve import environment

HALF = b"GET /healthz HTTP/1.1\r\nHost: loc"
WIDE = {"per_client": 0, "head_seconds": 60.0, "most": 10_000}


def protocol(**limits: Any) -> Any:
    return guarded(**(WIDE | limits))


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    said = b""
    while part := connection.recv(65536):
        said += part
    return said


@pytest.mark.parametrize("sent", [b"", HALF])
def test_a_head_that_does_not_come_is_given_up(warm: Service, sent: bytes) -> None:
    with serve(app_of(warm), http=protocol(head_seconds=0.2)) as url, connect(url) as one:
        one.sendall(sent)
        said = all_of(one)
        if sent:
            head, _, body = said.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in head
            assert json.loads(body)["detail"].endswith("within 0.2 seconds.")
        else:
            assert said == b""
        assert httpx.get(f"{url}/healthz").status_code == 200


def test_a_request_that_is_complete_has_all_the_time_it_needs(warm: Service) -> None:
    """Also a second one on the same connection, whose head comes in two parts."""
    with serve(app_of(warm), http=protocol(head_seconds=0.2)) as url, connect(url) as one:
        for _ in range(2):
            one.sendall(HALF)
            one.sendall(b"alhost\r\n\r\n")
            said = b""
            while b'{"status":"ok"}' not in said:
                said += one.recv(65536)
        with connect(url) as other:  # longer than the deadline
            assert all_of(other) == b""
        one.sendall(HALF + b"alhost\r\nConnection: close\r\n\r\n")
        assert b"200 OK" in all_of(one)


def test_a_client_has_a_number_of_connections(warm: Service) -> None:
    with serve(app_of(warm), http=protocol(per_client=3)) as url, ExitStack() as stack:
        held = [stack.enter_context(connect(url)) for _ in range(3)]
        said = all_of(stack.enter_context(connect(url)))
        assert said.startswith(b"HTTP/1.1 429 ") and b"\r\nretry-after: 1\r\n" in said.lower()
        held[0].close()
        for _ in range(100):  # the server notices in its own time
            answer = httpx.get(f"{url}/healthz")
            if answer.status_code == 200:
                break
        assert answer.status_code == 200


def test_the_one_that_has_waited_longest_makes_room(warm: Service) -> None:
    with serve(app_of(warm), http=protocol(most=3)) as url, ExitStack() as stack:
        held = [stack.enter_context(connect(url)) for _ in range(3)]
        held[0].settimeout(SECONDS)
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert held[0].recv(1) == b""


PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))  # as a careful system has it
from ocelot.cli.main import run
sys.argv = ["ocelot", "serve", "--port", "0", "--no-page", "--db", "shop.db"]
run()
"""


def test_five_hundred_half_open_connections_do_not_stop_the_server(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        cwd=tmp_path,
        env=environment(OCELOT_CLIENT_CONNECTIONS="0", OCELOT_HEADER_TIMEOUT="600"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[3]
        with ExitStack() as stack:
            for _ in range(500):
                stack.enter_context(connect(url)).sendall(HALF)
            for path in ("/healthz", "/v1/collection"):
                assert httpx.get(url + path, timeout=SECONDS).status_code == 200
            asked = httpx.post(f"{url}/v1/search", json={"text": "mug"}, timeout=SECONDS)
            assert asked.status_code == 200
    finally:
        process.kill()
        process.communicate()
