from __future__ import annotations

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from ocelot.service import Service
from ocelot.settings import Settings
from ocelot.web import create_app
from tests.web.conftest import MakeClient, client_of


def policy(response: object) -> dict[str, list[str]]:
    text: str = response.headers["content-security-policy"]  # type: ignore[attr-defined]
    parts = (part.split() for part in text.split(";"))
    return {name: sources for name, *sources in parts}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/collection", 200),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/search", 405),
        ("POST", "/v1/search", 415),
        ("GET", "/healthz", 200),
        ("GET", "/metrics", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/a/page", 404),
        ("DELETE", "/v1/items/-", 422),
    ],
)
def test_every_response_is_safe_in_a_browser(
    client: TestClient, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["referrer-policy"] == "same-origin"
    assert response.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=(self)" in response.headers["permissions-policy"]
    assert "server" not in response.headers
    assert policy(response)["frame-ancestors"] == ["'none'"]


def test_an_answer_of_the_api_loads_nothing_and_is_kept_nowhere(client: TestClient) -> None:
    response = client.get("/v1/collection")
    assert policy(response)["default-src"] == ["'none'"]
    assert response.headers["cache-control"] == "no-store"
    assert client.get("/v1/items/" + "0" * 64 + "/image").headers["cache-control"] == "no-store"


def test_the_page_loads_from_its_own_server_only(warm: Service) -> None:
    response = client_of(create_app(warm, Settings.model_construct())).get("/")
    assert "no-store" not in response.headers.get("cache-control", "")
    rules = policy(response)
    assert rules["default-src"] == ["'none'"] == rules["base-uri"]
    assert rules["script-src"] == rules["style-src"] == ["'self'"]
    allowed = {"'self'", "'none'", "data:", "blob:"}
    assert {source for sources in rules.values() for source in sources} <= allowed
    assert rules["connect-src"] == ["'self'"] and rules["form-action"] == ["'self'"]


def test_refusals_are_as_safe(make_client: MakeClient) -> None:
    client = make_client(api_keys=SecretStr("k"), hosts=("testserver",))
    for response in (
        client.get("/v1/collection"),
        client.get("/", headers={"Accept": "text/html"}),
        client.get("/login"),
        client.get("/healthz", headers={"Host": "other"}),
        client.post("/v1/search", headers={"Origin": "https://evil.example"}),
    ):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert policy(response)["frame-ancestors"] == ["'none'"]
