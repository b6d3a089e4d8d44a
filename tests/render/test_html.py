"""The page as a browser would read it: parsed, not matched as text, wherever that matters."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ocelot import __version__
from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.render import html
from ocelot.types import Hit, Query, Ranking, Result, Usage

VOID = {"meta", "link", "img", "wbr"}


class Reader(HTMLParser):
    """Elements, attributes and visible text; fails on tags that do not close as they opened."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and data.strip():
            self.text += " " + " ".join(data.split())

    def images(self) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == "img"]

    def names(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"{name}.png" for name in ("red", "green", "blue")]
    for path in paths:
        Image.new("RGB", (900, 300), path.stem).save(path)
    return [str(path) for path in paths]


def hit_of(path: str, rank: int = 1, **values: Any) -> Hit:
    """A hit whose picture is in a file."""
    return Hit(hash_bytes(Path(path).read_bytes()), (path,), rank=rank, **values)


def hits_of(paths: list[str], **metadata: Any) -> tuple[Hit, ...]:
    return tuple(
        hit_of(path, i + 1, score=0.9 - i / 10, metadata=metadata) for i, path in enumerate(paths)
    )


def result_of(query: Query, hits: tuple[Hit, ...], ranking: Ranking | None = None) -> Result:
    """A result of hits in retrieval order, and of a verdict on them."""
    result = Result(query, hits)
    return result if ranking is None else result.reranked(ranking)


def render_page(result: Result, panorama: Image.Image | None = None) -> str:
    return html.render_page(result, ImageStore(), panorama)


def colour(image: dict[str, str | None]) -> tuple[tuple[int, int], str]:
    """Size and name of the main colour of a data URL's picture."""
    head, _, body = (image["src"] or "").partition(",")
    assert head == "data:image/jpeg;base64"
    decoded = Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")
    pixel = decoded.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return decoded.size, ("red", "green", "blue")[pixel.index(max(pixel))]


def test_a_reranked_result(pictures: list[str]) -> None:
    ranking = Ranking(
        (2, 0, 1), "It is blue.", "gpt-4o", match=True, usage=Usage(2, 1483, 96), cached=False
    )
    hits = hits_of(pictures, category="Kitchen", price=5.5, kind="kettle")
    timings = {"encode": 0.0412, "search": 0.006, "rerank": 2.31, "total": 2.36}
    result = result_of(Query(pictures[0], "in blue"), hits, ranking)
    page = Reader(render_page(replace(result, timings=timings), Image.new("RGB", (3000, 100))))
    assert [colour(image) for image in page.images()[:4]] == [
        ((360, 120), "red"),  # the query
        ((720, 240), "blue"),  # the winner
        ((360, 120), "red"),
        ((360, 120), "green"),
    ]
    assert len(page.images()) == 5 and colour(page.images()[4])[0][0] == 1600
    assert all(image["alt"] for image in page.images())
    assert page.names("ol") == [{"class": "grid", "start": "2"}]
    for words in (
        "“in blue”",
        "Best match",
        "Why this one It is blue.",
        "1st ▲ was 3rd similarity 0.70",
        "2nd ▼ was 1st similarity 0.90",
        "3rd ▼ was 2nd similarity 0.80",
        "More matches 3 found",
        "Price 5.50",
        "Kitchen · kettle",
        "Ranked by gpt-4o",
        "1,483 tokens in, 96 out",
        "Calls to the model 2",
        "Time, encode 41 ms",
        "Time, rerank 2.3 s",
        f"Made by Ocelot {__version__}.",
    ):
        assert words in page.text, words
    assert "role" not in dict(*page.names("p")[:1])
    assert "usable" not in page.text


def test_nothing_is_loaded_from_elsewhere(pictures: list[str]) -> None:
    ranking = Ranking((0, 1, 2), "r", "fusion")
    result = result_of(Query(pictures[0], "t"), hits_of(pictures), ranking)
    page = Reader(render_page(result, panorama=Image.new("RGB", (50, 50))))
    assert not page.names("script") and not page.names("iframe") and not page.names("a")
    for tag, attributes in page.tags:
        for name in ("src", "href", "srcset", "action", "poster"):
            assert (attributes.get(name) or "data:").startswith("data:"), tag
        assert not any(name.startswith("on") or name == "style" for name in attributes)
    policy = next(m for m in page.names("meta") if "http-equiv" in m)
    assert (policy["content"] or "").startswith("default-src 'none'; img-src data:;")
    assert "url(" not in render_page(result) and "@import" not in render_page(result)


EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)> {{ 7 * 7 }} {% if %} &amp;"


def test_everything_from_outside_is_escaped(tmp_path: Path) -> None:
    path = str(tmp_path / "a<b>\"'&.png")
    Image.new("RGB", (8, 8)).save(path)
    metadata = {"title": EVIL, "category": "<i>c</i>", "<b>k</b>": "\"'<u>", "price": "<s>9</s>"}
    hits = tuple(hit_of(path, i + 1, metadata=metadata) for i in range(2))
    ranking = Ranking((0, 1), EVIL, "<em>", status="repaired", detail=EVIL)
    result = result_of(Query(path, EVIL), hits, ranking)
    page = Reader(render_page(replace(result, timings={"<time>": 1.0})))
    tags = {tag for tag, _ in page.tags}
    assert tags.isdisjoint({"script", "i", "u", "s", "em", "time"})
    assert page.names("b") == [{}, {}]  # the two places in the ranking
    assert [image["alt"] for image in page.images()] == ["The picture in the query", EVIL, EVIL]
    assert page.text.count(EVIL) == 6  # title, query, winner, reason, detail, card
    assert page.text.count(path) == 2 and "\"'<u>" in page.text and "<s>9</s>" in page.text


