from __future__ import annotations

import hmac
import logging
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from ocelot.errors import ConfigurationError
from ocelot.service import Service
from ocelot.web.security.access import COOKIE, SESSION_SECONDS, Attempts, Keys, Sessions
from tests.web.conftest import MakeClient, app_of, client_of

KEYS = "s3same-öffne, other-key ,"
KEY, OTHER = "s3same-öffne", "other-key"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
GUARDED = [
    ("GET", "/v1/collection"),
    ("POST", "/v1/search"),
    ("POST", "/v1/items"),
    ("GET", "/v1/items/" + "0" * 64),
    ("GET", "/v1/items/" + "0" * 64 + "/image?size=64"),
    ("DELETE", "/v1/items/" + "0" * 64),
    ("GET", "/v1/panoramas/a"),
    ("POST", "/v1/embeddings"),
    ("GET", "/v1/nothing"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/"),
    ("POST", "/"),
    ("GET", "/verdict"),
    ("GET", "/static/page.js"),
    ("GET", "/pictures/" + "0" * 64),
    ("GET", "/items/" + "0" * 64),
    ("POST", "/items"),
    ("POST", "/items/" + "0" * 64 + "/delete"),
    ("GET", "/healthz/../v1/collection"),
    ("GET", "/healthz/"),
    ("GET", "//healthz"),
]


@pytest.fixture
def locked(make_client: MakeClient) -> TestClient:
    return make_client(api_keys=SecretStr(KEYS))


def log_in(client: TestClient, key: str = KEY, **fields: str) -> Any:
    return client.post("/login", data={"key": key, **fields})


# Keys


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_nothing_is_given_without_a_key(locked: TestClient, method: str, path: str) -> None:
    for headers in (
        {},
        {"X-API-Key": "wrong"},
        {"X-API-Key": ""},
        {"X-API-Key": f"{KEY},{OTHER}".encode()},
        {"Authorization": f"Bearer {KEY}x".encode()},
        {"Authorization": f"Basic {KEY}".encode()},
        {"Authorization": KEY.encode()},
        {"Cookie": f"{COOKIE}=99999999999.abc"},
        {"Cookie": f"{COOKIE}="},
    ):
        response = locked.request(method, path, headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
        assert response.headers["content-type"] == "application/problem+json"
        assert KEY not in response.text


@pytest.mark.parametrize("key", [KEY, OTHER])
def test_each_key_opens_in_either_header(locked: TestClient, key: str) -> None:
    for headers in (
        {"X-API-Key": key.encode()},
        {"Authorization": f"Bearer {key}".encode()},
        {"Authorization": f"bearer  {key} ".encode()},
    ):
        assert locked.get("/v1/collection", headers=headers).status_code == 200
        assert locked.get("/metrics", headers=headers).status_code == 200


def test_health_asks_for_no_key(locked: TestClient) -> None:
    assert locked.get("/healthz").status_code == locked.get("/readyz").status_code == 200
    assert locked.head("/healthz").status_code == 200


def test_a_body_is_not_read_before_the_key_is(locked: TestClient) -> None:
    body = {"images": [{"base64": "A" * 4000}] * 9}
    assert locked.post("/v1/search", json=body).status_code == 401


def test_every_key_is_compared_whichever_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []

    def noted(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", noted)
    keys = Keys(SecretStr("a,b,c"))
    for key, known in ((b"a", True), (b"c", True), (b"d", False)):
        compared.clear()
        assert keys.accept(key) is known
        assert compared == [b"a", b"b", b"c"]


@pytest.mark.parametrize("keys", ["", ",", " , "])
def test_a_setting_without_a_key_does_not_leave_the_door_open(warm: Service, keys: str) -> None:
    with pytest.raises(ConfigurationError, match="api_keys"):
        app_of(warm, api_keys=SecretStr(keys))


def test_without_the_setting_there_is_no_login(client: TestClient) -> None:
    assert client.get("/login").status_code == client.post("/logout").status_code == 404


def test_the_description_says_how_to_send_a_key(locked: TestClient, client: TestClient) -> None:
    described = locked.get("/openapi.json", headers={"X-API-Key": OTHER}).json()
    assert described["security"] == [{"bearer": []}, {"key": []}]
    assert described["paths"]["/healthz"]["get"]["security"] == []
    assert "security" not in client.get("/openapi.json").json()


# Sessions


def test_a_browser_is_sent_to_the_login_and_back(locked: TestClient) -> None:
    sent = locked.get("/shelf?a=1&b=2", headers=HTML)
    assert (sent.status_code, sent.headers["location"]) == (
        303,
        "/login?next=/shelf%3Fa%3D1%26b%3D2",
    )
    form = locked.get(sent.headers["location"])
    assert form.status_code == 200
    wanted = re.search(r'name="next" type="hidden" value="([^"]*)"', form.text)
    assert wanted and wanted[1] == "/shelf?a=1&amp;b=2"
    done = log_in(locked, next="/shelf?a=1&b=2")
    assert (done.status_code, done.headers["location"]) == (303, "/shelf?a=1&b=2")
    assert locked.get("/v1/collection").status_code == 200, "the session opens"
    assert locked.get("/metrics").status_code == 200
    assert locked.get("/shelf", headers=HTML).status_code == 404, "it is let in, to nothing"


def test_only_pages_send_to_the_login(locked: TestClient) -> None:
    for path in ("/v1/collection", "/metrics", "/openapi.json"):
        assert locked.get(path, headers=HTML).status_code == 401
    assert locked.get("/verdict", headers={"Accept": "application/json"}).status_code == 401


def test_a_session_that_has_ended_is_told(locked: TestClient) -> None:
    assert "has ended" not in locked.get("/login").text
    locked.cookies.set(COOKIE, "1.old")
    sent = locked.post("/items", headers=HTML)  # the form is lost, and nobody is left in the dark
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=/")
    assert "Your session has ended" in locked.get(sent.headers["location"]).text


def test_wrong_keys_are_counted_and_soon_refused(locked: TestClient) -> None:
    assert [log_in(locked, "wrong").status_code for _ in range(12)] == [401] * 10 + [429] * 2
    response = log_in(locked)  # the right one has to wait as well
    assert response.status_code == 429 and 0 < int(response.headers["retry-after"]) <= 60
    assert "Too many wrong keys" in response.text and "set-cookie" not in response.headers


def test_attempts_are_counted_for_each_client_and_forgotten() -> None:
    now = [5.0]
    attempts = Attempts(now=lambda: now[0])
    for _ in range(10):
        assert not attempts.blocked("a")
        attempts.failed("a")
    assert attempts.blocked("a") and not attempts.blocked("b")
    now[0] += 59.5
    assert attempts.blocked("a")
    now[0] += 0.5
    assert not attempts.blocked("a")
    attempts.failed("a")
    assert not attempts.blocked("a")


def test_the_cookie_is_closed_to_scripts_and_holds_no_key(locked: TestClient) -> None:
    cookie = log_in(locked).headers["set-cookie"]
    name, _, rest = cookie.partition("=")
    attributes = rest.split("; ")[1:]
    assert name == COOKIE and KEY not in cookie
    assert {one.lower() for one in attributes} == {
        "httponly", "samesite=strict", "path=/", f"max-age={SESSION_SECONDS}",
    }  # fmt: skip
    assert (
        "Secure"
        in TestClient(locked.app, base_url="https://testserver", follow_redirects=False)
        .post("/login", data={"key": KEY})
        .headers["set-cookie"]
    )


def test_a_wrong_key_gives_the_form_again_and_no_session(locked: TestClient) -> None:
    response = log_in(locked, "wr<b>ong", next="/shelf")
    assert response.status_code == 401 and "set-cookie" not in response.headers
    assert "is wrong" in response.text and "wr<b>ong" not in response.text
    assert 'value="/shelf"' in response.text
    assert log_in(locked, "").status_code == 401
    assert locked.post("/login").status_code == 401


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "application/x-www-form-urlencoded"]
)
def test_a_login_that_is_no_form_is_a_problem(locked: TestClient, content_type: str) -> None:
    body = b"&".join(b"a%d=1" % number for number in range(50))
    response = locked.post("/login", content=body, headers={"Content-Type": content_type})
    assert response.status_code == 400


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example",
        "\\\\evil.example", "/a\\b", "javascript:alert(1)", "/a\r\nSet-Cookie: a=b", "", "shelf",
        "/ü", '/"><script>alert(1)</script>\n',
    ],
)  # fmt: skip
def test_the_login_leads_nowhere_else(locked: TestClient, wanted: str) -> None:
    assert log_in(locked, next=wanted).headers["location"] == "/"
    form = locked.get("/login", params={"next": wanted})
    assert 'value="/">' in form.text and "<script" not in form.text


