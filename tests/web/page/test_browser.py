"""The page as people meet it: a real server, a real Chromium, a language model played by a test.

`visit` fails a test whose page asked another host for anything or had a complaint in its console.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocelot.build import build_service
from ocelot.errors import OcelotError
from ocelot.images.decode import hash_bytes
from ocelot.service import Service
from ocelot.settings import load_settings
from ocelot.web.page.query_images import use_private_folder
from tests.rerankers.chat_server import ChatServer, Reply, error, ranking
from tests.shop import write_shop
from tests.web.page.conftest import serving

THEME = "phone case with this image theme"
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True,
}  # fmt: skip

Visit = Callable[..., Any]
Events = tuple[threading.Event, threading.Event]


@pytest.fixture(autouse=True)
def judge(chat: ChatServer) -> Iterator[ChatServer]:
    """The language model, which turns every list around unless a test says otherwise."""
    chat.script = lambda request: ranking(range(len(request.prompt.split("\n"))), "It fits.")
    chat.requests.clear()
    yield chat
    assert not chat.complaints


def upload(page: Any, file: Path) -> None:
    page.set_input_files("#oc-picture input[type=file]", str(file))


def picked(page: Any) -> None:
    """Wait until the query's picture is seen."""
    page.wait_for_selector("#oc-picture img")


def say(page: Any, text: str) -> None:
    page.fill("#oc-text textarea", text)


def shown(page: Any) -> list[str]:
    """Ids of the pictures, in the order in which they are shown."""
    found = page.evaluate(
        "[...document.querySelectorAll('#oc-results [data-id]:is(article, li)')]"
        ".map((one) => one.dataset.id)"
    )
    return list(found)


def looking(page: Any) -> None:
    """Wait until hits are shown, and the language model looks at them."""
    page.wait_for_selector("#oc-status .busy:has-text('looking at the pictures')")
    page.wait_for_selector("#oc-results .slot[aria-busy=true]", state="attached")


@contextmanager
def answer(page: Any) -> Iterator[None]:
    """What is done within leads to another answer; at the end of the block it is there, whole."""
    key = "document.querySelector('#oc-results [data-key^=facts]')?.dataset.key"
    before = page.evaluate(key)
    yield
    page.wait_for_function(
        f"""(before) => {key} && {key} !== before
            && document.querySelector("#oc-results .slot[aria-busy=false]")
            && document.querySelector("#oc-status .status:not(.busy)")""",
        arg=before,
    )


def step(page: Any, number: int) -> None:
    """Go to a step that is not the one shown, counted from 1."""
    with answer(page):
        page.click(f".steps li:nth-child({number}) button")
    page.wait_for_selector(f".steps li:nth-child({number}) button[aria-current=step]")


def notice(page: Any) -> str:
    return str(page.wait_for_selector("#oc-notice [role=alert]").inner_text())


def use_fusion(page: Any) -> None:
    page.click("#oc-ranking > button")
    page.click("#oc-ranking label:has-text('Fusion')")


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


def test_hits_come_at_once_and_move_when_the_language_model_has_looked(
    visit: Visit, url: str, shop: Path, judge: ChatServer
) -> None:
    page = visit(url)
    assert page.title() == "Ocelot"
    upload(page, shop / "leopard.jpg")
    picked(page)
    say(page, THEME)
    reason = "Rosettes <b>as in</b> the picture."
    with held(judge, [5, 0, 1, 2, 3, 4, 6, 7, 8], reason) as (_, release):
        page.click("#oc-search")
        looking(page)
        before = shown(page)
        assert len(before) == 9 and not page.query_selector("article.winner")
        places = page.locator(".place b").all_inner_texts()
        assert places == ["1st", "2nd", "3rd", *(f"{n}th" for n in range(4, 10))]
        page.click("#oc-more textarea")
        page.keyboard.type("in bl")
        release.set()
        page.wait_for_selector("#oc-results .slot[aria-busy=false]")
        page.wait_for_selector("#oc-status :text('ranked by gpt-4o')")
    assert shown(page) == [before[i] for i in (5, 0, 1, 2, 3, 4, 6, 7, 8)]
    page.keyboard.type("ue")  # nobody is interrupted
    assert page.input_value("#oc-more textarea") == "in blue"
    winner = page.locator("article.winner")
    assert winner.get_attribute("data-id") == before[5]
    assert winner.locator(".why").inner_text() == f"Why this one\n{reason}"
    assert winner.locator(".up").inner_text() == "▲ was 6th"
    moves = page.locator(".card .place span:is(.up, .down)").all_inner_texts()
    assert moves == [f"▼ was {place}" for place in ("1st", "2nd", "3rd", "4th", "5th")]
    page.click("summary:has-text('What the language model was shown')")
    page.wait_for_function(
        "document.querySelector('.panel img').naturalWidth > 600", timeout=10_000
    )
    page.click("summary:has-text('How this answer was made')")
    assert "100 tokens in, 20 out" in page.inner_text(".panel dl")
    # The query's own bytes went to the model: a leopard on top at the left, under a blue border.
    assert THEME in judge.requests[-1].prompt