def test_a_missing_picture_is_a_neutral_tile(pictures: list[str], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff nonsense")
    hits = (*hits_of(pictures[:2]), hit_of(str(damaged), 3), Hit("z", ("a\0b",), rank=4))
    result = Result(Query(ImageFile(b"no image"), "t"), hits)
    os.remove(pictures[0])
    page = Reader(render_page(result))
    assert len(page.images()) == 1  # only green is left
    assert page.text.count("picture not found") == 4


def test_a_copy_stands_in_for_a_missing_picture(pictures: list[str]) -> None:
    hit = replace(hit_of(pictures[1]), paths=("/nowhere/a.png", pictures[1], pictures[2]))
    page = Reader(render_page(Result(Query(text="t"), (hit,))))
    assert colour(page.images()[0])[1] == "green"
    assert "/nowhere/a.png (and 2 copies)" in page.text


def test_a_file_name_that_is_no_unicode_can_be_saved(tmp_path: Path) -> None:
    name = os.fsdecode(b"/nowhere/caf\xe9.jpg")
    page = render_page(Result(Query(text=name), (Hit("x", (name,)),)))
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    assert "/nowhere/caf?.jpg" in page


def test_no_match(pictures: list[str]) -> None:
    ranking = Ranking((2, 0, 1), "Nothing is yellow.", "gpt-4o", match=False, cached=True)
    page = Reader(render_page(result_of(Query(text="yellow"), hits_of(pictures), ranking)))
    assert "No good match" in page.text and "Nothing is yellow." in page.text
    assert "Best match" not in page.text and "from the cache" in page.text
    assert page.names("ol") == [{"class": "grid", "start": "1"}]
    assert [colour(image)[1] for image in page.images()] == ["blue", "red", "green"]


@pytest.mark.parametrize("ranking", [None, Ranking((), "There was nothing to rank.", "fusion")])
def test_no_results(ranking: Ranking | None) -> None:
    page = Reader(render_page(Result(Query(text="a violin"), (), ranking)))
    assert "Nothing was found" in page.text
    assert not page.images() and not page.names("ol")


def test_states_in_plain_words(pictures: list[str]) -> None:
    fine = Ranking((0, 1, 2), "r", "gpt-4o")
    result = result_of(Query(text="t"), hits_of(pictures), fine)

    def text(**changes: Any) -> str:
        return Reader(render_page(replace(result, ranking=replace(fine, **changes)))).text

    fallback = text(status="fallback", detail="no key.")
    assert "The pictures are in retrieval order: no key." in fallback
    assert "Ranked by" not in fallback
    assert "Most similar" in text(status="fallback")
    assert "was repaired: index 9 dropped." in (text(status="repaired", detail="index 9 dropped"))
    unranked = Reader(render_page(replace(result, ranking=None))).text
    assert "retrieval order, not reranked" in unranked and "Most similar" in unranked


def test_metadata_that_says_little_is_left_out(pictures: list[str]) -> None:
    odd = {"nan": float("nan"), "none": None, "list": [1], "long": "x" * 200, "empty": " "}
    shown = {"stock": 3, "new": True, "weight": 2.50, "price": "$1,299"}
    page = Reader(render_page(Result(Query(text="t"), hits_of(pictures, **odd, **shown))))
    assert "stock 3 · new yes · weight 2.5" in page.text and "Price $1,299" in page.text
    assert not any(key in page.text for key in odd)


@pytest.mark.parametrize("image", ["path", "bytes", "pil"])
def test_the_query_picture_in_any_form(pictures: list[str], image: str) -> None:
    source: Any = {
        "path": Path(pictures[1]),
        "bytes": Path(pictures[1]).read_bytes(),
        "pil": Image.open(pictures[1]),
    }[image]
    page = Reader(render_page(Result(Query(source), ())))
    assert colour(page.images()[0])[1] == "green" and "This picture" in page.text


@pytest.mark.parametrize("text", ["in blue", None])
def test_all_reference_pictures_are_shown_in_order(
    pictures: list[str], tmp_path: Path, text: str | None
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    given = [pictures[2], tmp_path / "bad.png", Path(pictures[0]).read_bytes(), pictures[1]]
    page = Reader(render_page(Result(Query(given, text), ())))
    assert [colour(image)[1] for image in page.images()] == ["blue", "red", "green"]
    assert [image["alt"] for image in page.images()] == [
        f"Picture {number} of 4 in the query" for number in (1, 3, 4)
    ]
    assert page.text.count("picture not found") == 1
    assert page.names("div").count({"class": "references"}) == 1
    assert ("“in blue”" if text else "These pictures") in page.text


def test_one_picture_needs_no_grid(pictures: list[str]) -> None:
    page = Reader(render_page(Result(Query(pictures[0]), ())))
    assert {"class": "references"} not in page.names("div")
    assert [image["alt"] for image in page.images()] == ["The picture in the query"]


def test_the_pictures_of_the_caller_stay_as_they_are() -> None:
    panorama = Image.new("RGB", (3000, 100))
    render_page(Result(Query(text="t"), ()), panorama=panorama)
    assert panorama.size == (3000, 100)


@pytest.mark.parametrize(
    ("place", "words"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (13, "13th"),
     (21, "21st"), (22, "22nd"), (101, "101st"), (112, "112th")],
)  # fmt: skip
def test_places(place: int, words: str) -> None:
    hit = Hit("a", ("/nowhere",), rank=1, retrieval_rank=place)
    ranking = Ranking((0,), "r", "f")
    page = Reader(render_page(Result(Query(text="t"), (hit,), ranking)))
    assert (f"was {words} " in page.text) == (place > 1)
