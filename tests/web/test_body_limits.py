"""Bodies that are too large, too slow or too many, on a real server with real connections."""

from __future__ import annotations

import asyncio
import select
import threading
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ocelot.service import Limits, Metrics, Service
from ocelot.web import stop_streams
from ocelot.web.security.body_limits import BodyLimits, Shutdown
from tests.uvicorn_server import WebServer, serve
from tests.web.conftest import MakeService, app_of
from tests.web.held import SECONDS, connect, request
from tests.web.test_middleware import BODY, answer_on, held_reranker, post

# Too large


@pytest.fixture
def narrow(beside: MakeService) -> Service:
    return beside(limits=Limits(upload_bytes=100_000))


HEAD = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_a_length_over_the_limit_is_refused_before_anything_is_sent(narrow: Service) -> None:
    with serve(app_of(narrow)) as url:
        for more in (b"", b"Expect: 100-continue\r\n"):
            connection = connect(url)
            connection.sendall(HEAD + more + b"Content-Length: 100001\r\n\r\n")
            response, problem = answer_on(connection)
            assert response.status == problem["status"] == 413
            assert response.getheader("content-type") == "application/problem+json"
            assert response.getheader("x-content-type-options") == "nosniff"
            connection.close()


def test_a_body_is_refused_while_it_is_still_coming(narrow: Service) -> None:
    chunk = b"4000\r\n" + b" " * 0x4000 + b"\r\n"
    with serve(app_of(narrow)) as url:
        connection = connect(url)
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + 7 * chunk)
        response, problem = answer_on(connection)
        assert response.status == problem["status"] == 413
        # What still comes is passed over, and the connection goes on.
        connection.sendall(20 * chunk + b"0\r\n\r\n" + request("/v1/search", BODY))
        response, answer = answer_on(connection)
        assert response.status == 200 and len(answer["hits"]) == 3
        connection.close()


def test_a_body_of_just_the_limit_is_read(narrow: Service) -> None:
    with serve(app_of(narrow)) as url:
        for size, status in ((100_000, 200), (100_001, 413)):
            assert post_padded(url, size) == status


def post_padded(url: str, size: int) -> int:
    headers = {"Content-Type": "application/json"}
    return httpx.post(f"{url}/v1/search", content=BODY.ljust(size), headers=headers).status_code


def test_uploads_are_limited_in_a_form_too(narrow: Service) -> None:
    with serve(app_of(narrow)) as url:
        response = httpx.post(f"{url}/v1/items", files={"image": b"x" * 100_000})
    assert response.status_code == 413


# Too slow

HALF_JSON = request("/v1/search", BODY)[:-5]
PART = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
FORM = b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 50000\r\n\r\n" + PART
HALF_FORM = b"POST /v1/items HTTP/1.1\r\nHost: localhost\r\n" + FORM
HALF_UPLOAD = b"POST /items HTTP/1.1\r\nHost: localhost\r\n" + FORM
HALVES = [HALF_JSON, HALF_FORM, HALF_UPLOAD]


def refused_on(connection: Any, status: int) -> str:
    """The problem that a connection ends with."""
    response, problem = answer_on(connection)
    assert response.status == problem["status"] == status
    assert response.getheader("content-type") == "application/problem+json"
    assert response.getheader("connection") == "close"
    assert connection.recv(1) == b""
    connection.close()
    return str(problem["detail"])


@pytest.mark.parametrize("half", HALVES)
def test_a_body_that_does_not_come_is_given_up(beside: MakeService, half: bytes) -> None:
    app = app_of(beside(limits=Limits(seconds=0.3)), page=True)
    with serve(app) as url:
        connection = connect(url)
        connection.sendall(half)
        assert "within 0.3 seconds" in refused_on(connection, 408)
        assert httpx.get(f"{url}/healthz").status_code == 200


