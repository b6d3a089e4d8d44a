"""The page's paths, over real Milvus Lite and without a browser."""

from __future__ import annotations

import io
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr
from pymilvus import MilvusException
from starlette.testclient import TestClient

from ocelot.images.decode import hash_bytes
from ocelot.rerankers.llm.limits import Budget
from ocelot.rerankers.llm.reranker import LLMReranker
from ocelot.service import Limits, Service
from tests.web.conftest import MakeService, app_of, client_of

HTML = {"Accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def page(beside: MakeService) -> TestClient:
    """Speaks to the indexed shop's page; uploads go to a folder of the test."""
    return client_of(app_of(beside(), page=True))


def picture(colour: tuple[int, int, int] = (1, 2, 3), size: tuple[int, int] = (40, 30)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def alert(html: str) -> str:
    found = re.search(r'role="alert"[^>]*>([^<]*)<', html)
    assert found, html
    return found[1]


def ids(html: str) -> list[str]:
    return re.findall(r'data-id="([^"]*)"', html)


class Reader(HTMLParser):
    """Tags in order, and whether they are closed as they were opened."""

    VOID = frozenset({"meta", "link", "img", "input", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("path", ["/", "/?text=a+blue+kettle", "/?where.colour=red", "/nowhere"])
def test_pages_are_well_formed_and_hold_no_code(page: TestClient, path: str) -> None:
    response = page.get(path, headers=HTML)
    read = Reader(response.text)
    assert not [a for _, attributes in read.tags for a in attributes if a.startswith("on")]
    assert not [one for one in read.tags if "style" in one[1] or one[0] == "style"]
    scripts = [attributes["src"] for tag, attributes in read.tags if tag == "script"]
    assert len(scripts) == 1 and str(scripts[0]).startswith("./static/page.js?")
    assert "content-length" in response.headers and response.headers["x-request-id"]
    assert "secret" not in response.text and "/images/" not in response.text


def test_scripts_and_styles_are_kept_by_browsers(page: TestClient) -> None:
    html = page.get("/").text
    for name in re.findall(r"static/page\.\w+\?v=\w+", html):
        response = page.get(f"/{name}")
        assert response.status_code == 200 and "immutable" in response.headers["cache-control"]
    assert page.get("/static/texts.py").status_code == 404
    assert page.get("/static/../routes.py").status_code == 404


def test_a_form_leads_to_the_question_s_link(page: TestClient, leopard: bytes) -> None:
    files = {"picture": ("leopard.jpg", leopard, "image/jpeg")}
    data = {"text": "phone case", "where.colour": "tan", "weight": "50", "without": ""}
    sent = page.post("/", data=data, files=files, headers=HTML)
    assert sent.status_code == 303
    name = hash_bytes(leopard)
    assert sent.headers["location"] == f"./?text=phone+case&image={name}&where.colour=tan"
    answer = page.get(sent.headers["location"])
    assert answer.status_code == 200 and len(ids(answer.text)) >= 1
    shown = page.get(f"/pictures/{name}")
    assert shown.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(shown.content)) as image:
        assert max(image.size) <= 720
    assert page.get("/v1/collection").json()["count"] == 60  # it is no item


def test_a_picture_that_is_gone_is_told(page: TestClient) -> None:
    response = page.get(f"/?image={'0' * 64}", headers=HTML)
    assert response.status_code == 404
    assert alert(response.text) == "The picture of this link is not kept any more; give it again."
    assert page.get(f"/pictures/{'0' * 64}").status_code == 404
    assert page.get("/pictures/..%2Fshop.db").status_code == 404


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("like=nobody", 404, "nobody"),
        ("text=a&filter=price+%3C", 400, "price &lt;"),
        ("text=a&filter=paths+%3D%3D+1", 400, "not the paths"),
        ("text=a&rank=wizard", 422, "wizard"),
        ("text=a&limit=9999", 422, "from 1 to 500"),
    ],
)
def test_a_link_that_cannot_be_answered_says_why(
    page: TestClient, query: str, status: int, said: str
) -> None:
    response = page.get(f"/?{query}", headers=HTML)
    assert response.status_code == status and said in alert(response.text)
    assert Reader(response.text).tags


@pytest.fixture
def broken(beside: MakeService, monkeypatch: pytest.MonkeyPatch) -> TestClient:
    """Speaks to the page of a collection whose database fails in every call."""
    service = beside()

    class Gone:
        def __getattr__(self, name: str) -> Any:
            raise MilvusException(1, "connection refused at /srv/secret/shop.db")

    monkeypatch.setattr(service._engine.collection, "_client", Gone())
    return client_of(app_of(service, page=True))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "The database failed; the server&#39;s log says why."),
        ("it", "Il database non risponde; il registro del server dice perché."),
    ],
)
@pytest.mark.parametrize("path", ["/", "/?text=a+red+mug", "/?where.colour=red", "/items/x?text=a"])
def test_a_database_that_fails_is_told_on_a_page(
    broken: TestClient, path: str, language: str, said: str
) -> None:
    response = broken.get(path, headers=HTML | {"Accept-Language": language})
    assert response.status_code == 503 and alert(response.text) == said
    assert "secret" not in response.text and Reader(response.text).tags
    assert 'class="button primary" href=""' in response.text  # the same address, again
    assert broken.get(path).headers["content-type"] == "application/problem+json"
    told = broken.get("/v1/collection", headers=HTML)
    assert told.status_code == 503 and told.json()["type"] == "urn:ocelot:problem:database"