def test_more_like_this_then_refining_then_going_back(visit: Visit, url: str) -> None:
    page = visit(url)
    use_fusion(page)
    first = shown(page)[0]
    page.click(f"[data-id='{first}'] button[data-act=similar]")
    page.wait_for_selector("h2:has-text('More like “')")
    alike = shown(page)
    assert len(alike) == 9 and first not in alike
    picked(page)

    page.fill("#oc-more textarea", "in blue")
    with answer(page):
        page.click("#oc-again")
    assert page.input_value("#oc-text textarea") == "in blue"
    refined = shown(page)
    assert first not in refined  # the query's own picture is not among its answers
    page.fill("#oc-more textarea", "with stripes")
    with answer(page):
        page.press("#oc-more textarea", "Enter")
    assert page.input_value("#oc-text textarea") == "in blue, with stripes"
    assert page.locator(".steps li button").all_inner_texts()[1:] == [
        "… in blue", "… with stripes",
    ]  # fmt: skip

    step(page, 2)
    assert shown(page) == refined
    assert page.input_value("#oc-text textarea") == "in blue"

    page.click("button[data-act=restart]")
    page.wait_for_selector("h2:has-text('From the collection')")
    assert page.input_value("#oc-text textarea") == ""
    assert not page.query_selector(".steps") and not page.query_selector("#oc-picture img")


def test_a_result_becomes_the_query(visit: Visit, url: str) -> None:
    page = visit(url)
    use_fusion(page)
    item = shown(page)[3]
    page.click(f"[data-id='{item}'] button[data-act=use]")
    picked(page)
    assert page.evaluate("document.activeElement.closest('#oc-text') !== null")
    page.keyboard.type("in green")
    with answer(page):
        page.keyboard.press("Enter")
    assert item not in shown(page)  # its own bytes were the query
    assert page.inner_text(".steps li button") == "Picture + “in green”"


def test_filters_come_from_the_collection(visit: Visit, url: str) -> None:
    page = visit(url)
    use_fusion(page)
    page.click("#oc-filters > button")
    page.get_by_role("combobox", name="colour").click()
    page.get_by_role("option", name="blue", exact=True).click()
    page.keyboard.press("Escape")
    page.get_by_label("price to").fill("60")
    page.fill("#oc-own textarea", "price > 5")
    say(page, "something for the kitchen")
    with answer(page):
        page.click("#oc-search")
    facts = page.locator(".summary, .fields").all_inner_texts()
    assert facts and all("blue" in one for one in facts)
    prices = [float(text.split()[-1]) for text in page.locator(".price").all_inner_texts()]
    assert len(prices) == len(facts) and all(5 < price <= 60 for price in prices)

    page.fill("#oc-own textarea", "price <")
    page.click("#oc-search")
    assert "price <" in notice(page) and "cannot be used" in notice(page)
    assert page.locator(".summary, .fields").all_inner_texts() == facts  # the answer stays


def test_a_file_that_is_no_picture_is_refused_in_words(
    visit: Visit, url: str, tmp_path: Path
) -> None:
    page = visit(url)
    bad = tmp_path / "notes.jpg"
    bad.write_text("These are no pixels.")
    upload(page, bad)
    said = notice(page)
    assert said == "Cannot use this picture: it is not an image in a format that can be read."
    assert str(tmp_path) not in page.content()
    page.wait_for_selector("#oc-picture input[type=file]", state="attached")  # try another


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_may_be_pasted_or_dropped_anywhere(
    visit: Visit, url: str, shop: Path, way: str
) -> None:
    page = visit(url)
    page.evaluate(
        """([way, bytes]) => {
            const data = new DataTransfer(), type = "image/jpeg";
            data.items.add(new File([new Uint8Array(bytes)], "leopard.jpg", { type }));
            const options = { bubbles: true, cancelable: true };
            document.querySelector(".top h1").dispatchEvent(way === "paste"
                ? new ClipboardEvent("paste", { ...options, clipboardData: data })
                : new DragEvent("drop", { ...options, dataTransfer: data }));
        }""",
        [way, list((shop / "leopard.jpg").read_bytes())],
    )
    picked(page)
    size = page.evaluate("document.querySelector('#oc-picture img').naturalWidth")
    assert size == Image.open(shop / "leopard.jpg").width


