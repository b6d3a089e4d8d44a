"""A result as a notebook shows it, in a real browser."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocelot.errors import InputError
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.render import ResultRenderer
from ocelot.types import Hit, Query, Ranking, Result
from tests.chromium import chromium

NOTEBOOK = "<!DOCTYPE html><style>h1 {{ color: red }}</style><h1>Mine</h1><main>{}</main>"
TITLE = "<b>\"Red\"</b> & 'blue' &quot;"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def result(tmp_path: Path) -> Result:
    hits = []
    for place, colour in enumerate(("red", "green", "blue"), 1):
        path = tmp_path / f"{colour}.png"
        Image.new("RGB", (90, 60), colour).save(path)
        id = ImageFile.of(path).id
        metadata = {"title": TITLE, "price": 9.5, "colour": colour}
        hits.append(Hit(id, (str(path),), 90, 60, metadata, score=1 - place / 10, rank=place))
    query = Query(Image.new("RGB", (60, 90), "olive"), "in blue")
    found = Result(query, tuple(hits), renderer=ResultRenderer(ImageStore()))
    return found.reranked(Ranking((2, 0, 1), "It is blue.", "gpt-4o", match=True))


def test_the_page_is_in_a_frame_of_its_own(result: Result) -> None:
    view = result._repr_html_()
    frame = re.fullmatch(r'<iframe srcdoc="([^"]*)" sandbox [^>]*></iframe>', view)
    assert frame is not None
    assert html.unescape(frame[1]) == result.to_html()


def test_a_notebook_shows_pictures_ranks_and_the_reason(browser: Any, result: Result) -> None:
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url[:40]))
    page.set_content(NOTEBOOK.format(result._repr_html_()))
    frame = page.frame_locator("iframe")
    frame.locator("footer").wait_for()
    assert frame.locator(".winner h2").inner_text() == TITLE
    assert frame.locator(".why").inner_text().split("\n") == ["Why this one", "It is blue."]
    assert frame.locator(".place b").all_inner_texts() == ["1st", "2nd", "3rd"]
    shown = "images => images.map(image => image.complete && image.naturalWidth > 0)"
    assert frame.locator("img").evaluate_all(shown) == [True] * 5
    # The frame is wide and high enough to read, and neither page styles the other.
    box = page.locator("iframe").bounding_box()
    assert box["width"] > 900 and box["height"] > 500
    colour = "element => getComputedStyle(element).color"
    assert page.locator("h1").evaluate(colour) == "rgb(255, 0, 0)"
    assert frame.locator("h1").evaluate(colour) != "rgb(255, 0, 0)"
    wide = "element => element.scrollWidth <= element.clientWidth"
    assert frame.locator("html").evaluate(wide)
    assert not [one for one in complaints if not one.startswith(("data:", "about:"))]
    page.close()


def test_a_result_of_ones_own_making_has_no_pictures(result: Result) -> None:
    with pytest.raises(InputError, match="engine"):
        Result(result.query, result.hits).to_html()