def test_a_local_path_is_escaped_in_the_form(locked: TestClient) -> None:
    form = locked.get("/login", params={"next": '/"><script>'})
    assert "<script>" not in form.text


def test_logging_out_ends_the_session_of_the_browser(locked: TestClient) -> None:
    log_in(locked)
    assert locked.get("/v1/collection").status_code == 200
    response = locked.post("/logout")
    assert (response.status_code, response.headers["location"]) == (303, "/login")
    assert locked.get("/v1/collection").status_code == 401


def test_a_session_ends_by_itself_and_cannot_be_made_up() -> None:
    now = [1_000_000.0]
    sessions = Sessions(now=lambda: now[0])
    ticket = sessions.ticket()
    until, _, signature = ticket.partition(".")
    assert int(until) == 1_000_000 + SESSION_SECONDS
    assert sessions.accept(ticket)
    for wrong in (
        "", ".", until, f"{until}.", f"{int(until) + 1}.{signature}", f"{until}.{signature[:-1]}",
        f"{until}.{signature}0", f"{until}.ü", f"x.{signature}", Sessions(lambda: now[0]).ticket(),
    ):  # fmt: skip
        assert not sessions.accept(wrong)
    now[0] += SESSION_SECONDS - 1
    assert sessions.accept(ticket)
    now[0] += 1
    assert not sessions.accept(ticket)


