from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ocelot.service import Service
from ocelot.web.page.layout import create_page
from ocelot.web.page.query_images import use_private_folder
from ocelot.web.security.shutdown import Shutdown


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[TestClient]:
    with TestClient(create_page(service, Shutdown())) as made:
        yield made


def test_the_page_is_there(client: TestClient) -> None:
    page = client.get("")
    assert page.status_code == 200 and '"title":"Ocelot"' in page.text
    assert "--paper: #f7f5f1" in client.get("theme.css").text


@pytest.mark.parametrize(
    "path",
    ["gradio_api/info", "gradio_api/file=https://example.org/x", "monitoring", "nowhere",
     "gradio_api/call/v2/search", "gradio_api/process_recording", "svelte/x"],
)  # fmt: skip
def test_the_rest_of_gradio_is_not(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == client.post(path).status_code == 404


def test_no_font_or_script_of_another_host_is_named(client: TestClient) -> None:
    theme = client.get("theme.css").text
    assert "http:" not in theme.replace("http://www.w3.org", "") and "https:" not in theme
    assert "@import" not in theme and "url(//" not in theme


def test_uploads_lie_in_a_folder_of_this_process_alone(client: TestClient) -> None:
    folder = use_private_folder()
    assert folder.stat().st_mode & 0o077 == 0
    sent = client.post("gradio_api/upload", files={"files": ("a.png", b"123", "image/png")})
    assert Path(sent.json()[0]).resolve().is_relative_to(folder.resolve())
