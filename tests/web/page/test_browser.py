"""The page as people meet it: a real server, a real Chromium.

`visit` fails a test whose page asked another host for anything or had a complaint in its console.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.build import build_service
from ocelot.errors import OcelotError
from ocelot.images.decode import hash_bytes
from ocelot.service import Service
from ocelot.settings import load_settings
from tests.rerankers.chat_server import ChatServer, ranking
from tests.shop import write_shop
from tests.web.page.conftest import PHONE, serving

THEME = "phone case with this image theme"
Visit = Callable[..., Any]


@pytest.fixture
def fusion(url: str) -> str:
    """The page with the fusion reranker, to which parameters can be added."""
    return f"{url}?rank=fusion"


def shown(page: Any) -> list[str]:
    """Ids of the pictures, in the order in which they are shown."""
    found = page.evaluate(
        "[...document.querySelectorAll('#found [data-id]')].map((one) => one.dataset.id)"
    )
    return list(found)


def in_view(page: Any, selector: str) -> bool:
    return bool(
        page.evaluate(
            """(selector) => {
                const box = document.querySelector(selector).getBoundingClientRect();
                return box.top >= 0 && box.bottom <= innerHeight;
            }""",
            selector,
        )
    )


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.role"))


def test_a_question_is_its_link(visit: Visit, url: str) -> None:
    page = visit(f"{url}?text=a+blue+kettle&rank=fusion")
    assert page.title() == "a blue kettle · Ocelot"
    assert page.input_value("#text") == "a blue kettle"
    first = shown(page)
    assert len(first) == 9
    assert "9 pictures, ranked by fusion." in page.inner_text("#status")
    page.fill("#text", "a toaster with stripes")
    page.press("#text", "Enter")
    page.wait_for_url("**/?text=a+toaster+with+stripes&rank=fusion")
    second = shown(page)
    assert second != first
    page.reload()
    assert shown(page) == second and page.input_value("#text") == "a toaster with stripes"
    page.go_back()
    assert shown(page) == first and page.input_value("#text") == "a blue kettle"
    page.go_forward()
    assert shown(page) == second
    assert shown(visit(page.url)) == second  # shared


def test_a_picture_is_searched_with_at_once_and_shared_by_link(
    visit: Visit, fusion: str, shop: Path
) -> None:
    page = visit(fusion)
    with page.expect_navigation(url="**image=*"):
        page.set_input_files("#ask .choose input", str(shop / "leopard.jpg"))
    alone = shown(page)
    assert len(alone) == 9
    assert page.evaluate("document.querySelector('.pictures img').naturalWidth") > 100
    page.fill("#text", THEME)
    with page.expect_navigation():
        page.click("button.primary")
    assert shown(page) != alone
    other = visit(page.url)
    assert shown(other) == shown(page)
    # The slider between pictures and words.
    with page.expect_navigation(url="**weight=*"):
        page.fill("#weight", "100")
    assert shown(page) != shown(other)
    assert page.inner_text(".best") == "Most similar"  # of such a query it is not known what fits


def test_several_pictures_what_is_not_wanted_and_parts_to_take_away(
    visit: Visit, fusion: str, shop: Path
) -> None:
    page = visit(fusion)
    files = [str(file) for file in sorted((shop / "images").iterdir())[:2]]
    with page.expect_navigation(url="**image=*"):
        page.set_input_files("#ask .choose input", files)
    assert page.locator(".pictures img").count() == 2
    page.fill("#without", "stripes")
    with page.expect_navigation(url="**without=stripes*"):
        page.press("#without", "Enter")
    assert page.locator(".steps li").all_inner_texts() == [
        "2 pictures ×\nremove", "not “stripes” ×\nremove",
    ]  # fmt: skip
    with page.expect_navigation():
        page.click(".pictures figure:first-child a[title='Remove this picture']")
    assert page.locator(".pictures img").count() == 1
    with page.expect_navigation():
        page.click(".steps a.quiet")
    assert page.inner_text("#found h2") == "From the collection"


@pytest.mark.parametrize("way", ["paste", "drop"])
def test_a_picture_may_be_pasted_or_dropped_anywhere(
    visit: Visit, fusion: str, shop: Path, way: str
) -> None:
    page = visit(fusion)
    with page.expect_navigation(url="**image=*"):
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
    assert len(shown(page)) == 9


def test_a_part_of_a_picture_is_searched_with(visit: Visit, fusion: str, shop: Path) -> None:
    page = visit(fusion)
    with page.expect_navigation(url="**image=*"):
        page.set_input_files("#ask .choose input", str(shop / "leopard.jpg"))
    whole = page.url
    page.click("a[title='Choose a part of it']")
    box = page.wait_for_selector("dialog .cropping img").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 4)
    page.mouse.down()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.up()
    assert 45 < float(page.input_value("dialog [name=width]")) < 51
    assert 20 < float(page.input_value("dialog [name=height]")) < 26
    with page.expect_navigation():
        page.click("dialog button.primary")
    assert page.url != whole and page.locator(".pictures img").count() == 1
    part = page.locator(".pictures img")
    size = part.evaluate("(one) => [one.naturalWidth, one.naturalHeight]")
    original = Image.open(shop / "leopard.jpg").size
    assert size[0] / size[1] == pytest.approx(2 * original[0] / original[1], rel=0.1)


def test_a_picture_opens_large_with_all_that_is_known_of_it(
    visit: Visit, url: str, service: Service, tmp_path: Path
) -> None:
    Image.new("RGB", (900, 300), (200, 30, 40)).save(tmp_path / "wide.png")
    fields = {
        "title": "A wide one", "url": "https://shop.example/wide", "price": 12.5,
        "currency": "EUR", "stock": 99, "maker": "a maker",
    }  # fmt: skip
    item = service._engine.add(tmp_path / "wide.png", metadata=fields)
    try:
        page = visit(f"{url}?text=red&filter=stock+%3D%3D+99&rank=off")
        answer = page.url
        page.click(".card a.tile")
        page.wait_for_selector("dialog[open]")
        assert page.url.startswith(f"{url}items/{item.id}?text=red")
        assert page.evaluate("document.activeElement.closest('dialog') !== null")
        image = page.locator("dialog .large img")
        image.evaluate("(one) => one.decode()")
        assert image.evaluate("(one) => one.naturalWidth / one.naturalHeight") == 3  # not cropped
        assert image.evaluate("(one) => getComputedStyle(one).objectFit") == "contain"
        said = page.inner_text("dialog .words")
        assert "€12.50" in said and "a maker" in said and "99" in said
        link = page.locator("dialog a:has-text('Open its page')")
        assert link.get_attribute("href") == "https://shop.example/wide"
        before = image.bounding_box()["width"]
        page.click("dialog .large .icon")
        assert image.bounding_box()["width"] > before
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog[open]", state="detached")
        page.wait_for_url(answer)
        # The same link is a page of its own, from which the answer can be had again.
        page.goto(f"{url}items/{item.id}?text=red&filter=stock+%3D%3D+99&rank=off")
        assert "€12.50" in page.inner_text("article.item")
        page.click("a.quiet:has-text('Back to the answer')")
        page.wait_for_url(answer)
    finally:
        service._engine.delete(item.id)
        service._forget(item.id)


def test_more_like_this_less_like_this_and_use_as_query(visit: Visit, fusion: str) -> None:
    page = visit(fusion)
    first = shown(page)[0]
    page.click(f"[data-id='{first}'] .acts a:has-text('More like this')")
    page.wait_for_selector("h2:has-text('More like “')")
    alike = shown(page)
    assert len(alike) == 9 and first not in alike
    page.click(f"[data-id='{alike[0]}'] .acts a:has-text('Use as query')")
    page.wait_for_selector(f".pictures img[src*='{alike[0]}']")
    page.wait_for_function("() => document.activeElement.id === 'text'")
    page.keyboard.type("in green")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    found = shown(page)
    assert alike[0] not in found and len(found) == 9
    page.click(f"[data-id='{found[2]}'] a.tile")
    with page.expect_navigation():
        page.click("dialog a:has-text('Less like this')")
    assert found[2] not in shown(page) and f"unlike={found[2]}" in page.url
    page.fill("#more-text", "with stripes")
    with page.expect_navigation():
        page.press("#more-text", "Enter")
    assert page.input_value("#text") == "in green, with stripes"


def test_an_item_is_edited_deleted_and_brought_back(
    visit: Visit, url: str, service: Service, tmp_path: Path
) -> None:
    Image.new("RGB", (64, 64), (1, 99, 1)).save(tmp_path / "a.png")
    data = (tmp_path / "a.png").read_bytes()
    item = service._engine.add(data, metadata={"title": "Old", "price": 7878})
    service._forget(item.id)
    page = visit(f"{url}?filter=price+%3D%3D+7878")
    page.click(".card a.tile")
    page.click("dialog summary:has-text('Edit')")
    page.fill("dialog [name='field.title']", "New <b>title")
    page.fill("dialog [name=name]", "shade")
    page.fill("dialog [name=value]", "moss")
    with page.expect_navigation():
        page.click("dialog button:has-text('Save')")
    assert page.inner_text("article h2") == "New <b>title"
    stored = service._engine.get(item.id).metadata
    assert stored == {"title": "New <b>title", "price": 7878, "shade": "moss"}
    with page.expect_navigation():
        page.click("button:has-text('Delete')")
    assert service._engine.count(filter="price == 7878") == 0
    assert "The picture was deleted." in page.inner_text(".undo")
    with page.expect_navigation():
        page.click("button:has-text('Undo')")
    assert service._engine.get(item.id).metadata == stored
    assert service._engine.images.original(service._engine.get(item.id)).data == data
    service._engine.delete(item.id)
    service._forget(item.id)


def test_filters_are_chips_that_apply_at_once(visit: Visit, fusion: str) -> None:
    page = visit(f"{fusion}&text=something+for+the+kitchen")
    page.click("#filters > summary")
    with page.expect_navigation():
        page.click("#filters a.chip:has-text('blue')")
    page.wait_for_selector("#filters a.chip[aria-current]:has-text('blue')")
    page.fill("[name='to.price']", "60")
    with page.expect_navigation(url="**to.price=60*"):
        page.press("[name='to.price']", "Tab")
    facts = page.locator(".summary, .winner .fields").all_inner_texts()
    assert facts and all("blue" in one for one in facts)
    prices = [float(text.split()[-1]) for text in page.locator(".price").all_inner_texts()]
    assert prices and max(prices) <= 60
    page.fill("#filter", "price <")
    with page.expect_navigation():
        page.press("#filter", "Enter")
    assert "price <" in page.inner_text("#found [role=alert]")
    assert page.input_value("#filter") == "price <" and in_view(page, "#found [role=alert]")


def test_a_refused_picture_stops_the_search_and_is_told_in_view(
    visit: Visit, fusion: str, tmp_path: Path
) -> None:
    page = visit(fusion, **PHONE)
    bad = tmp_path / "notes.jpg"
    bad.write_text("These are no pixels.")
    page.fill("#text", "a kettle")
    with page.expect_navigation():
        page.set_input_files("#ask .choose input", str(bad))
    said = page.inner_text("#found [role=alert]")
    assert said == "Cannot use this picture: it is not an image in a format that can be read."
    assert str(tmp_path) not in page.content() and not shown(page)
    assert page.input_value("#text") == "a kettle"
    assert focused(page) == "alert" and in_view(page, "#found [role=alert]")


def test_a_picture_that_is_too_large_is_not_sent(visit: Visit, url: str, tmp_path: Path) -> None:
    page = visit(url, **PHONE)
    huge = tmp_path / "huge.jpg"
    huge.write_bytes(bytes(21 * 2**20))
    page.set_input_files("#ask .choose input", str(huge))
    page.wait_for_selector("#found > [role=alert]")
    assert page.inner_text("#found > [role=alert]") == "huge.jpg: it is larger than 20 MB."
    assert focused(page) == "alert" and in_view(page, "#found > [role=alert]")
    page.fill("#text", "a kettle")  # and the next search goes on without it
    with page.expect_navigation(url="**text=a+kettle*"):
        page.press("#text", "Enter")


def test_answers_and_nothing_found_are_in_view_and_have_the_focus(
    visit: Visit, fusion: str
) -> None:
    page = visit(fusion, **PHONE)
    page.fill("#text", "a blue kettle")
    with page.expect_navigation():
        page.click("button.primary")
    assert focused(page) == "status" and in_view(page, "#status")
    page.goto(f"{fusion}&text=kettle&where.colour=no+such+colour")
    assert page.inner_text("#status") == "Nothing was found"
    assert focused(page) == "status" and in_view(page, "#status")
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_asking_for_nothing_says_what_to_give(visit: Visit, url: str) -> None:
    page = visit(url)
    with page.expect_navigation():
        page.click("button.primary")
    assert "Give a picture, a text, or both" in page.inner_text("#found [role=alert]")


@pytest.fixture
def copies(service: Service) -> Iterator[int]:
    """The collection with five near copies of each picture; how many it then has."""
    collection, random = service._engine.collection, np.random.default_rng(1)
    rows = collection.get([item.id for item in service._engine.items()])
    made = []
    for row, number in product(rows, range(5)):
        vector = row.vector + random.normal(0, 0.01, len(row.vector)).astype(np.float32)
        unit = vector / np.linalg.norm(vector)
        made.append(replace(row, id=f"copy-{number}-{row.id[:8]}", vector=unit))
    collection.upsert(made, fresh=True)
    yield len(rows) + len(made)
    collection.delete([row.id for row in made])


def test_hundreds_of_results_load_while_scrolling(visit: Visit, fusion: str, copies: int) -> None:
    page = visit(f"{fusion}&text=a+blue+kettle")
    first = shown(page)
    assert len(first) == 9
    while page.query_selector("#more"):
        was = page.evaluate("document.querySelector('#more')?.href ?? ''")  # before it changes
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_function("(was) => document.querySelector('#more')?.href !== was", arg=was)
    found = shown(page)
    assert len(found) == len(set(found)) == copies >= 300 and found[:9] == first
    ranks = page.evaluate("[...hits.children].map((li) => Number(li.id.slice(1)))")
    assert ranks == list(range(copies + 1 - len(ranks), copies + 1))
    asked = page.evaluate("performance.getEntriesByType('resource').map((one) => one.name)")
    assert len([one for one in asked if "/image?" in one]) < copies  # pictures come when seen
    page.reload()
    assert shown(page)[: len(first)] == first and len(shown(page)) > 300


@pytest.mark.parametrize("screen", [{}, PHONE])
def test_a_page_that_is_shown_again_stays_where_it_was(
    visit: Visit, fusion: str, screen: dict[str, Any]
) -> None:
    page = visit(f"{fusion}&text=a+blue+kettle", **screen)
    page.evaluate("scrollTo(0, 1300)")
    page.wait_for_load_state("networkidle")
    page.reload()
    page.wait_for_function("() => scrollY === 1300")
    assert focused(page) == "status"
    page.goto(f"{fusion}&text=a+toaster")
    assert page.evaluate("scrollY") < 1300
    page.go_back()
    page.wait_for_function("() => scrollY === 1300")


def test_pictures_are_added_under_their_names_and_a_bad_one_is_named(
    visit: Visit, url: str, service: Service, tmp_path: Path
) -> None:
    page = visit(url)
    good, bad = tmp_path / "fresh_mint-cup.png", tmp_path / "<i>broken.png"
    Image.new("RGB", (64, 64), (12, 200, 34)).save(good)
    bad.write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    huge = tmp_path / "huge.tif"
    huge.write_bytes(bytes(21 * 2**20))
    before = service._engine.count()
    page.click("#adding > summary")
    page.set_input_files("#add input", [str(file) for file in (good, bad, huge)])
    page.wait_for_selector(".report p:has-text('1 of 3 added, 2 could not be used.')")
    reasons = sorted(page.locator(".report li").all_inner_texts())
    assert reasons[0].startswith("<i>broken.png: it is ")
    assert reasons[1] == "huge.tif: it is larger than 20 MB."
    item = service._engine.get(hash_bytes(good.read_bytes()))
    assert item.title == "fresh mint-cup"
    page.wait_for_selector(f".held:has-text('{before + 1} pictures')")
    page.set_input_files("#add input", [str(good)])
    page.wait_for_selector(".report p:has-text('0 of 1 added, 1 already there.')")
    service._engine.delete(item.id)
    service._forget(item.id)


def test_the_keyboard_is_enough(visit: Visit, fusion: str) -> None:
    page = visit(fusion)

    def focus(selector: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate("(s) => document.activeElement.matches(s)", selector):
                return
        raise AssertionError(f"Tab never comes to {selector}")

    focus("#text")
    page.keyboard.type("kettle")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    focus("#found a.tile")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog[open]")
    focus("dialog .large input")
    page.keyboard.press("Space")
    page.wait_for_selector("dialog .large:has(:checked)")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    # The page goes back in its history a little later, which would undo a link that is followed.
    page.wait_for_function("!history.state?.dialog")
    focus("#found .acts a")
    page.keyboard.press("Enter")
    page.wait_for_selector("h2:has-text('More like “')")


def test_a_phone_shows_it_all_without_scrolling_sideways(visit: Visit, fusion: str) -> None:
    page = visit(fusion, **PHONE)
    whole = "document.documentElement.scrollWidth"
    page.click("#filters > summary")
    assert page.evaluate(whole) == 390
    with page.expect_navigation():
        page.click("a.chip:has-text('leopard +')")
    assert page.evaluate(whole) == 390
    boxes = page.evaluate(
        """() => [...document.querySelectorAll("#found .button")].map((one) => {
            const { left, right, height } = one.getBoundingClientRect();
            return [left, right, height];
        })"""
    )
    assert len(boxes) >= 18
    assert all(left >= 0 and right <= 390 and height >= 38 for left, right, height in boxes)
    page.click(".card a.tile >> nth=0")
    page.wait_for_selector("dialog[open]")
    assert page.locator("dialog").bounding_box()["width"] <= 390


@pytest.mark.parametrize("language", ["it-IT", "en-GB"])
def test_the_browser_chooses_the_language(visit: Visit, fusion: str, language: str) -> None:
    page = visit(f"{fusion}&text=a+blue+kettle", locale=language)
    italian = language.startswith("it")
    assert page.get_attribute("html", "lang") == language[:2]
    assert page.inner_text("button.primary") == ("Cerca" if italian else "Search")
    assert page.inner_text("#status").startswith("9 immagini" if italian else "9 pictures")
    assert ("somiglianza 0," if italian else "similarity 0.") in page.inner_text(".place >> nth=0")


def test_without_a_script_plain_links_and_forms_do(
    visit: Visit, fusion: str, shop: Path, service: Service, tmp_path: Path
) -> None:
    page = visit(fusion, java_script_enabled=False)
    page.set_input_files("#ask .choose input", str(shop / "leopard.jpg"))
    page.fill("#text", THEME)
    page.click("button.primary")
    page.wait_for_url("**image=*")
    assert page.locator("#found [data-id]").count() == 9
    page.click("#more")
    page.wait_for_url("**limit=33*")
    assert page.locator("#found [data-id]").count() == 33
    page.click(".card a.tile >> nth=0")
    page.wait_for_selector("main > article.item")
    page.go_back()
    page.click("a[title='Choose a part of it']")
    page.fill("[name=width]", "50")
    page.click("button.primary")
    page.wait_for_url("**image=*")
    assert page.locator("#found [data-id]").count() == 9
    Image.new("RGB", (40, 30), (9, 8, 7)).save(tmp_path / "dark.png")
    page.click("#adding > summary")
    page.set_input_files("#add input", str(tmp_path / "dark.png"))
    page.click("#add button")
    assert page.inner_text(".report p") == "1 of 1 added."
    service._engine.delete(hash_bytes((tmp_path / "dark.png").read_bytes()))


def test_the_first_page_is_light(visit: Visit, url: str, contexts: Any) -> None:
    page = contexts(user_agent="fresh").new_page()
    sizes: list[int] = []
    page.on(
        "requestfinished",
        lambda one: sizes.append(
            sum(one.sizes()[k] for k in ("responseBodySize", "responseHeadersSize"))
        ),
    )
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.close()
    assert len(sizes) <= 12 and sum(sizes) < 100_000


def test_what_others_wrote_is_shown_and_never_run(
    visit: Visit, url: str, service: Service, chat: ChatServer, tmp_path: Path
) -> None:
    hostile = "red <img src=x onerror='hacked=1'>${hacked=1}`{{value}}</p><script>hacked=1</script>"
    Image.new("RGB", (64, 64), (90, 12, 200)).save(tmp_path / "item.png")
    fields = {"title": hostile, "stock": 77, "maker": hostile, "url": "javascript:hacked=1"}
    item = service._engine.add(tmp_path / "item.png", metadata=fields)
    chat.script = lambda _: ranking([0], hostile)
    page = visit(url)
    page.fill("#text", hostile)
    page.click("#filters > summary")
    page.fill("#filter", "stock == 77")
    with page.expect_navigation():
        page.press("#filter", "Enter")
    page.wait_for_selector("#slot[aria-busy=false]", state="attached")
    assert page.inner_text("article h2") == hostile
    assert page.inner_text(".why") == f"Why this one\n{hostile}"
    assert hostile[:20] in page.inner_text(".steps")
    page.click("a.tile")
    page.wait_for_selector("dialog[open]")
    assert not page.query_selector("dialog a[href^=javascript]")
    assert page.evaluate("window.hacked") is None
    service._engine.delete(item.id)


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
        assert page.inner_text("#found h2") == "This collection is empty"
        assert not page.query_selector("#ask a.chip")
        page.click("button:has-text('demo shop')")
        page.wait_for_selector("h2:has-text('From the collection')", timeout=60_000)
        assert page.inner_text(".held") == "24 pictures"
        with page.expect_navigation():
            page.click("a.chip:has-text('leopard +')")
        assert "ranked by fusion" in page.inner_text("#status")
        assert page.input_value("#text") == THEME


def test_a_database_that_is_gone_is_told(visit: Visit, empty: Service) -> None:
    with serving(empty) as address:
        page = visit(address)
        empty._engine.collection.close()
        page.request.get(address)
        reply = page.request.get(f"{address}?text=kettle", headers={"Accept": "text/html"})
        assert reply.status == 503 and "The database failed" in reply.text()
        assert "Traceback" not in reply.text()
