"""The API beside a Gradio page."""

from __future__ import annotations

import threading
from pathlib import Path

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.testclient import TestClient

from ocelot.service import Limits, Service
from ocelot.settings import Settings
from ocelot.web import add_page, create_app, stop_streams
from ocelot.web.page.middleware import PagePolicy, StoppableStreams
from tests.uvicorn_server import WebServer, serve
from tests.web.conftest import MakeService, app_of, client_of
from tests.web.held import SECONDS

FOREIGN = {"Origin": "https://evil.example", "Host": "10.0.0.7:8000"}


def with_page(app: FastAPI) -> FastAPI:
    with gr.Blocks() as page:
        text = gr.Textbox()
        gr.Button("Shout").click(lambda words: words.upper(), text, text, api_name="shout")
    middleware = [
        Middleware(PagePolicy),
        Middleware(StoppableStreams, shutdown=app.state.shutdown),
        Middleware(CORSMiddleware),
    ]
    shell = FastAPI(openapi_url=None, middleware=middleware)
    add_page(app, gr.mount_gradio_app(shell, page, path="/", run_history=False))
    return app


@pytest.fixture(scope="module")
def paged(warm: Service) -> TestClient:
    return client_of(with_page(app_of(warm)))


def test_the_application_brings_its_own_page(warm: Service) -> None:
    client = client_of(create_app(warm, Settings.model_construct()))
    response = client.get("/", headers={"Accept": "text/html"})
    assert response.status_code == 200 and "Ocelot" in response.text
    assert client.get("/v1/nothing").headers["content-type"] == "application/problem+json"


def test_the_page_is_there(paged: TestClient) -> None:
    response = paged.get("/", headers={"Accept": "text/html"})
    assert response.status_code == 200 and "gradio" in response.text
    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert paged.get("/config").json()["components"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/search", 405),
        ("PUT", "/v1/items/" + "0" * 64, 405),
        ("POST", "/healthz", 405),
        ("POST", "/openapi.json", 405),
        ("GET", "/login", 404),
    ],
)
def test_the_apis_paths_stay_the_apis(
    paged: TestClient, method: str, path: str, status: int
) -> None:
    response = paged.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert paged.get("/v1/collection").json()["count"] == 60
    assert paged.head("/v1/collection").status_code == 200


def test_the_description_is_of_the_api_alone(paged: TestClient) -> None:
    paths = paged.get("/openapi.json").json()["paths"]
    assert {"/v1/search", "/healthz"} <= set(paths)
    assert not [path for path in paths if "gradio" in path]


def test_what_the_page_is_asked_is_counted_as_one_route(paged: TestClient) -> None:
    for path in ("/config", "/assets/none.js", "/gradio_api/info", "/a/b/c"):
        paged.get(path)
    text = paged.get("/metrics").text
    assert 'route="page"' in text
    assert "/config" not in text and "/a/b/c" not in text and "gradio" not in text


def test_no_foreign_page_reads_what_the_page_is_sent(paged: TestClient) -> None:
    for path in ("/config", "/gradio_api/info"):
        response = paged.get(path, headers=FOREIGN)
        assert response.status_code == 200
        assert "access-control-allow-origin" not in response.headers
    asked = {"Access-Control-Request-Method": "POST"}
    response = paged.options("/gradio_api/queue/join", headers=FOREIGN | asked)
    assert response.status_code == 400
    assert paged.post("/gradio_api/queue/join", json={}, headers=FOREIGN).status_code == 403


def test_the_page_needs_a_key_as_well(warm: Service) -> None:
    client = client_of(with_page(app_of(warm, api_keys=SecretStr("k"))))
    for path in ("/config", "/gradio_api/info", "/theme.css", "/assets/none.js", "/monitoring"):
        assert client.get(path).status_code == 401
    assert client.get("/", headers={"Accept": "text/html"}).headers["location"] == "/login?next=/"
    client.post("/login", data={"key": "k"})
    assert client.get("/config").status_code == 200
    assert client.get("/", headers={"Accept": "text/html"}).status_code == 200


def test_uploads_of_the_page_are_limited(beside: MakeService) -> None:
    app = with_page(app_of(beside(limits=Limits(upload_bytes=50_000))))
    with serve(app) as url:
        where = f"{url}/gradio_api/upload"
        assert httpx.post(where, files={"files": b"x" * 40_000}).status_code == 200
        assert httpx.post(where, files={"files": b"x" * 50_000}).status_code == 413

        def pieces() -> object:
            yield b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
            for _ in range(60):
                yield b"x" * 1000
            yield b"\r\n--b--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        response = httpx.post(where, content=pieces(), headers=headers)  # of no said length
        assert response.status_code == 413
        assert response.headers["content-type"] == "application/problem+json"


def test_the_pages_endless_streams_end_when_the_server_is_to_stop(warm: Service) -> None:
    app = with_page(app_of(warm))
    server = WebServer(app, timeout_graceful_shutdown=None)
    server.start()
    where = f"{server.url}/gradio_api/heartbeat/abc"
    with httpx.stream("GET", where, timeout=SECONDS) as response:
        coming = response.iter_bytes()
        assert b"ALIVE" in next(coming)
        server.call(lambda: stop_streams(app))
        ended = threading.Thread(target=lambda: [list(coming)])
        ended.start()
        ended.join(SECONDS)
        assert not ended.is_alive(), "the stream goes on"
    with httpx.stream("GET", where, timeout=SECONDS) as response:
        assert b"".join(response.iter_bytes()) in (b"", b"data: ALIVE\n\n")
    assert server.stop()


def test_the_page_gives_no_file_of_the_machine(paged: TestClient, shop: Path) -> None:
    for path in (shop / "metadata.csv", Path(__file__), Path("/etc/hostname")):
        assert paged.get(f"/gradio_api/file={path}").status_code in (403, 404)
    assert paged.get("/gradio_api/proxy=http://127.0.0.1:1/").status_code in (400, 403, 404)


def test_what_fails_within_an_answer_is_one_line(
    warm: Service, caplog: pytest.LogCaptureFixture
) -> None:
    with serve(with_page(app_of(warm))) as url, pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/gradio_api/queue/data?session_hash=abc", timeout=SECONDS)
    ours = [one for one in caplog.records if one.name == "ocelot.web"]
    assert [one.getMessage() for one in ours] == ["page broke off: HTTPException"]
    assert not [one for one in caplog.records if one.exc_info]