def test_a_form_that_fails_leads_back_to_its_question(broken: TestClient) -> None:
    response = broken.post("/items/x/delete?text=a+red+mug", headers=HTML)
    assert response.status_code == 503
    assert 'class="button primary" href="../../?text=a+red+mug"' in response.text


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/nowhere/at/all", 404, "There is nothing at this path."),
        ("GET", "/items/x/delete", 405, "This path does not support this method."),
        ("POST", "/verdict", 405, "This path does not support this method."),
        ("GET", "/v1/nowhere", 404, ""),
        ("GET", "/healthz/x", 404, "There is nothing at this path."),
    ],
)
def test_errors_are_pages_for_browsers_and_problems_for_programs(
    page: TestClient, method: str, path: str, status: int, said: str
) -> None:
    told = page.request(method, path)
    shown = page.request(method, path, headers=HTML)
    assert told.status_code == shown.status_code == status
    assert told.headers["content-type"] == "application/problem+json"
    assert told.headers.get("allow") == shown.headers.get("allow")
    if not said:  # of the API
        assert shown.headers["content-type"] == "application/problem+json"
        return
    assert told.json()["detail"] == said == alert(shown.text)
    root = re.findall(r'class="button primary" href="([^"]*)"', shown.text)
    assert root == ["../" * (path.count("/") - 1) or "./"]


def test_a_refused_picture_stops_the_search(page: TestClient) -> None:
    files = {"picture": ("a.jpg", b"no picture", "image/jpeg")}
    response = page.post("/", data={"text": "a kettle"}, files=files, headers=HTML)
    assert response.status_code == 415 and "this picture" in alert(response.text)
    assert ids(response.text) == [] and "a kettle</textarea>" in response.text


def test_italians_are_told_why_in_italian(page: TestClient, leopard: bytes) -> None:
    files = {"picture": ("leopard.jpg", leopard, "image/jpeg")}
    link = page.post("/", data={"text": "a red mug"}, files=files).headers["location"]
    for question, ours in (
        ("/?text=a+red+mug", r"Più vicina a «a red mug» \(punteggio 0,\d\d\)[^<]*\."),
        (
            link,
            r"[^<]* «a red mug»[^<]* \(punteggio 0,\d\d; su 9, \dº per l&#39;esempio e \dº[^<]*\.",
        ),
    ):
        html = page.get(question, headers=HTML | {"Accept-Language": "it"}).text
        assert re.search(
            rf'<div class="why" dir="auto">(<strong>[^<]*</strong>)?{ours}</div>', html
        )
    unknown = page.get("/?text=blorf", headers=HTML | {"Accept-Language": "it"})
    assert unknown.status_code == 422 and "non conosce nessuna" in alert(unknown.text)
    refused = page.post("/", headers=HTML | {"Accept-Language": "it"})
    assert alert(refused.text) == "Dai un&#39;immagine, un testo, o entrambi; poi cerca."


