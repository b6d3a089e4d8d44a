from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from ocelot.encoders.base import Encoder
from ocelot.errors import CollectionError, RequestTimeout
from ocelot.service import Service
from ocelot.web import stop_streams
from tests.web.conftest import MakeService, app_of, client_of, service_in


def test_a_server_that_is_well_says_so(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_being_alive_does_not_depend_on_the_database(
    warm: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm, "_engine", None)
    monkeypatch.setattr(warm, "_items", None)
    assert client_of(app_of(warm)).get("/healthz").status_code == 200


def test_a_server_is_not_ready_without_its_database(encoder: Encoder, tmp_path: Path) -> None:
    service = service_in(tmp_path, encoder)
    client = client_of(app_of(service))
    assert client.get("/readyz").status_code == 200
    service._engine.collection._database.close()
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.headers["content-type"] == "application/problem+json"
    assert client.get("/healthz").status_code == 200
    with pytest.raises(CollectionError, match="is closed"):
        service.close()


def test_it_is_known_soon_that_the_database_hangs(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs() -> None:
        raise RequestTimeout("It does not answer.")

    monkeypatch.setattr(service, "ready", hangs)
    response = client_of(app_of(service)).get("/readyz")
    assert response.status_code == 503
    assert response.json()["detail"] == "The database does not answer now."


def test_a_server_that_stops_is_not_ready_but_still_answers(warm: Service) -> None:
    app = app_of(warm)
    client = client_of(app)
    stop_streams(app)
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.post("/v1/search", json={"text": "mug"}).status_code == 200


def test_a_closed_service_answers_503(make_service: MakeService) -> None:
    service = make_service()
    client = client_of(app_of(service))
    service.close()
    for response in (
        client.get("/readyz"),
        client.get("/v1/collection"),
        client.post("/v1/search", json={"text": "mug"}),
    ):
        assert response.status_code == 503 and "stopping" in response.json()["detail"]
    assert client.get("/healthz").status_code == 200


def counted(client: TestClient) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_never_by_path(make_service: MakeService) -> None:
    client = client_of(app_of(make_service()))
    paths = [f"/v1/items/{number:064x}" for number in range(20)]
    for path in [*paths, "/v1/nothing/here", "/page/of/mine", "/openapi.json"]:
        client.get(path)
    client.request("BREW", "/healthz")
    client.head("/healthz")
    client.post("/v1/search", json={})
    found = counted(client)
    requests = {key[1:]: value for key, value in found.items() if "requests_total" in key[0]}
    assert requests == {
        ("GET", "/v1/items/{id}", "404"): 20,
        ("GET", "none", "404"): 1,
        ("GET", "page", "404"): 1,
        ("GET", "/openapi.json", "200"): 1,
        ("other", "/healthz", "405"): 1,
        ("HEAD", "/healthz", "200"): 1,
        ("POST", "/v1/search", "422"): 1,
    }
    assert found["ocelot_request_seconds_count", "/v1/items/{id}"] == 20
    assert not [key for key in found if "0000" in str(key)]


def test_metrics_are_in_the_format_of_prometheus(client: TestClient) -> None:
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=")
    assert ("ocelot_abandoned_total",) in counted(client)


def test_each_request_is_logged_without_what_was_asked(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "ocelot.web"):
        client.get("/v1/items/" + "0" * 64 + "/similar?filter=colour", headers={"X-API-Key": "k"})
        client.post("/v1/search", json={"text": "a secret red wish"})
    lines = [record.getMessage() for record in caplog.records if record.name == "ocelot.web"]
    assert [line.rsplit(" ", 2)[0] for line in lines] == [
        "GET /v1/items/{id}/similar 404",
        "POST /v1/search 200",
    ]
    assert "secret" not in caplog.text and "colour" not in caplog.text


def test_the_application_runs_in_any_event_loop(warm: Service) -> None:
    app = app_of(warm)

    async def ask() -> int:
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://testserver"
        ) as client:
            return (await client.post("/v1/search", json={"text": "mug"})).status_code

    assert [asyncio.run(ask()) for _ in range(2)] == [200, 200]
