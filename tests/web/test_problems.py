from __future__ import annotations

import logging

import pytest
from starlette.testclient import TestClient

from ocelot import errors
from ocelot.errors import OcelotError
from ocelot.service import Service
from ocelot.web.api.problems import problem_of
from tests.web.conftest import app_of, client_of

STATUS = {
    "InputError": 422, "ImageError": 415, "ImageTooLarge": 413, "FilterError": 400,
    "ItemNotFound": 404, "MetadataError": 422, "ConfigurationError": 503, "EncoderError": 503,
    "CheckpointError": 503, "CollectionError": 503, "DatabaseUnavailable": 503,
    "CollectionNotFound": 503,
    "EncoderMismatch": 503, "RerankError": 503, "DownloadError": 503, "Overloaded": 429,
    "RequestTimeout": 503, "StorageError": 507, "OcelotError": 503, "UnknownWords": 422,
}  # fmt: skip
SECRET = "/home/ada/shop.db at 10.0.0.7"


def made(name: str) -> OcelotError:
    kind = getattr(errors, name)
    error = kind("the image", SECRET) if issubclass(kind, errors.ImageError) else kind(SECRET)
    assert isinstance(error, OcelotError)
    return error


def test_every_error_has_its_status() -> None:
    assert set(STATUS) == set(errors.__all__)
    assert {name: problem_of(made(name)).status for name in STATUS} == STATUS


@pytest.mark.parametrize("name", sorted(STATUS))
def test_what_fails_on_the_servers_side_is_logged_and_not_told(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    error = made(name)
    problem = problem_of(error)
    told = SECRET in problem.detail
    ours = not isinstance(error, (errors.InputError, errors.Overloaded, errors.RequestTimeout))
    assert told is not ours
    assert (SECRET in caplog.text) is ours
    assert problem.detail and problem.title and problem.type.startswith("urn:ocelot:problem:")


def test_busy_and_late_answers_say_when_to_try_again() -> None:
    assert problem_of(errors.Overloaded("Busy.", 7)).headers == {"Retry-After": "7"}
    assert int(problem_of(errors.RequestTimeout("Late.")).headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/v1", 404, None),
        ("GET", "/v1/", 404, None),
        ("GET", "/v1/nothing", 404, None),
        ("POST", "/v1/search/", 404, None),
        ("GET", "/v1/search", 405, {"POST"}),
        ("OPTIONS", "/v1/search", 405, {"POST"}),
        ("BREW", "/v1/search", 405, {"POST"}),
        ("POST", "/v1/collection", 405, {"GET", "HEAD"}),
        ("PUT", "/v1/items/" + "0" * 64, 405, {"DELETE", "GET", "HEAD", "PATCH"}),
        ("POST", "/healthz", 405, {"GET", "HEAD"}),
        ("DELETE", "/metrics", 405, {"GET", "HEAD"}),
        ("POST", "/openapi.json", 405, {"GET", "HEAD"}),
        ("GET", "/login", 404, None),
        ("GET", "/redoc", 404, None),
        ("GET", "/redoc", 404, None),
    ],
)
def test_unknown_paths_and_wrong_methods_are_problems(
    client: TestClient, method: str, path: str, status: int, allow: set[str] | None
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail"}
    assert problem["status"] == status and problem["type"] == "about:blank"
    given = response.headers.get("allow")
    assert (given and set(given.split(", "))) == allow


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v1/collection"])
def test_head_is_get_without_the_body(client: TestClient, path: str) -> None:
    head, get = client.head(path), client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
    assert client.head("/v1/items/" + "0" * 64).status_code == 404
    assert client.head("/v1/search").status_code == 405


def test_a_mistake_of_the_server_is_logged_and_says_nothing(
    warm: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr(warm._engine, "count", broken)
    with caplog.at_level(logging.ERROR, "ocelot.web"):
        response = client_of(app_of(warm)).get("/readyz")
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert SECRET not in response.text and "ZeroDivision" not in response.text
    assert SECRET in caplog.text and "Traceback" in caplog.text


def test_all_fields_that_do_not_fit_are_listed(client: TestClient) -> None:
    body = {"text": "a", "limit": 0, "keep_reference": "perhaps", "rerank": []}
    problem = client.post("/v1/search", json=body).json()
    assert [one["field"] for one in problem["errors"]] == ["limit", "rerank", "keep_reference"]
    assert problem["field"] == "limit" and problem["errors"][0]["message"] in problem["detail"]