def test_more_results_are_numbered_on(page: TestClient) -> None:
    whole = ids(page.get("/?text=a+kettle&rank=off&limit=33").text)
    assert len(whole) == 33
    first, more = (
        page.get("/?text=a+kettle&rank=off").text,
        page.get("/more?text=a+kettle&rank=off&limit=33"),
    )
    assert ids(first) + ids(more.text) == whole
    assert 'id="r10"' in more.text and "limit=57#r34" in more.text
    last = page.get("/more?text=a+kettle&rank=off&limit=81").text
    assert len(ids(last)) == 3 and "<a href" not in last.rpartition("</ol>")[2]


def test_filters_select_from_the_collection(page: TestClient) -> None:
    found = page.get("/?where.colour=red&to.price=100").text
    assert len(ids(found)) >= 1
    for id in ids(found):
        fields = page.get(f"/v1/items/{id}").json()["metadata"]
        assert fields["colour"] == "red" and fields["price"] <= 100
    assert "No picture in the collection passes" in page.get("/?where.colour=none").text


@pytest.fixture
def service(make_service: MakeService) -> Service:
    """An empty one of one's own."""
    return make_service()


@pytest.fixture
def own_page(service: Service) -> TestClient:
    """Speaks to the page of the empty collection."""
    return client_of(app_of(service, page=True))


def add(client: TestClient, data: bytes, name: str, **headers: str) -> Any:
    files = [("picture", (name, data, "image/png"))]
    return client.post("/items", files=files, headers=headers)


def test_uploads_keep_their_names_and_stored_ones_their_metadata(own_page: TestClient) -> None:
    data = picture()
    told = add(own_page, data, "red_kettle.png", Accept="application/json").json()
    assert told == {"added": 1, "known": 0, "failures": []}
    item = own_page.get(f"/v1/items/{hash_bytes(data)}").json()
    assert item["metadata"] == {"title": "red kettle"}
    told = add(own_page, data, "other.png", Accept="application/json").json()
    assert told == {"added": 0, "known": 1, "failures": []}
    assert own_page.get(f"/v1/items/{hash_bytes(data)}").json()["metadata"] == item["metadata"]
    told = add(own_page, b"x", "<b>.png", Accept="application/json").json()
    assert told["failures"] == [["<b>.png", "it is not an image in a format that can be read."]]
    page = add(own_page, b"x", "<b>.png", **HTML)
    assert "0 of 1 added, 1 could not be used." in page.text and "&lt;b&gt;.png" in page.text


def test_an_item_is_removed_and_comes_back(own_page: TestClient, service: Service) -> None:
    data = picture((9, 9, 9))
    add(own_page, data, "grey.png")
    id = hash_bytes(data)
    before = own_page.get(f"/v1/items/{id}").json()
    gone = own_page.post(f"/items/{id}/delete?text=grey", headers=HTML)
    assert gone.headers["location"] == f"../../?text=grey&undo={id}"
    assert own_page.get(f"/v1/items/{id}").status_code == 404
    assert not list(service.uploads.rglob("*.png"))
    page = own_page.get(f"/?undo={id}", headers=HTML).text
    assert f'action="./items/{id}/restore"' in page
    back = own_page.post(f"/items/{id}/restore", data={"back": "?text=grey"}, headers=HTML)
    assert back.headers["location"] == "../../?text=grey"
    assert own_page.get(f"/v1/items/{id}").json() == before
    assert own_page.get(f"/v1/items/{id}/image").content == data
    again = own_page.post(f"/items/{id}/restore", headers=HTML)
    assert again.status_code == 404 and "too long ago" in alert(again.text)


