"""A drawn shop behind a real server, and a real Chromium that looks at it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from ocelot.build import build_service
from ocelot.service import Service
from ocelot.settings import load_settings
from ocelot.web import create_app, stop_streams
from ocelot.web.page.routes import create_page
from tests.chromium import chromium
from tests.rerankers.chat_server import ChatServer
from tests.shop import write_shop
from tests.uvicorn_server import WebServer

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True,
}  # fmt: skip
_HERE = ("127.0.0.1", "::1", "localhost")


@pytest.fixture(scope="session")
def plain_environment() -> Iterator[None]:
    """Whatever the machine has set for Ocelot or a language model, the servers start without."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("OCELOT_", "OPENAI_", "AZURE_", "LLM_")):
                patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 60 pictures; read-only."""
    folder = tmp_path_factory.mktemp("ui-shop")
    write_shop(folder)
    return folder


@pytest.fixture(scope="module")
def chat() -> Iterator[ChatServer]:
    """The language model of the servers."""
    with ChatServer() as server:
        yield server


@pytest.fixture(scope="module")
def service(
    plain_environment: None, shop: Path, chat: ChatServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The shop, with a language model that `chat` plays."""
    folder = tmp_path_factory.mktemp("ui-service")
    settings = load_settings(
        db=str(folder / "shop.db"), llm_base_url=chat.url, llm_retries=0, llm_cache=False
    )
    made = build_service(settings)
    made._engine.index(shop / "images", metadata=shop / "metadata.csv")
    yield made
    made.close()


@contextmanager
def serving(service: Service, *, port: int = 0, heartbeat: float = 10.0) -> Iterator[str]:
    """The address of a server in a thread of its own."""
    app = create_app(service, load_settings(), page=False)
    app.include_router(create_page(service, app.state.shutdown, heartbeat=heartbeat))
    server = WebServer(app, port=port)
    server.start()
    try:
        yield f"{server.url}/"
    finally:
        server.call(lambda: stop_streams(app))  # of pages that are still open
        assert server.stop()


@pytest.fixture(scope="module")
def url(service: Service) -> Iterator[str]:
    """Where the shop's page is."""
    with serving(service) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def calls() -> list[str]:
    """Whom this process, so the servers, has called: other hosts only."""
    found: list[str] = []

    def note(event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect" and isinstance(args[1], tuple) and args[1][0] not in _HERE:
            found.append(f"the server called {args[1][0]}")

    sys.addaudithook(note)
    return found


@pytest.fixture(scope="module")
def contexts(browser: Any) -> Iterator[Callable[..., Any]]:
    """Browser contexts by their options; pages of one context share its cache."""
    made: dict[str, Any] = {}
    with ExitStack() as stack:

        def context(**options: Any) -> Any:
            key = repr(sorted(options.items()))
            if key not in made:
                made[key] = stack.enter_context(browser.new_context(**options))
            return made[key]

        yield context


@pytest.fixture
def visit(contexts: Callable[..., Any], calls: list[str]) -> Iterator[Callable[..., Any]]:
    """Opens the page, in a session of its own each time.

    The test fails when a page or a server asked another host for anything, or a page complained.
    """
    complaints = calls
    complaints.clear()
    with ExitStack() as stack:

        def open(url: str, **options: Any) -> Any:
            page = contexts(**options).new_page()
            stack.callback(page.close)
            page.set_default_timeout(60_000)  # for machines with much else to do
            host = urlsplit(url).netloc

            def requested(request: Any) -> None:
                asked = urlsplit(request.url)
                if asked.scheme in ("http", "https", "ws", "wss") and asked.netloc != host:
                    complaints.append(f"asked for {request.url}")

            def said(message: Any) -> None:
                # A page of an error, and a server that is stopped, are what a test wants.
                meant = re.search(
                    "status of 4|ERR_CONNECTION|ERR_INCOMPLETE|ERR_FAILED", message.text
                )
                if message.type == "error" and not meant:
                    complaints.append(f"console: {message.text} ({message.location['url']})")

            page.on("request", requested)
            page.on("console", said)
            page.on("pageerror", lambda error: complaints.append(f"page: {error}"))
            page.goto(url)
            return page

        yield open
    assert complaints == []