def test_sessions_of_one_server_open_no_other(make_client: MakeClient, locked: TestClient) -> None:
    log_in(locked)
    other = make_client(api_keys=SecretStr(KEYS))
    other.cookies.set(COOKIE, locked.cookies[COOKIE])
    assert other.get("/v1/collection").status_code == 401


class Outside(HTMLParser):
    """Notes whatever a page would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found += [value for name, value in attrs if name in ("src", "href", "srcset")]


def test_the_login_page_needs_no_key_and_no_other_host(locked: TestClient) -> None:
    response = locked.get("/login")
    reader = Outside()
    reader.feed(response.text)
    style, icon = reader.found
    assert style.startswith("static/page.css?") and icon.startswith("data:")
    assert locked.get(f"/{style}").status_code == 200
    assert "url(" not in locked.get(f"/{style}").text
    assert 'name="viewport"' in response.text
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy


def test_a_key_appears_nowhere(warm: Service, caplog: pytest.LogCaptureFixture) -> None:
    app = app_of(warm, api_keys=SecretStr(KEYS))
    client = client_of(app)
    with caplog.at_level(logging.DEBUG):
        texts = [
            log_in(client).headers["set-cookie"],
            log_in(client, "wrong").text,
            client.get("/metrics", headers={"X-API-Key": OTHER}).text,
            client.get("/v1/nothing", headers={"X-API-Key": OTHER}).text,
            client.post("/v1/search", json={}, headers={"X-API-Key": OTHER}).text,
            client.get(f"/v1/collection?key={OTHER}").text,
            repr(vars(app.state)),
            *(str(vars(record)) for record in caplog.records if "httpx" not in record.name),
        ]
    assert len(texts) > 7
    for text in texts:
        assert KEY not in text and OTHER not in text
    assert 'route="/login",status="401"' in texts[2], "wrong keys are counted"


@pytest.mark.parametrize("charset", ["undefined", "punycode", "unicode_escape", "utf-16"])
def test_a_login_in_a_strange_charset_is_refused(locked: TestClient, charset: str) -> None:
    form = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x--'
    for kind in ("multipart/form-data; boundary=x", "application/x-www-form-urlencoded"):
        headers = {"Content-Type": f"{kind}; charset={charset}"}
        response = locked.post("/login", content=form, headers=headers)
        assert response.status_code == 415
        assert response.headers["content-type"] == "application/problem+json"