def test_undo_leaves_what_another_process_has_stored(
    own_page: TestClient, service: Service
) -> None:
    data = picture((9, 9, 8))
    add(own_page, data, "grey.png")
    id = hash_bytes(data)
    assert own_page.post(f"/items/{id}/delete").status_code == 303
    service._engine.add(data, metadata={"title": "newer"})  # past the service
    refused = own_page.post(f"/items/{id}/restore", data={"back": "?text=grey"}, headers=HTML)
    assert refused.status_code == 422 and "in the meantime" in alert(refused.text)
    assert service._engine.get(id).metadata == {"title": "newer"}
    assert not service.restorable(id)  # it is not offered again


def test_a_file_of_the_user_is_not_touched_by_delete_and_undo(
    own_page: TestClient, service: Service, tmp_path: Path
) -> None:
    file = tmp_path / "mine.png"
    file.write_bytes(picture((7, 7, 0)))
    service._engine.add(file, metadata={"price": 3}, id="SKU-1")
    assert own_page.post("/items/SKU-1/delete").status_code == 303
    assert file.exists()
    assert own_page.post("/items/SKU-1/restore").status_code == 303
    item = service._engine.get("SKU-1")
    assert item.paths == (str(file),) and item.metadata == {"price": 3}
    assert not list(service.uploads.rglob("*.png"))


def test_fields_are_edited_as_what_they_were(own_page: TestClient, service: Service) -> None:
    data = picture((0, 9, 0))
    fields = {"price": 3.5, "stock": 2, "new": True, "tags": ["a"], "note": "x"}
    item = service._engine.add(data, metadata=fields)
    form = {"field.title": "T", "field.price": "4,25", "field.stock": "3", "field.new": "false",
            "field.note": "", "name": "size", "value": "XL"}  # fmt: skip
    assert own_page.post(f"/items/{item.id}/edit", data=form).status_code == 303
    assert service._engine.get(item.id).metadata == {
        "title": "T", "price": 4.25, "stock": 3, "new": False, "tags": ["a"], "size_": "XL",
    }  # fmt: skip
    bad = own_page.post(f"/items/{item.id}/edit", data={"field.price": "cheap"}, headers=HTML)
    assert bad.status_code == 422 and "price must be a number" in alert(bad.text)
    assert own_page.get("/items/nobody", headers=HTML).status_code == 404


def test_a_form_as_it_is_shown_changes_nothing(own_page: TestClient, service: Service) -> None:
    fields: dict[str, Any] = {f"f{number}": number for number in range(300)}
    fields |= {"big": 9007199254740993, "note": '\n"a"\r\n<b>\n', "price": 9.5}
    item = service._engine.add(picture((0, 9, 9)), metadata=fields)
    html = own_page.get(f"/items/{item.id}", headers=HTML).text
    inputs = [dict(one) for tag, one in Reader(html).tags if tag == "input"]
    form = {str(one["name"]): one.get("value") or "" for one in inputs if one.get("name")}
    assert form["field.f299"] == "299" and "field.note" not in form
    (text,) = re.findall(r'<textarea name="field.note"[^>]*>\n([^<]*)</textarea>', html)
    form["field.note"] = unescape(text).replace("\n", "\r\n")
    assert own_page.post(f"/items/{item.id}/edit", data=form).status_code == 303
    assert service._engine.get(item.id).metadata == item.metadata


def test_undo_is_offered_only_while_it_is_possible(own_page: TestClient) -> None:
    data = picture((9, 0, 9))
    id = hash_bytes(data)

    def offered() -> bool:
        return "The picture was deleted." in own_page.get(f"/?undo={id}", headers=HTML).text

    add(own_page, data, "pink.png")
    assert not offered()
    assert own_page.post(f"/items/{id}/delete").status_code == 303
    assert offered()
    add(own_page, data, "anew.png")
    assert not offered() and own_page.post(f"/items/{id}/restore").status_code == 404
    assert own_page.get(f"/v1/items/{id}").json()["metadata"] == {"title": "anew"}


