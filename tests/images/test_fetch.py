"""Images from a real HTTP server on loopback."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from PIL import Image

from ocelot.errors import ImageError, ImageTooLarge
from ocelot.images.fetch import fetch, public_name
from ocelot.images.file import ImageFile
from ocelot.types import Query
from tests.http_server import serving

_buffer = io.BytesIO()
Image.new("RGB", (8, 6), "red").save(_buffer, "PNG")
PNG = _buffer.getvalue()
SECRET = "s3cret"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/moved.png":
            return self._send(302, b"", Location="/a.png")
        if path == "/loop":
            return self._send(302, b"", Location="/loop")
        if path == "/cut.png":
            self.send_response(200)
            self.send_header("Content-Length", str(len(PNG)))
            self.end_headers()
            self.wfile.write(PNG[:20])
            return None
        bodies = {"/a.png": PNG, "/empty": b"", "/page": b"<html>", "/large": bytes(5000)}
        if path in bodies:
            return self._send(200, bodies[path])
        return self._send(int(path[1:]) if path[1:].isdigit() else 404, b"no")

    def _send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving(Handler) as address:
        yield address


@pytest.fixture(autouse=True)
def secret_is_never_shown(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    with caplog.at_level(logging.DEBUG):
        yield
    assert SECRET not in caplog.text


def test_content_that_comes_too_slowly(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocelot.images.fetch._DEADLINE", -1.0)
    with pytest.raises(ImageError, match="did not arrive"):
        ImageFile.of(url + "/a.png")


@pytest.mark.parametrize("path", ["/a.png", "/moved.png", f"/a.png?token={SECRET}"])
def test_the_content_of_a_url(url: str, path: str) -> None:
    image = ImageFile.of(url + path)
    assert image.data == PNG
    assert image.name == url + path.partition("?")[0]


def test_a_query_takes_urls(url: str) -> None:
    assert Query(f"{url}/a.png", "in blue").images[0].rgb().size == (8, 6)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/none.png", "answered 404"),
        ("/403", "answered 403"),
        ("/500", "answered 500"),
        ("/loop", "TooManyRedirects"),
        ("/empty", "empty"),
        ("/cut.png", "cannot be fetched"),
    ],
)
def test_errors_name_the_url_without_secrets(url: str, path: str, reason: str) -> None:
    address = url.replace("//", f"//user:{SECRET}@")
    with pytest.raises(ImageError, match=reason) as caught:
        fetch(f"{address}{path}?token={SECRET}")
    assert caught.value.name == url + path
    assert SECRET not in repr(caught.value) and caught.value.__cause__ is None


def test_content_that_is_no_image_is_named(url: str) -> None:
    with pytest.raises(ImageError, match=r"/page: it is not an image"):
        ImageFile.of(f"{url}/page").rgb()


def test_content_over_the_limit_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocelot.images.fetch.MAX_BYTES", 5000)
    assert len(fetch(f"{url}/large")) == 5000
    monkeypatch.setattr("ocelot.images.fetch.MAX_BYTES", 4999)
    with pytest.raises(ImageTooLarge, match="larger than"):
        fetch(f"{url}/large")


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as taken:  # bound but not listening
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(ImageError, match="ConnectError"):
            fetch(f"http://127.0.0.1:{taken.getsockname()[1]}/a.png")


@pytest.mark.parametrize("url", ["http://[::1", "http://", "http://host:99999999/", "http:///a"])
def test_a_url_that_makes_no_sense_is_an_image_error(url: str) -> None:
    with pytest.raises(ImageError):
        ImageFile.of(url)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"https://user:{SECRET}@shop.example:8443/a/b.jpg", "https://shop.example:8443/a/b.jpg"),
        (f"https://{SECRET}@shop.example/a.jpg#{SECRET}", "https://shop.example/a.jpg"),
        (f"https://shop.example/a.jpg?X-Amz-Signature={SECRET}", "https://shop.example/a.jpg"),
    ],
)
def test_names_hold_no_secrets(url: str, name: str) -> None:
    assert public_name(url) == name


def test_other_threads_may_log_their_requests(url: str, caplog: pytest.LogCaptureFixture) -> None:
    import httpx

    fetch(f"{url}/a.png")
    assert "/a.png" not in caplog.text
    httpx.get(f"{url}/page")
    assert "/page" in caplog.text
