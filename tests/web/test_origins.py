"""Other web pages in the user's browser, and other names of this server."""

from __future__ import annotations

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from ocelot.errors import ConfigurationError
from tests.web.conftest import MakeClient

FRIEND = "https://shop.example"
FOREIGN = "https://evil.example"
ASK = {"text": "mug", "limit": 1}


@pytest.mark.parametrize(
    "origin",
    [FOREIGN, "null", "http://testserver:81", "http://testserver.evil.example", "file://",
     "http://[", "testserver"],
)  # fmt: skip
def test_a_foreign_page_may_change_nothing(client: TestClient, origin: str) -> None:
    headers = {"Origin": origin}
    for method, path in (
        ("POST", "/v1/search"),
        ("POST", "/v1/items"),
        ("DELETE", "/v1/items/" + "0" * 64),
        ("POST", "/"),
        ("POST", "/items"),
        ("PUT", "/anything"),
    ):
        response = client.request(method, path, headers=headers)
        assert response.status_code == 403
        assert response.headers["content-type"] == "application/problem+json"
        assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize("origin", ["http://testserver", "https://testserver", "HTTP://TESTSERVER"])
def test_the_servers_own_page_may(client: TestClient, origin: str) -> None:
    response = client.post("/v1/search", json=ASK, headers={"Origin": origin})
    assert response.status_code == 200


def test_who_is_no_browser_names_no_origin(client: TestClient) -> None:
    assert client.post("/v1/search", json=ASK).status_code == 200


def test_a_page_behind_a_proxy_that_renames_the_server_is_still_its_own(client: TestClient) -> None:
    headers = {"Origin": "https://public.example", "Sec-Fetch-Site": "same-origin"}
    assert client.post("/v1/search", json=ASK, headers=headers).status_code == 200
    headers["Sec-Fetch-Site"] = "same-site"
    assert client.post("/v1/search", json=ASK, headers=headers).status_code == 403


def test_reading_is_left_to_the_browsers_own_rules(client: TestClient) -> None:
    response = client.get("/v1/collection", headers={"Origin": FOREIGN})
    assert response.status_code == 200
    assert "access-control-allow-origin" not in response.headers
    assert response.headers["cross-origin-resource-policy"] == "same-origin"


def test_no_login_is_forged(make_client: MakeClient) -> None:
    client = make_client(api_keys=SecretStr("k"))
    response = client.post("/login", data={"key": "k"}, headers={"Origin": FOREIGN})
    assert response.status_code == 403 and "set-cookie" not in response.headers


def preflight(
    client: TestClient, origin: str, headers: str = "content-type,x-api-key"
) -> TestClient:
    return client.options(
        "/v1/search",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": headers,
        },
    )  # type: ignore[return-value]


def test_a_page_that_is_named_in_the_settings_may_call(make_client: MakeClient) -> None:
    client = make_client(
        cors_origins=f" {FRIEND}/ ,https://second.example", api_keys=SecretStr("k")
    )
    for origin in (FRIEND, "https://second.example"):
        asked = preflight(client, origin)
        assert asked.status_code == 200, "a preflight has no key"
        assert asked.headers["access-control-allow-origin"] == origin
        assert "DELETE" in asked.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in asked.headers
        done = client.post("/v1/search", json=ASK, headers={"Origin": origin, "X-API-Key": "k"})
        assert done.status_code == 200
        assert done.headers["access-control-allow-origin"] == origin
        assert "Retry-After" in done.headers["access-control-expose-headers"]
        assert done.headers["cross-origin-resource-policy"] == "cross-origin"
        refused = client.post("/v1/search", json=ASK, headers={"Origin": origin})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (
            401,
            origin,
        )


def test_no_other_page_may_call(client: TestClient, make_client: MakeClient) -> None:
    for one in (client, make_client(cors_origins=FRIEND)):
        asked = preflight(one, FOREIGN)
        assert asked.status_code == 400
        assert "access-control-allow-origin" not in asked.headers


def test_every_page_may_where_the_settings_say_so(make_client: MakeClient) -> None:
    client = make_client(cors_origins="*")
    done = client.post("/v1/search", json=ASK, headers={"Origin": FOREIGN})
    assert (done.status_code, done.headers["access-control-allow-origin"]) == (200, "*")


@pytest.mark.parametrize(
    "setting",
    ["not an origin", "shop.example", f"{FRIEND}/path", "https://", f"{FRIEND},null",
     "https://a:b@shop.example", "https://shop.example:port", "*.example", "https://[shop"],
)  # fmt: skip
def test_what_is_no_origin_is_no_setting(make_client: MakeClient, setting: str) -> None:
    with pytest.raises(ConfigurationError, match=r"cors_origins .* not an origin"):
        make_client(cors_origins=setting)


def test_origins_are_compared_as_browsers_spell_them(make_client: MakeClient) -> None:
    client = make_client(cors_origins="HTTPS://Shop.Example/, http://[::1]:3000")
    for origin in (FRIEND, "http://[::1]:3000"):
        response = client.post("/v1/search", json=ASK, headers={"Origin": origin})
        assert response.headers["access-control-allow-origin"] == origin


LOCAL = ("localhost", "127.0.0.1", "[::1]")


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]", "[::1]:8000"]
)
def test_a_local_server_answers_to_its_names(make_client: MakeClient, host: str) -> None:
    response = make_client(hosts=LOCAL).get("/healthz", headers={"Host": host})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil.example", "",
     "localhost:8000:9", "user@localhost", "::1"],
)  # fmt: skip
def test_it_answers_to_no_other(make_client: MakeClient, host: str) -> None:
    client = make_client(hosts=LOCAL)
    for path in ("/healthz", "/v1/collection", "/", "/login"):
        response = client.get(path, headers={"Host": host})
        assert response.status_code == 400
        assert response.headers["x-content-type-options"] == "nosniff"


def test_without_names_it_answers_to_all(client: TestClient) -> None:
    assert client.get("/healthz", headers={"Host": "any.example"}).status_code == 200