def test_a_part_that_cannot_be_cropped_is_told(page: TestClient) -> None:
    for of, form, status in (
        ("image:" + "0" * 64, {"left": "0", "top": "0", "width": "50", "height": "50"}, 404),
        ("image:../../x", {}, 422),
        ("", {}, 422),
        ("like:nobody", {"left": "0", "top": "0", "width": "x", "height": "50"}, 422),
    ):
        response = page.post("/crop", params={"of": of}, data=form, headers=HTML)
        assert response.status_code == status and alert(response.text)


def test_the_page_says_why_fusion_ranks_instead_of_the_model(
    beside: MakeService, tmp_path: Path
) -> None:
    fusion = beside()._rerankers["fusion"]
    spent = Budget(tmp_path / "budget.sqlite", tokens=0)
    judge = LLMReranker(api_key="k", limits=[spent], substitute=fusion)
    client = client_of(app_of(beside(rerankers={"llm": judge}, default="llm"), page=True))
    html = unescape(client.get("/?text=a+blue+kettle&wait=1", headers=HTML).text)
    assert (
        "Ranked by fusion: gpt-4o was not asked, as the budget of today is spent (0 of 0 tokens; "
        "the day ends at midnight UTC)." in html
    )


def test_a_session_is_needed_for_the_page(beside: MakeService) -> None:
    client = client_of(app_of(beside(), page=True, api_keys=SecretStr("k")))
    for path in ("/verdict?text=a", "/more?text=a", "/static/page.js", "/items/x"):
        assert client.get(path).status_code == 401
    assert client.get("/?text=a", headers=HTML).headers["location"] == "/login?next=/%3Ftext%3Da"
    client.post("/login", data={"key": "k"})
    page = client.get("/?text=a", headers=HTML)
    assert page.status_code == 200 and 'action="./logout"' in page.text


def test_forms_without_files_are_small(beside: MakeService) -> None:
    client = client_of(app_of(beside(), page=True, api_keys=SecretStr("k")))
    head = {"Content-Type": "application/x-www-form-urlencoded"}
    for path, size in (("/login", 2**16), ("/", 2**20)):
        head["X-API-Key"] = "k"
        response = client.post(path, content=b"&" * (size + 1), headers=head)
        assert response.status_code == 413 and "larger than" in response.json()["detail"]


def test_a_long_question_is_not_repeated(page: TestClient) -> None:
    files = [("unlike", (None, f"{n}{'é' * 4000}".encode())) for n in range(8)]
    response = page.post("/", files=[*files, ("text", (None, b"red"))], headers=HTML)
    assert alert(response.text) == "The question is too long for a link; shorten it."
    assert len(response.content) < 50_000


def test_a_page_of_another_site_does_not_ask_the_model(page: TestClient) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert page.get("/verdict?text=red", headers=foreign).status_code == 403
    assert page.get("/?text=red&wait=1", headers=foreign | HTML).status_code == 200


def test_uploads_of_the_page_are_limited(beside: MakeService) -> None:
    client = client_of(app_of(beside(limits=Limits(upload_bytes=50_000)), page=True))
    files = {"picture": ("a.png", b"x" * 50_000, "image/png")}
    for path in ("/", "/items"):
        assert client.post(path, files=files).json()["status"] == 413
        shown = client.post(path, files=files, headers=HTML)
        assert shown.status_code == 413 and "larger than the limit" in alert(shown.text)


def test_what_the_page_is_asked_is_counted_as_one_route(page: TestClient) -> None:
    for path in ("/?text=a+secret+wish", "/nowhere/at/all"):
        page.get(path)
    text = page.get("/metrics").text
    assert 'route="page"' in text and "secret" not in text and "nowhere" not in text