def test_only_the_body_has_to_be_there_in_time() -> None:
    sent: list[Any] = []

    async def one_request() -> None:
        answered = asyncio.Event()
        coming = iter([{"type": "http.request", "body": b"abc"}])

        async def app(scope: Any, receive: Any, send: Any) -> None:
            assert (await receive())["body"] == b"abc"
            listening = asyncio.ensure_future(receive())
            for _ in range(5):
                await asyncio.sleep(0)
            assert not listening.done()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        async def receive() -> Any:
            for message in coming:
                return message
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message.get("status"))
            answered.set()

        scope = {"type": "http", "path": "/v1/search", "headers": []}
        await BodyLimits(app, Limits(seconds=0.0), Shutdown(), Metrics())(scope, receive, send)

    asyncio.run(one_request())
    assert sent == [200, None]


# Too many


def test_all_bodies_together_are_limited(narrow: Service) -> None:
    head = b"POST /v1/items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with serve(app_of(narrow)) as url:
        coming = [connect(url) for _ in range(8)]
        for connection in coming:
            connection.sendall(head + b"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
            assert b"100 Continue" in connection.recv(1000)
        one_more = httpx.post(f"{url}/v1/search", content=BODY.ljust(90_000))
        assert one_more.status_code == 429
        assert int(one_more.headers["retry-after"]) >= 1
        assert one_more.json()["type"] == "urn:ocelot:problem:overloaded"
        assert post(url).status_code == 200, "what is small has room of its own"
        coming.pop().close()
        while post_padded(url, 90_000) == 429:  # the server hears of it in its own time
            pass
        assert post_padded(url, 90_000) == 200
        for connection in coming:
            connection.close()


def test_what_has_come_without_a_length_counts_as_well(narrow: Service) -> None:
    part = b"ea60\r\n" + b" " * 60_000 + b"\r\n"
    chunk = b"7530\r\n" + b" " * 30_000 + b"\r\n"
    with serve(app_of(narrow)) as url:
        coming = [connect(url) for _ in range(9)]
        for connection in coming:  # each within its limit, and small at first
            connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + part)
        for connection in coming:
            connection.sendall(chunk)
        refused, _, _ = select.select(coming, [], [], SECONDS)
        assert [answer_on(connection)[0].status for connection in refused] == [429]
        for connection in coming:
            connection.close()


def test_many_small_bodies_are_let_in(narrow: Service) -> None:
    with serve(app_of(narrow)) as url:
        coming = [connect(url) for _ in range(64)]
        whole = request("/v1/search", BODY)
        for connection in coming:
            connection.sendall(whole[:-1])
        for connection in coming:
            connection.sendall(whole[-1:])
        for connection in coming:
            assert answer_on(connection)[0].status == 200
            connection.close()


# Stopping


def stopping(app: FastAPI, server: WebServer) -> threading.Thread:
    server.call(lambda: stop_streams(app))
    thread = threading.Thread(target=server.stop)
    thread.start()
    return thread


def test_a_body_on_its_way_when_the_server_is_to_stop_is_let_in(warm: Service) -> None:
    app = app_of(warm)
    server = WebServer(app)
    server.start()
    whole = request("/v1/search", BODY)
    connection = connect(server.url)
    connection.sendall(whole[:-5])
    httpx.get(f"{server.url}/healthz")  # by now it has been read
    ending = stopping(app, server)
    while not app.state.shutdown.begun:
        pass
    connection.sendall(whole[-5:])
    assert answer_on(connection)[0].status == 200
    ending.join(SECONDS)
    assert not ending.is_alive()


def test_bodies_that_are_not_there_do_not_hold_up_the_end(beside: MakeService) -> None:
    gate, rerankers = held_reranker()
    service = beside(**rerankers)
    app = app_of(service, page=True)
    server = WebServer(app, timeout_graceful_shutdown=None)
    server.start()
    at_work = connect(server.url)
    at_work.sendall(request("/v1/search", BODY))
    gate.reached()
    waiting = [connect(server.url) for _ in HALVES]
    for connection, half in zip(waiting, HALVES, strict=True):
        connection.sendall(half)
    httpx.get(f"{server.url}/healthz")  # by now they have been read
    ending = stopping(app, server)
    for connection in waiting:
        assert "stopping" in refused_on(connection, 503)
    gate.open()
    assert answer_on(at_work)[0].status == 200
    ending.join(SECONDS)
    assert not ending.is_alive()
    text = service.metrics.text().decode()
    assert 'status="503"' in text and 'status="499"' not in text
