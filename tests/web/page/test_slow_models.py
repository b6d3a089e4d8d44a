"""Language models that take their time: the hits stand at once, the verdict comes by a stream."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from ocelot.service import Service
from tests.rerankers.chat_server import ChatServer, Reply, error, ranking
from tests.web.page.conftest import serving
from tests.web.page.test_browser import shown

SECONDS = 30.0  # after which a test that waits has failed
REVERSED = [8, 7, 6, 5, 4, 3, 2, 1, 0]

Visit = Callable[..., Any]
Events = tuple[threading.Event, threading.Event]


@pytest.fixture(autouse=True)
def judge(chat: ChatServer) -> Iterator[ChatServer]:
    """The language model, which turns every list around unless a test says otherwise."""
    chat.script = lambda request: ranking(REVERSED, "It fits.")
    chat.requests.clear()
    yield chat
    assert not chat.complaints


@contextmanager
def held(judge: ChatServer, order: list[int], reason: str, **more: Any) -> Iterator[Events]:
    """A verdict that comes when the second event is set; the first says that it was asked for."""
    arrived, release = threading.Event(), threading.Event()

    def script(_: Any) -> Reply:
        arrived.set()
        reply = ranking(order, reason, **more)
        reply.wait = release
        return reply

    judge.script = script
    try:
        yield arrived, release
    finally:
        release.set()


def judged(page: Any) -> None:
    """Wait for the verdict."""
    page.wait_for_selector("#status:not(.busy)")
    page.wait_for_selector("#slot[aria-busy=false]", state="attached")


def test_hits_stand_at_once_and_move_when_the_model_has_looked(
    visit: Visit, url: str, judge: ChatServer
) -> None:
    reason = "Rosettes <b>as in</b> the picture."
    with held(judge, [5, 0, 1, 2, 3, 4, 6, 7, 8], reason) as (_, release):
        page = visit(f"{url}?text=a+blue+kettle")
        before = shown(page)
        assert len(before) == 9 and not page.query_selector("article.winner")
        assert "looking at the pictures" in page.inner_text("#status")
        assert page.get_attribute("#slot", "aria-busy") == "true"
        page.click("#more-text")
        page.keyboard.type("in bl")
        release.set()
        judged(page)
    assert shown(page) == [before[i] for i in (5, 0, 1, 2, 3, 4, 6, 7, 8)]
    page.keyboard.type("ue")  # nobody is interrupted
    assert page.input_value("#more-text") == "in blue"
    assert page.inner_text("#status") == "9 pictures, ranked by gpt-4o."
    winner = page.locator("article.winner")
    assert winner.locator(".why").inner_text() == f"Why this one\n{reason}"
    assert winner.locator(".up").inner_text() == "▲ was 6th"
    moves = page.locator(".card .place span:is(.up, .down)").all_inner_texts()
    assert moves == [f"▼ was {place}" for place in ("1st", "2nd", "3rd", "4th", "5th")]
    page.click("summary:has-text('What the language model was shown')")
    page.wait_for_function("() => document.querySelector('.panel img').naturalWidth > 600")
    page.click("summary:has-text('How this answer was made')")
    assert "100 tokens in, 20 out" in page.inner_text("#panels dl")
    page.reload()  # the verdict is kept
    assert "ranked by gpt-4o" in page.inner_text("#status")
    assert len(judge.requests) == 1


def test_a_model_may_take_any_time(visit: Visit, service: Service, judge: ChatServer) -> None:
    """The stream shows signs of life for as long as the model needs; all who wait share it."""
    with serving(service, heartbeat=0.02) as url, held(judge, REVERSED, "") as (arrived, release):
        page = visit(f"{url}?text=a+red+toaster")
        before = shown(page)
        assert arrived.wait(SECONDS)
        where = f"{url}verdict?text=a+red+toaster"
        with httpx.stream("GET", where, timeout=SECONDS) as response:
            lines = response.iter_lines()
            signs = [line for _, line in zip(range(200), lines, strict=False)]
            # A sign each 10 s in earnest: as many as these are a quarter of an hour.
            assert signs.count(": waiting") >= 95 and page.query_selector("#status.busy")
            release.set()
            assert "event: verdict" in lines
        judged(page)
        assert shown(page) == before[::-1]
        assert len(judge.requests) == 1


def test_a_restart_of_the_server_in_mid_answer(
    visit: Visit, service: Service, judge: ChatServer
) -> None:
    with held(judge, REVERSED, "") as (arrived, release):
        with serving(service) as url:
            page = visit(f"{url}?text=a+green+mug")
            before = shown(page)
            assert arrived.wait(SECONDS)
        page.wait_for_selector("#status:has-text('The connection was lost')")
        release.set()
        with serving(service, port=int(url.split(":")[2].strip("/"))):
            judged(page)
            assert shown(page) == before[::-1]
            page.fill("#text", "a toaster")  # and all else goes on, too
            with page.expect_navigation():
                page.press("#text", "Enter")
            judged(page)


def test_ten_quick_searches_show_the_last(visit: Visit, url: str, judge: ChatServer) -> None:
    release = threading.Event()

    def script(request: Any) -> Reply:
        if "purple laptop" in request.prompt:
            return ranking([1, 0, *range(2, 9)], "The last verdict.")
        reply = ranking(REVERSED, "An old verdict.")
        reply.wait = release
        return reply

    judge.script = script
    page = visit(f"{url}?text=kettle+0")
    for number in range(1, 10):
        page.fill("#text", f"kettle {number}, blue")
        with page.expect_navigation():
            page.press("#text", "Enter")
    last = shown(page)
    page.fill("#text", "a purple laptop")
    with page.expect_navigation():
        page.press("#text", "Enter")
    page.wait_for_selector(".why:has-text('The last verdict.')")
    found = shown(page)
    release.set()
    page.go_back()
    page.wait_for_selector(".why:has-text('An old verdict.')")
    assert shown(page) == last[::-1] and page.input_value("#text") == "kettle 9, blue"
    page.go_forward()
    page.wait_for_selector(".why:has-text('The last verdict.')")
    assert shown(page) == found


def test_reranked_results_stay_first_while_more_are_loaded(
    visit: Visit, url: str, judge: ChatServer
) -> None:
    with held(judge, REVERSED, "") as (_, release):
        page = visit(f"{url}?text=an+orange+keyboard")
        first = shown(page)
        page.click("#more")
        page.wait_for_function("() => document.querySelectorAll('#hits li').length >= 33")
        rest = shown(page)[9:]
        release.set()
        judged(page)
    found = shown(page)
    assert found[:9] == first[::-1] and found[9 : 9 + len(rest)] == rest


def test_a_model_that_fails_is_said_once_above(visit: Visit, url: str, judge: ChatServer) -> None:
    judge.script = lambda _: error(500, "out of order")
    page = visit(f"{url}?text=a+pink+camera")
    judged(page)
    assert page.locator("#notes .notice").count() == 1
    assert "gave no usable answer (HTTP 500)" in page.inner_text("#notes")
    assert page.inner_text("#status") == "9 pictures, the most similar first."
    assert not page.query_selector(".up, .down, .best")
    assert page.inner_text("body").count("gave no usable answer") == 1


def test_without_an_answer_that_fits_nothing_is_crowned(
    visit: Visit, url: str, judge: ChatServer
) -> None:
    judge.script = lambda _: ranking(range(9), "There is no boat.", match=False)
    page = visit(f"{url}?text=a+red+sailing+boat")
    page.wait_for_selector("h2:has-text('The closest we have')")
    assert page.inner_text(".why") == "There is no boat."
    assert len(shown(page)) == 9 and not page.query_selector(".winner, .best")


def test_without_a_script_the_order_can_be_waited_for(
    visit: Visit, url: str, judge: ChatServer
) -> None:
    page = visit(f"{url}?text=a+teal+fan", java_script_enabled=False)
    before = shown(page)
    with page.expect_navigation():  # the answer comes in pieces
        page.click("a:has-text('Show the chosen order')")
    assert shown(page) == before[::-1]


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
def test_pictures_move_for_those_who_do_not_mind(
    visit: Visit, url: str, judge: ChatServer, wish: str
) -> None:
    with held(judge, REVERSED, "") as (_, release):
        page = visit(f"{url}?text=a+grey+iron+{wish}", reduced_motion=wish)
        page.evaluate(
            """() => {
                const animate = Element.prototype.animate;
                Element.prototype.animate = function (...given) {
                    if (this.matches(".card, .winner")) window.moved = true;
                    return animate.apply(this, given);
                };
            }"""
        )
        release.set()
        judged(page)
    assert page.evaluate("window.moved === true") is (wish != "reduce")


def test_many_tabs_of_one_browser_do_not_starve_each_other(
    visit: Visit, url: str, judge: ChatServer
) -> None:
    """A browser has six connections to a host, and each tab that waits holds one."""
    with held(judge, REVERSED, "") as (_, release):
        pages = [visit(f"{url}?text=a+brown+speaker+{number}") for number in range(5)]
        page = visit(f"{url}?text=a+brown+speaker&rank=fusion")
        assert "ranked by fusion" in page.inner_text("#status")
        release.set()
        for one in pages:
            judged(one)
