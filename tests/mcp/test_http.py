"""MCP at /mcp of a real web server, with the official client and plain requests."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
from fastapi import FastAPI
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from pydantic import SecretStr

from ocelot.mcp import add_mcp
from ocelot.service import Service
from ocelot.settings import Settings
from ocelot.web import create_app
from tests.mcp.conftest import Answer, read
from tests.uvicorn_server import WebServer, serve
from tests.web.held import Departures, Gate, connect, request
from tests.web.test_serve import serving

NAMES = ("localhost", "127.0.0.1")
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
ACCEPT = {"Accept": "application/json, text/event-stream"}


def app_of(service: Service, **settings: Any) -> FastAPI:
    hosts = None if "api_keys" in settings else NAMES
    made = Settings.model_construct(**settings)
    app = create_app(service, made, page=False, hosts=hosts)
    add_mcp(app, service)
    return app


@pytest.fixture(scope="module")
def url(warm: Service) -> Iterator[str]:
    """A server of the shop, without keys."""
    with serve(app_of(warm)) as address:
        yield f"{address}/mcp"


def ask(
    url: str, *calls: tuple[str, dict[str, Any]], mode: str = "auto", **headers: str
) -> list[Answer]:
    """Call tools one after the other in one session."""

    async def session() -> list[CallToolResult]:
        async with httpx2.AsyncClient(headers=headers, timeout=60) as http:
            transport = streamable_http_client(url, http_client=http)
            async with Client(transport, mode=mode) as client:
                assert len((await client.list_tools()).tools) == 4
                return [await client.call_tool(*call) for call in calls]

    return [read(result) for result in asyncio.run(session())]


@pytest.mark.parametrize("mode", ["auto", "legacy"])  # without and with a handshake
def test_a_client_searches_and_looks(url: str, leopard: str, mode: str) -> None:
    query = {"image": leopard, "text": "phone case with this image theme", "limit": 10}
    ((id, *_),) = [answer.ids for answer in ask(url, ("search", query), mode=mode)]
    found, similar, shown, stats, failed = ask(
        url,
        ("search", query),
        ("similar", {"id": id, "filter": "price < 20", "limit": 3}),
        ("show", {"id": id}),
        ("stats", {}),
        ("search", {"text": "mug", "filter": "price <"}),
        mode=mode,
    )
    assert "leopard" in found.facts["hits"][0]["title"].lower() and found.facts["match"] is True
    assert len(found.ids) == 10 and len(found.pictures) == 8
    assert len(similar.ids) == 3 and id not in similar.ids
    assert shown.facts["id"] == id and shown.image().format == "JPEG"
    assert stats.facts["items"] == 60
    assert "filter" in failed.error and "\n" not in failed.error


def test_many_clients_at_once(url: str) -> None:
    async def one(client: Client, limit: int) -> list[str]:
        return read(await client.call_tool("search", {"text": "mug", "limit": limit})).ids

    async def session() -> list[list[str]]:
        async with Client(url) as first, Client(url, mode="legacy") as second:
            clients = [first, second] * 4
            return await asyncio.gather(*(one(client, 3) for client in clients))

    answers = asyncio.run(session())
    assert len(answers) == 8 and all(answer == answers[0] for answer in answers)


def test_keys_are_asked_for(warm: Service) -> None:
    with serve(app_of(warm, api_keys=SecretStr("right"))) as address:
        url = f"{address}/mcp"
        assert ask(url, ("stats", {}), Authorization="Bearer right")[0].facts["items"] == 60
        assert ask(url, ("stats", {}), **{"X-API-Key": "right"})[0].facts["items"] == 60
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            response = httpx.post(url, json=PING, headers={**ACCEPT, **headers})
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.json()["detail"].startswith("An API key is needed")
            with pytest.RaisesGroup(MCPError, flatten_subgroups=True):
                ask(url, ("stats", {}), **headers)


@pytest.mark.parametrize(
    "headers,status",
    [
        ({}, 200),
        ({"Host": "evil.example"}, 400),  # a name that was bound to this address
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
def test_other_web_pages_are_kept_out(url: str, headers: dict[str, str], status: int) -> None:
    assert httpx.post(url, json=PING, headers={**ACCEPT, **headers}).status_code == status


def test_the_servers_own_page_may(url: str) -> None:
    headers = {**ACCEPT, "Origin": url.removesuffix("/mcp")}
    assert httpx.post(url, json=PING, headers=headers).status_code == 200


def test_a_body_over_the_limit_is_refused(url: str, warm: Service) -> None:
    body = b" " * (warm.limits.upload_bytes + 1)
    headers = {**ACCEPT, "Content-Type": "application/json"}
    response = httpx.post(url, content=body, headers=headers)
    assert response.status_code == 413
    assert "larger than the limit of 20 MiB" in response.json()["detail"]


def test_a_picture_of_more_than_four_mebibytes_is_taken(url: str, leopard: str) -> None:
    padded = leopard.rstrip("=")
    padded = padded[: len(padded) // 4 * 4] + "A" * (5 * 2**20)
    (answer,) = ask(url, ("search", {"image": padded, "limit": 1}))
    assert len(answer.ids) == 1


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_only_post_is_answered(url: str, method: str) -> None:
    response = httpx.request(method, url, headers=ACCEPT)
    assert response.status_code == 405 and response.headers["allow"] == "POST"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"jsonrpc": "2.0"}', b"[" * 10**5])
def test_a_body_that_is_no_message_is_refused(url: str, body: bytes) -> None:
    headers = {**ACCEPT, "Content-Type": "application/json"}
    for version in ({}, {"MCP-Protocol-Version": "2026-07-28"}):
        response = httpx.post(url, content=body, headers={**headers, **version})
        assert response.status_code == 400 and "Traceback" not in response.text


def test_a_client_that_goes_away_ends_its_call(
    url: str, warm: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, search = Gate(), warm._engine.search
    departures = Departures(warm)

    def held(*query: Any, **options: Any) -> Any:
        gate.wait()
        return search(*query, **options)

    monkeypatch.setattr(warm._engine, "search", held)
    asked = {"name": "search", "arguments": {"text": "mug"}}
    body = json.dumps({**PING, "method": "tools/call", "params": asked}).encode()
    with connect(url) as client:
        client.sendall(request("/mcp", body, f"Accept: {ACCEPT['Accept']}"))
        gate.reached()
    departures.noted()
    gate.open()
    assert len(ask(url, ("search", {"text": "mug", "limit": 2}))[0].ids) == 2


def test_it_is_counted_under_its_own_name(url: str, warm: Service) -> None:
    httpx.post(url, json=PING, headers=ACCEPT)
    assert b'ocelot_requests_total{method="POST",route="/mcp",status="200"}' in warm.metrics.text()


def test_it_is_off_by_default(warm: Service) -> None:
    app = create_app(warm, Settings.model_construct(), page=False)
    with serve(app) as address:
        assert httpx.post(f"{address}/mcp", json=PING).status_code == 404


def test_it_ends_with_the_server(warm: Service) -> None:
    server = WebServer(app_of(warm))
    server.start()

    async def session() -> None:
        async with Client(f"{server.url}/mcp", mode="legacy") as client:
            await client.call_tool("stats", {})
            assert await asyncio.to_thread(server.stop)  # while a client is connected

    asyncio.run(session())


def test_the_command_serves_it_beside_the_page(db: Path, tmp_path: Path) -> None:
    shutil.copytree(db, tmp_path / "shop.db")
    with serving(tmp_path / "shop.db", "--mcp") as server:
        assert ask(f"{server.url}/mcp", ("stats", {}))[0].facts["items"] == 60
        assert httpx.get(server.url).status_code == 200
        code, said = server.stop()
    assert code == 0 and "Traceback" not in said
