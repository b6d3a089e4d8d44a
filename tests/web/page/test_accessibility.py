"""axe-core finds nothing serious on any state of the page, in the light and in the dark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from ocelot.service import Service
from ocelot.settings import load_settings
from ocelot.web import create_app
from tests.rerankers.chat_server import ChatServer, error, ranking
from tests.uvicorn_server import serve
from tests.web.page.conftest import PHONE
from tests.web.page.test_slow_models import held, judged

axe = pytest.importorskip("axe_playwright_python", reason="pip install axe-playwright-python")
SCRIPT = (Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

STATES = {
    "start": "",
    "answer": "?text=a+blue+kettle&rank=fusion",
    "filtered": "?text=a+kettle&rank=fusion&where.colour=blue&to.price=90&without=stripes",
    "nothing": "?text=a+kettle&where.colour=none",
    "error": "?text=a&filter=price+<",
    "browse": "?where.colour=red",
}


# What axe-core looks at; in the dark only colours are others.
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}


def serious(page: Any) -> list[str]:
    """What axe-core calls serious or critical, in the light and in the dark."""
    page.evaluate(SCRIPT)
    found = []
    for scheme, rules in RULES.items():
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # colours change at once
        options = {"resultTypes": ["violations"], **rules}
        violations = page.evaluate("(o) => axe.run(document, o)", options)["violations"]
        found += [
            f"{scheme}: {one['id']}: {node['target']} {node['html'][:120]}"
            for one in violations
            if one["impact"] in ("serious", "critical")
            for node in one["nodes"]
        ]
    return found


@pytest.fixture
def look(visit: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a page with all that is folded in it."""

    def open(url: str, **options: Any) -> Any:
        page = visit(url, **options)
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        return page

    return open


@pytest.mark.parametrize("state", STATES)
def test_states(look: Callable[..., Any], url: str, state: str) -> None:
    assert serious(look(f"{url}{STATES[state]}")) == []


def test_a_phone_and_a_dialog(look: Callable[..., Any], url: str, chat: ChatServer) -> None:
    page = look(f"{url}?text=a+blue+kettle&rank=off", **PHONE)
    assert serious(page) == []
    page.click(".card a.tile >> nth=0")
    page.wait_for_selector("dialog[open]")
    assert serious(page) == []


def test_a_question_with_a_picture_and_the_crop(
    look: Callable[..., Any], url: str, shop: Path
) -> None:
    page = look(f"{url}?text=phone+case&rank=fusion")
    with page.expect_navigation():
        page.set_input_files("#ask .choose input", str(shop / "leopard.jpg"))
    assert serious(page) == []
    page.click("a[title='Choose a part of it']")
    page.wait_for_selector("dialog[open]")
    assert serious(page) == []


def test_while_and_after_a_model_looks(
    look: Callable[..., Any], url: str, chat: ChatServer
) -> None:
    with held(chat, list(range(9)), "It fits.") as (_, release):
        page = look(f"{url}?text=a+blue+toaster")
        assert page.query_selector("#status.busy") is None or serious(page) == []
        release.set()
        judged(page)
    assert serious(page) == []
    chat.script = lambda _: ranking(range(9), "There is none.", match=False)
    page = look(f"{url}?text=a+red+boat")
    judged(page)
    assert serious(page) == []
    chat.script = lambda _: error(500, "out of order")
    page = look(f"{url}?text=a+green+plane")
    judged(page)
    assert serious(page) == []


def test_a_path_that_leads_nowhere(look: Callable[..., Any], service: Service) -> None:
    with serve(create_app(service, load_settings())) as url:
        page = look(f"{url}/nowhere/at/all")
        assert serious(page) == []
        with page.expect_navigation():
            page.click("a:has-text('Start over')")
        page.wait_for_selector("#ask")


def test_signing_in(look: Callable[..., Any], service: Service) -> None:
    settings = load_settings().model_copy(update={"api_keys": SecretStr("k")})
    with serve(create_app(service, settings)) as url:
        page = look(url)
        assert page.url.endswith("/login?next=/") and serious(page) == []
        page.fill("#key", "wrong")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert "This key is wrong." in page.inner_text("[role=alert]") and serious(page) == []
        page.fill("#key", "k")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        page.wait_for_selector("#ask")


def test_a_session_that_ends_while_a_model_looks(
    visit: Callable[..., Any], service: Service, chat: ChatServer
) -> None:
    settings = load_settings().model_copy(update={"api_keys": SecretStr("k")})
    with held(chat, list(range(9)), ""), serve(create_app(service, settings)) as url:
        page = visit(url)
        page.fill("#key", "k")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        page.context.route("**/verdict?*", lambda route: route.abort())
        page.goto(f"{url}/?text=a+red+laptop")
        page.context.clear_cookies()
        page.context.unroute("**/verdict?*")
        page.wait_for_selector("#status:has-text('Your session has ended.')")
        assert page.inner_text("#status a") == "Sign in to go on"
        with page.expect_navigation():
            page.click("#status a")
        assert "/login?next=/%3Ftext%3D" in page.url
        assert "Sign in" in page.inner_text("button")
