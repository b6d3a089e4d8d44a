"""Many items in one request: a line in, a line out, and nothing that stops the others."""

from __future__ import annotations

import base64
import io
import json
import socket
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from ocelot.service import Limits, Service
from tests.uvicorn_server import serve
from tests.web.conftest import MakeService, app_of, client_of
from tests.web.held import SECONDS, connect

NDJSON = {"Content-Type": "application/x-ndjson"}


def picture(seed: int) -> str:
    grid = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grid).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def line(seed: int, **more: Any) -> bytes:
    return json.dumps({"image": {"base64": picture(seed)}, **more}).encode() + b"\n"


def answers(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/x-ndjson")
    return [json.loads(one) for one in response.text.splitlines()]


def test_each_line_is_answered_in_order(own: TestClient, service: Service) -> None:
    lines = [
        line(1, metadata={"title": "one"}),
        b"\n",
        line(2, id="SKU-2"),
        b"{not json\n",
        b'{"image": {"base64": "AAAA"}}\n',
        json.dumps({"image": {"base64": picture(3)}, "prize": 1}).encode() + b"\r\n",
        line(1, metadata={"title": "again"}),
        line(4)[:-1],  # no line break at the end
    ]
    found = answers(own.post("/v1/bulk", content=b"".join(lines), headers=NDJSON))
    assert [(one["line"], one["status"]) for one in found] == [
        (1, 201), (3, 201), (4, 400), (5, 415), (6, 422), (7, 200), (8, 201),
    ]  # fmt: skip
    assert found[1]["id"] == "SKU-2" and found[0]["id"] == found[5]["id"]
    assert "not valid JSON" in found[2]["problem"]["detail"]
    assert found[4]["problem"]["field"] == "prize"
    assert service._engine.count() == 3
    assert service._engine.get(found[0]["id"]).title == "again"


def test_a_line_that_is_too_long_is_skipped(make_service: MakeService) -> None:
    client = client_of(app_of(make_service(limits=Limits(upload_bytes=2000))))
    long = json.dumps({"image": {"base64": "A" * 4000}}).encode() + b"\n"
    body = line(1) + long + line(2)
    for chunk in (len(body), 100):
        parts = iter([body[start : start + chunk] for start in range(0, len(body), chunk)])
        found = answers(client.post("/v1/bulk", content=parts, headers=NDJSON))
        assert [one["line"] for one in found] == [1, 2, 3]
        assert found[1]["status"] == 413 and "0.00190735 MiB" in found[1]["problem"]["detail"]
        assert found[0]["status"] in (200, 201) and found[2]["status"] in (200, 201)


def test_a_line_is_answered_before_the_next_is_sent(service: Service) -> None:
    with serve(app_of(service)) as url:
        connection = connect(url)
        connection.sendall(
            b"POST /v1/bulk HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        seen = b""
        for seed in (1, 2):
            sent = line(seed)
            connection.sendall(f"{len(sent):x}\r\n".encode() + sent + b"\r\n")
            while f'"line":{seed}'.encode() not in seen:
                seen += connection.recv(65536)
        connection.sendall(b"0\r\n\r\n")
        while b"\r\n0\r\n\r\n" not in seen:
            seen += connection.recv(65536)
        connection.close()
    assert seen.count(b'"status":201') == 2


def test_a_body_that_stops_coming_is_given_up(make_service: MakeService) -> None:
    service = make_service(limits=Limits(seconds=0.5))
    with serve(app_of(service)) as url:
        connection: socket.socket = connect(url)
        connection.sendall(
            b"POST /v1/bulk HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n" + line(1)
        )
        seen = b""
        while b"\r\n0\r\n\r\n" not in seen and (part := connection.recv(65536)):
            seen += part
        connection.close()
        assert b'"line":1,"status":201' in seen and b'"status":408' in seen
        assert httpx.get(f"{url}/healthz", timeout=SECONDS).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [{"Content-Type": "application/json"}, {}, {**NDJSON, "Content-Encoding": "gzip"}],
)
def test_other_types_are_refused(own: TestClient, headers: dict[str, str]) -> None:
    assert own.post("/v1/bulk", content=b"{}", headers=headers).status_code == 415
