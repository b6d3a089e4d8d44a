"""The reference at /docs: everything is in it, it loads nothing from elsewhere, and it sends."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from ocelot.service import Service
from tests.chromium import chromium
from tests.uvicorn_server import serve
from tests.web.conftest import MakeClient, app_of


def test_every_operation_and_value_is_in_it(client: TestClient) -> None:
    page, described = client.get("/docs").text, client.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert f'id="{operation["operationId"]}"' in page
            assert f'data-method="{method.upper()}" data-path="{path}"' in page
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert {name.lower() for name in described["components"]["schemas"]} <= ids
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids


def test_it_is_small_and_runs_nothing_inline(client: TestClient) -> None:
    parts = [client.get(path) for path in ("/docs", "/docs/reference.css", "/docs/reference.js")]
    assert sum(len(part.content) for part in parts) < 100_000
    for part in parts:
        assert part.status_code == 200
        assert "unsafe" not in part.headers["content-security-policy"]
    assert not re.findall(r"<script(?! src)|<[^>]+\son\w+=|<style|<[^>]+\sstyle=", parts[0].text)


def test_it_asks_for_the_key_of_a_browser(make_client: MakeClient) -> None:
    locked = make_client(api_keys=SecretStr("k"))
    assert locked.get("/docs").status_code == 401
    asked = locked.get("/docs", headers={"Accept": "text/html"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/docs")
    assert locked.get("/docs", headers={"X-API-Key": "k"}).status_code == 200


def test_a_browser_tries_a_search_and_a_picture(warm: Service) -> None:
    complaints: list[str] = []
    hosts: set[str] = set()
    with serve(app_of(warm)) as url, chromium() as browser:
        page = browser.new_page()
        page.on(
            "console",
            lambda one: complaints.append(one.text) if one.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto(f"{url}/docs")
        search = page.locator("#search")
        search.locator("textarea").fill('{"text": "red kettle", "limit": 2}')
        search.get_by_role("button", name="Send").click()
        search.locator("output pre").wait_for()
        shown = search.locator("output").inner_text()
        assert shown.startswith("200") and '"retrieval_rank": 1' in shown
        found = re.search(r'"id": "([0-9a-f]{64})"', shown)
        assert found is not None
        picture = page.locator("#itemImage")
        picture.locator("input[name=id]").fill(found[1])
        picture.locator("input[name=size]").fill("64")
        picture.get_by_role("button", name="Send").click()
        picture.locator("output img").wait_for()
        loaded: Any = "image => image.decode().then(() => image.naturalWidth)"
        assert picture.locator("output img").evaluate(loaded) == 64
    assert not complaints and hosts - {""} == {urlsplit(url).netloc}


@pytest.mark.parametrize("given", ["my-id.1", None, "with space", "x" * 129])
def test_every_answer_has_the_id_of_its_request(client: TestClient, given: str | None) -> None:
    headers = {} if given is None else {"X-Request-Id": given}
    answers = [client.get(path, headers=headers) for path in ("/healthz", "/v1/nothing")]
    ids = [answer.headers["x-request-id"] for answer in answers]
    if given == "my-id.1":
        assert ids == [given, given]
    else:
        assert all(re.fullmatch("[0-9a-f]{16}", id) for id in ids) and ids[0] != ids[1]