def test_asking_for_nothing_says_what_to_give(visit: Visit, url: str) -> None:
    page = visit(url)
    page.click("#oc-search")
    assert notice(page) == "Give a picture, a sentence, or both; then search."
    say(page, "a blue kettle")
    with answer(page):
        page.click("#oc-search")
    assert not page.query_selector("#oc-notice [role=alert]")


def test_a_language_model_that_fails_costs_nothing_but_its_opinion(
    visit: Visit, url: str, judge: ChatServer
) -> None:
    judge.script = lambda _: error(500, "out of order")
    page = visit(url)
    say(page, "a blue kettle")
    with answer(page):
        page.click("#oc-search")
    assert "gave no usable answer (HTTP 500)" in page.inner_text("#oc-results .notice")
    assert "in retrieval order" in page.inner_text("#oc-status")
    assert page.inner_text(".best") == "Most similar"
    assert not page.query_selector(".up, .down")


def test_nothing_fits_is_an_answer(visit: Visit, url: str, judge: ChatServer) -> None:
    judge.script = lambda _: ranking(range(9), "There is no boat.", match=False)
    page = visit(url)
    say(page, "a red sailing boat")
    page.click("#oc-search")
    page.wait_for_selector("h2:has-text('No good match')")
    assert page.inner_text(".why") == "There is no boat."
    assert len(shown(page)) == 9


def test_a_new_search_is_not_overtaken_by_an_old_verdict(
    visit: Visit, url: str, judge: ChatServer
) -> None:
    page = visit(url)
    say(page, "a blue kettle")
    with held(judge, [8, 7, 6, 5, 4, 3, 2, 1, 0], "An old verdict.") as (arrived, release):
        page.click("#oc-search")
        looking(page)
        first = shown(page)
        assert arrived.wait(20)
        judge.script = lambda _: ranking(range(9), "A new verdict.")
        say(page, "a toaster with stripes")
        page.click("#oc-search")
        page.wait_for_selector(".why:has-text('A new verdict.')")
        second = shown(page)
        page.click(".steps li:nth-child(1) button")
        looking(page)  # still
        assert shown(page) == first
        step(page, 2)
        release.set()
        step(page, 1)
    assert shown(page) == first[::-1]
    step(page, 2)
    assert "A new verdict." in page.inner_text(".why")
    assert shown(page) == second


def test_pictures_are_added_and_a_bad_one_is_named(
    visit: Visit, url: str, service: Service, tmp_path: Path
) -> None:
    page = visit(url)
    good, bad = tmp_path / "fresh.png", tmp_path / "<i>broken.png"
    Image.new("RGB", (64, 64), (12, 200, 34)).save(good)
    bad.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    huge = tmp_path / "huge.tif"
    huge.write_bytes(bytes(21 * 2**20))
    before = service._engine.count()
    page.click("#oc-adding > button")
    files = [str(file) for file in (good, bad, huge)]
    page.set_input_files("#oc-add input[type=file]", files)
    page.wait_for_selector("#oc-add .report p:has-text('1 of 3 added, 2 could not be used.')")
    reasons = sorted(page.locator("#oc-add .report li").all_inner_texts())
    assert reasons[0].startswith("<i>broken.png: it is ")
    assert reasons[1] == "huge.tif: it is larger than 20 MB."
    assert service._engine.count() == before + 1
    assert service._engine.get(hash_bytes(good.read_bytes()))
    left = {file.read_bytes() for file in use_private_folder().rglob("*") if file.is_file()}
    assert not left & {good.read_bytes(), bad.read_bytes()}
    page.wait_for_selector(f".held:has-text('{before + 1} pictures')")

    page.set_input_files("#oc-add input[type=file]", [str(good)])
    page.wait_for_selector("#oc-add .report p:has-text('0 of 1 added, 1 already there.')")
    assert service._engine.count() == before + 1


