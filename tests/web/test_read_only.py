"""A server where pictures can be found, and nothing can be changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from ocelot.service import Service
from tests.web.conftest import MakeService, app_of, client_of

HTML = {"Accept": "text/html"}
READING = {  # the POST requests that change nothing
    "/", "/crop", "/v1/search", "/v1/search/batch", "/v1/search/vector", "/v1/embeddings",
    "/v1/rerank",
}  # fmt: skip


@pytest.fixture
def client(beside: MakeService) -> TestClient:
    return client_of(app_of(beside(), page=True, read_only=True))


def routes(app: Any) -> Iterator[tuple[str, str]]:
    """Every method and path of an application, by its own OpenAPI and by the page's routes."""
    for path, methods in app.openapi()["paths"].items():
        yield from ((method.upper(), path) for method in methods)
    router = app.router.routes[-1]  # the page's, which is included last
    for route in router.original_router.routes:
        yield from ((method, route.path) for method in getattr(route, "methods", ()))


def test_whatever_may_change_something_is_refused(client: TestClient, warm: Service) -> None:
    known = {(method, path) for method, path in routes(client.app) if method not in ("GET", "HEAD")}
    assert {path for _, path in known} >= {*READING, "/v1/bulk", "/items/{id}/delete", "/demo"}
    id = next(iter(warm._engine.items())).id
    for method, path in known:
        response = client.request(method, path.format(id=id))
        refused = "urn:ocelot:problem:read-only" in response.text
        assert refused == (path not in READING), (method, path)
        assert (response.status_code == 403) == refused
    assert warm._engine.count() == 60


def test_the_refusal_comes_before_the_body(client: TestClient) -> None:
    def never() -> Iterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    for path in ("/v1/bulk", "/v1/items", "/items"):
        assert client.post(path, content=never()).status_code == 403


def test_the_page_offers_no_change_and_finds_as_ever(client: TestClient, leopard: bytes) -> None:
    home = client.get("/", headers=HTML).text
    assert 'id="ask"' in home and 'id="add"' not in home
    files = {"picture": ("leopard.jpg", leopard, "image/jpeg")}
    link = client.post("/", data={"text": "phone case"}, files=files).headers["location"]
    answer = client.get(link, headers=HTML)
    assert answer.status_code == 200 and "data-id=" in answer.text
    id = client.get("/v1/items").json()["items"][0]["id"]
    item = client.get(f"/items/{id}", headers=HTML).text
    assert 'class="item"' in item and "<form" not in item
    refused = client.post(f"/items/{id}/delete", headers=HTML)
    assert refused.status_code == 403 and "This server is read-only" in refused.text
    assert client.post("/v1/search", json={"text": "mug"}).status_code == 200


def test_an_empty_collection_cannot_be_filled(make_service: MakeService) -> None:
    client = client_of(app_of(make_service(), page=True, read_only=True))
    html = client.get("/", headers=HTML).text
    assert "This collection is empty" in html and 'action="./demo"' not in html
    line = json.dumps({"image": {"base64": ""}})
    told = client.post("/v1/bulk", content=line, headers={"Content-Type": "application/x-ndjson"})
    assert told.status_code == 403
