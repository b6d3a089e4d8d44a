"""What stands around requests, on a real server with real connections."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPResponse
from typing import Any

import httpx
import pytest

from ocelot.rerankers.function import FunctionReranker
from ocelot.service import Limits, Metrics, Service
from ocelot.web import stop_streams
from ocelot.web.security.body_limits import BodyLimits, Shutdown
from ocelot.web.security.middleware import RequestLog
from tests.uvicorn_server import WebServer, serve
from tests.web.conftest import MakeService, app_of
from tests.web.held import (
    SECONDS,
    Departures,
    Gate,
    HeldEncoder,
    HeldReranker,
    connect,
    request,
)

ASK = {"text": "kettle", "limit": 3}
BODY = json.dumps(ASK).encode()


def post(url: str, body: Any = ASK, **options: Any) -> httpx.Response:
    return httpx.post(f"{url}/v1/search", json=body, timeout=SECONDS, **options)


def answer_on(connection: Any) -> tuple[HTTPResponse, Any]:
    response = HTTPResponse(connection)
    response.begin()
    return response, json.loads(response.read())


def held_encoder(warm: Service) -> tuple[Gate, HeldEncoder]:
    gate = Gate()
    return gate, HeldEncoder(warm._engine.encoder, gate)


def held_reranker() -> tuple[Gate, dict[str, Any]]:
    gate = Gate()
    judge = FunctionReranker(HeldReranker(gate), name="held")
    return gate, {"rerankers": {"held": judge}, "default": "held"}


# Too much, too late


def test_what_would_wait_behind_a_full_queue_is_refused_at_once(
    warm: Service, beside: MakeService
) -> None:
    gate, encoder = held_encoder(warm)
    service = beside(encoder=encoder, limits=Limits(threads=1, queue=0))
    with serve(app_of(service)) as url, ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, url)
        gate.reached()
        refused = post(url)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["type"] == "urn:ocelot:problem:overloaded"
        assert httpx.get(f"{url}/healthz").status_code == 200
        assert 'ocelot_refused_total{queue="search"} 1.0' in httpx.get(f"{url}/metrics").text
        gate.open()
        assert first.result(SECONDS).status_code == 200
        assert post(url).status_code == 200


def test_what_takes_too_long_is_given_up(warm: Service, beside: MakeService) -> None:
    gate, encoder = held_encoder(warm)
    service = beside(encoder=encoder, limits=Limits(seconds=0.2))
    with serve(app_of(service)) as url:
        late = post(url)
        gate.open()
    assert late.status_code == 503 and late.headers["retry-after"] == "5"
    assert late.json()["type"] == "urn:ocelot:problem:out-of-time"


# Clients that go away


def test_what_waits_for_a_client_that_is_gone_never_starts(
    warm: Service, beside: MakeService
) -> None:
    gate, encoder = held_encoder(warm)
    service = beside(encoder=encoder, limits=Limits(threads=1, queue=5))
    departures = Departures(service)
    with serve(app_of(service)) as url, ThreadPoolExecutor(1) as pool:
        stays = pool.submit(post, url)
        gate.reached()
        for _ in range(3):
            leaves = connect(url)
            leaves.sendall(request("/v1/search", BODY))
            while service._search.held < 2:  # the server reads it in its own time
                httpx.get(f"{url}/healthz")
            leaves.close()
            departures.noted()
        gate.open()
        assert stays.result(SECONDS).status_code == 200
    service._search.close()
    assert gate.came == 1
    assert b"ocelot_abandoned_total 3.0" in service.metrics.text()
    assert b'status="499"' in service.metrics.text()


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_a_verdict_that_nobody_waits_for_is_not_asked_for(beside: MakeService, accept: str) -> None:
    gate, rerankers = held_reranker()
    service = beside(**rerankers, limits=Limits(threads=1, queue=5))
    departures = Departures(service)
    with serve(app_of(service)) as url, ThreadPoolExecutor(1) as pool:
        stays = pool.submit(post, url)
        gate.reached()
        leaves = connect(url)
        leaves.sendall(request("/v1/search", BODY, f"Accept: {accept}"))
        if accept == "text/event-stream":
            seen = b""
            while b"event: hits" not in seen:
                seen += leaves.recv(65536)
        while service._reranking.held < 2:
            httpx.get(f"{url}/healthz")
        leaves.close()
        departures.noted()
        gate.open()
        assert [hit["retrieval_rank"] for hit in stays.result(SECONDS).json()["hits"]] == [3, 2, 1]
    service._reranking.close()
    assert gate.came == 1


def test_a_client_that_leaves_within_its_body_does_no_harm(beside: MakeService) -> None:
    service = beside()
    departures = Departures(service)
    with serve(app_of(service)) as url:
        leaves = connect(url)
        leaves.sendall(request("/v1/search", BODY)[:-5])
        leaves.close()
        departures.noted()
        assert post(url).status_code == 200
    assert b'status="500"' not in service.metrics.text()


def test_a_client_that_has_its_answer_is_not_counted_as_gone(beside: MakeService) -> None:
    service = beside()
    with serve(app_of(service)) as url:
        for _ in range(5):
            assert post(url, headers={"Connection": "close"}).status_code == 200
    assert b"ocelot_abandoned_total 0.0" in service.metrics.text()


# Stopping


def test_what_is_at_work_is_finished_before_the_server_stops(beside: MakeService) -> None:
    gate, rerankers = held_reranker()
    app = app_of(beside(**rerankers))
    server = WebServer(app)
    server.start()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(post, server.url, headers={"Accept": "text/event-stream"})
        gate.reached()
        server.call(lambda: stop_streams(app))
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        gate.open()
        assert "event: ranking" in asked.result(SECONDS).text
        stopping.join(SECONDS)
        assert not stopping.is_alive()


def test_what_is_not_done_when_the_server_has_waited_long_enough_is_answered(
    beside: MakeService, caplog: pytest.LogCaptureFixture
) -> None:
    gate, rerankers = held_reranker()
    service = beside(**rerankers)
    app = app_of(service)
    server = WebServer(app, timeout_graceful_shutdown=1)
    server.start()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(post, server.url)
        gate.reached()
        server.call(lambda: stop_streams(app))
        assert server.stop()
        dropped = asked.result(SECONDS)
        gate.open()
    assert dropped.status_code == 503 and "stopping" in dropped.json()["detail"]
    assert b'status="503"' in service.metrics.text()
    assert not [one for one in caplog.records if one.exc_info]


def test_what_a_closing_service_drops_is_answered(beside: MakeService) -> None:
    gate, rerankers = held_reranker()
    service = beside(**rerankers, limits=Limits(threads=1, queue=5))
    with serve(app_of(service)) as url, ThreadPoolExecutor(2) as pool:
        first = pool.submit(post, url)
        gate.reached()
        second = pool.submit(post, url)
        while service._reranking.held < 2:
            httpx.get(f"{url}/healthz")
        closing = threading.Thread(target=service._reranking.close)
        closing.start()
        dropped = second.result(SECONDS)
        assert dropped.status_code == 200 and len(dropped.json()["hits"]) == 3
        assert "stopping" in dropped.json()["ranking"]["detail"]
        gate.open()
        assert first.result(SECONDS).status_code == 200
        closing.join(SECONDS)


def test_work_behind_an_answer_is_not_cut_off() -> None:
    """A server says that it is over as soon as the answer is out; what is left to do goes on."""
    metrics, ended = Metrics(), []

    async def one_request() -> None:
        said = asyncio.Event()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            await said.wait()
            for _ in range(5):
                await asyncio.sleep(0)
            ended.append(True)

        answered = asyncio.Event()
        coming = iter([{"type": "http.request", "body": b""}])

        async def receive() -> Any:
            for message in coming:
                return message
            await answered.wait()
            said.set()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.body":
                answered.set()

        scope = {"type": "http", "path": "/v1/search", "headers": []}
        await BodyLimits(app, Limits(), Shutdown(), metrics)(scope, receive, send)

    asyncio.run(one_request())
    assert ended == [True]
    assert b"ocelot_abandoned_total 0.0" in metrics.text()


def test_a_mistake_within_an_answer_is_logged_once_and_cuts_it_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        raise ZeroDivisionError

    with (
        serve(RequestLog(app, Metrics(), Shutdown())) as url,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.get(f"{url}/v1/search")
    assert [one.name for one in caplog.records if one.exc_info] == ["ocelot.web"]
    assert "none broke off: ZeroDivisionError" in caplog.text