def test_the_keyboard_is_enough(visit: Visit, url: str) -> None:
    page = visit(url)
    use_fusion(page)

    def focus(selector: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("(s) => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"Tab never comes to {selector}")

    page.evaluate("document.activeElement.blur()")
    focus("#oc-text textarea")
    page.keyboard.type("kettle")
    with answer(page):
        page.keyboard.press("Enter")
    focus("article button[data-act=similar]")
    ring = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert ring == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("h2:has-text('More like “')")


def test_a_phone_shows_it_all_without_scrolling_sideways(
    visit: Visit, url: str, tmp_path: Path
) -> None:
    page = visit(url, **PHONE)
    use_fusion(page)
    page.click("#oc-ranking > button")
    whole = "document.documentElement.scrollWidth"
    assert page.evaluate(whole) == 390
    top = "(s) => document.querySelector(s).getBoundingClientRect().top + scrollY"
    assert page.evaluate(top, "#oc-ask") < page.evaluate(top, "#oc-found")
    with answer(page):
        page.click("button[data-act=leopard]")
    assert page.evaluate(whole) == 390
    # The answer has come into view by itself.
    page.wait_for_function(
        "document.querySelector('article.winner').getBoundingClientRect().top < innerHeight"
    )
    for button in page.locator("article button, .card button").all():
        box = button.bounding_box()
        x, width, height = (round(box[side], 2) for side in ("x", "width", "height"))
        assert height >= 38 and x >= 0 and x + width <= 390  # rounded: boxes are kept in 64ths
    page.screenshot(path=tmp_path / "phone.png")
    assert Image.open(tmp_path / "phone.png").size == (390, 844)


def test_dark_where_the_system_is(visit: Visit, url: str) -> None:
    def luminance(page: Any, selector: str, property: str) -> float:
        css = page.evaluate(
            "([s, p]) => getComputedStyle(document.querySelector(s))[p]", [selector, property]
        )
        red, green, blue = (int(part) / 255 for part in css[css.index("(") + 1 : -1].split(",")[:3])
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    paper = {}
    for scheme in ("light", "dark"):
        page = visit(url, color_scheme=scheme)
        paper[scheme] = luminance(page, "gradio-app", "backgroundColor")
        behind = luminance(page, ".card", "backgroundColor")
        for words in (".card h3", ".card .summary", ".card .price"):
            light, dark = sorted((luminance(page, words, "color"), behind), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (scheme, words)  # WCAG 2.2, AA
    assert paper["dark"] < 0.05 < 0.8 < paper["light"]


@pytest.mark.parametrize("wish", ["reduce", "no-preference"])
def test_pictures_move_for_those_who_do_not_mind(
    visit: Visit, url: str, judge: ChatServer, wish: str
) -> None:
    page = visit(url, reduced_motion=wish)
    page.evaluate(
        """() => {
            const animate = Element.prototype.animate;
            Element.prototype.animate = function (...given) {
                if (this.matches(".card, .winner")) window.moved = true;
                return animate.apply(this, given);
            };
        }"""
    )
    with held(judge, [8, 7, 6, 5, 4, 3, 2, 1, 0], "") as (_, release), answer(page):
        page.click("button[data-act=leopard]")
        looking(page)
        release.set()
    assert page.evaluate("window.moved === true") is (wish != "reduce")


def test_every_picture_has_words_and_every_field_a_label(visit: Visit, url: str) -> None:
    page = visit(url)
    for part in ("filters", "ranking", "adding"):
        page.click(f"#oc-{part} > button")
    page.wait_for_selector("#oc-add .choose")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("input, textarea, button, img")].filter((one) =>
            !(one.alt || one.ariaLabel || one.labels?.length || one.textContent.trim()
              || one.ariaLabelledByElements?.length)).map((one) => one.outerHTML.slice(0, 200))"""
    )
    assert nameless == []
    levels = page.evaluate("[...document.querySelectorAll('h1, h2, h3')].map((h) => +h.tagName[1])")
    assert levels[:2] == [1, 2] and levels.count(1) == 1
    assert page.get_attribute("html", "lang") == "en"
    assert page.locator("[role=status]").count() >= 1


def test_many_tabs_of_one_browser_do_not_starve_each_other(visit: Visit, url: str) -> None:
    page = [visit(url) for _ in range(7)][-1]  # a browser has six connections to a host
    use_fusion(page)
    say(page, "a blue kettle")
    with answer(page):
        page.click("#oc-search")


def test_gradio_offers_no_more_than_the_page_needs(visit: Visit, url: str) -> None:
    page = visit(url)
    for path in (
        "gradio_api/info", "gradio_api/openapi.json", "gradio_api/file=http://127.0.0.1:1/x",
        "gradio_api/proxy=http://127.0.0.1:1/x", "gradio_api/runs", "monitoring",
    ):  # fmt: skip
        assert page.request.get(url + path).status == 404, path
    assert page.request.get(f"{url}gradio_api/file=/etc/hostname").status == 403
    assert page.locator("footer").count() == 0


def test_a_browser_cannot_have_a_file_of_the_server_added(
    visit: Visit, url: str, service: Service, shop: Path
) -> None:
    page = visit(url)
    config = page.evaluate("window.gradio_config")
    component = next(
        one["id"] for one in config["components"] if one["props"].get("elem_id") == "oc-add"
    )
    before = service._engine.count()
    reply = page.request.post(
        f"{url}gradio_api/component_server",
        data={
            "data": str(shop / "leopard.jpg"), "component_id": component, "fn_name": "add",
            "session_hash": "abc",
        },
    )  # fmt: skip
    assert json.loads(reply.text()) == {"reason": "This file was not uploaded here."}
    assert service._engine.count() == before and (shop / "leopard.jpg").is_file()


def test_what_others_wrote_is_shown_and_never_run(
    visit: Visit, url: str, service: Service, judge: ChatServer, tmp_path: Path
) -> None:
    hostile = "red <img src=x onerror='hacked=1'>${hacked=1}`{{value}}</p><script>hacked=1</script>"
    Image.new("RGB", (64, 64), (90, 12, 200)).save(tmp_path / "item.png")
    fields = {"title": hostile, "stock": 77, "maker": hostile}
    service._engine.add(tmp_path / "item.png", metadata=fields)
    judge.script = lambda _: ranking([0], hostile)
    page = visit(url)
    page.click("#oc-filters > button")
    page.get_by_role("combobox", name="colour").wait_for()  # the fields are those of the shop
    page.wait_for_load_state("networkidle")  # the update that showed them clears the own filter
    say(page, hostile)
    page.fill("#oc-own textarea", "stock == 77")
    with answer(page):
        page.click("#oc-search")
    assert page.inner_text("article h2") == hostile
    assert page.inner_text(".why") == f"Why this one\n{hostile}"
    assert hostile[:20] in page.inner_text(".steps li")
    assert page.evaluate("window.hacked") is None


@pytest.fixture
def empty(plain_environment: None, tmp_path: Path) -> Iterator[Service]:
    made = build_service(load_settings(db=str(tmp_path / "new.db")))
    yield made
    with suppress(OcelotError):  # a test has closed its database
        made.close()


def test_an_empty_collection_is_filled_with_the_demo_shop(
    visit: Visit, empty: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocelot.assets._DEMO_SHOP", write_shop(tmp_path / "small", 24))
    with serving(empty) as address:
        page = visit(address)
        assert page.inner_text("#oc-results h2") == "This collection is empty"
        assert not page.query_selector("#oc-suggestions button")
        page.click("button[data-act=demo]")
        page.wait_for_selector("#oc-results progress")
        page.wait_for_selector("h2:has-text('From the collection')", timeout=60_000)
        assert page.inner_text(".held") == "24 pictures"
        assert empty._engine.count() == 24
        with answer(page):
            page.click("button[data-act=leopard]")
        assert "ranked by fusion" in page.inner_text("#oc-status")
        assert page.input_value("#oc-text textarea") == THEME
        first = shown(page)
        say(page, "a mug with this image theme")
        with answer(page):
            page.click("#oc-search")
        assert shown(page) != first and not page.query_selector("#oc-notice [role=alert]")


def test_a_database_that_is_gone_is_told(visit: Visit, empty: Service) -> None:
    with serving(empty) as address:
        page = visit(address)
        empty._engine.collection.close()
        say(page, "a kettle")
        page.click("#oc-search")
        assert "is closed" in notice(page)
        assert "Traceback" not in page.content()


def test_an_open_page_outlives_a_restart_of_the_server(
    visit: Visit, service: Service, shop: Path
) -> None:
    with serving(service) as address:
        page = visit(address)
        use_fusion(page)
        page.click("#oc-filters > button")
        page.get_by_role("combobox", name="colour").click()
        page.get_by_role("option", name="red", exact=True).click()
        page.keyboard.press("Escape")
        say(page, "something for the kitchen")
        page.wait_for_function("[...document.images].every((one) => one.complete)")
    with serving(service, port=int(address.split(":")[2].strip("/"))):
        with answer(page):
            page.click("#oc-apply")
        facts = page.locator(".summary, .fields").all_inner_texts()
        assert facts and all("red" in one for one in facts)
