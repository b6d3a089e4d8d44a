from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from ocelot.service import Answer
from ocelot.types import Hit, Query, Ranking, Result
from ocelot.web.page.cards import card, notice, status

HOSTILE = "<img src=x onerror=alert(1)>\"'&</p><script>alert(2)</script>${alert(3)}{{value}}"


class Reader(HTMLParser):
    """What a browser would make of the HTML: tags with their attributes, and texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("img", "wbr", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


def hit(rank: int, **metadata: object) -> Hit:
    paths = ("/secret/place.jpg",)
    return Hit(f"{rank:064x}", paths, 9, 9, metadata, score=1 - rank / 10, rank=rank)


def result_of(query: str, hits: tuple[Hit, ...], ranking: Ranking | None) -> Result:
    """A result in the order of a ranking."""
    result = Result(Query(text=query), hits)
    return result if ranking is None else result.reranked(ranking)


def answer(count: int = 3, ranking: Ranking | None = None, query: str = "q") -> Answer:
    hits = tuple(hit(rank, title=f"Item {rank}") for rank in range(1, count + 1))
    return Answer(result_of(query, hits, ranking), "key")


def pages(value: str) -> list[str]:
    """Every kind of HTML that there is, with `value` wherever something comes from outside."""
    fields = {"title": value, "colour": value[:40], value[:40]: 3, "price": value[:40]}
    evil = replace(hit(1, **fields), id=value)
    ranking = Ranking((1, 0), value, value, "repaired", value)
    result = replace(result_of(value, (evil, hit(2)), ranking), timings={value: 1.0})
    given = Answer(result, value)
    results = [result, replace(result, ranking=None)]
    results.append(replace(result, ranking=replace(ranking, match=False)))
    return [
        *(card("answer", replace(given, result=each), False) for each in results),
        card("similar", [evil], value),
        card("browse", [evil]),
        card("header", value),
        status(value, busy=True),
        notice(value),
        card("steps", [value], 0),
        card("suggestions", [value], True),
    ]


def test_nothing_from_outside_becomes_markup() -> None:
    for harmless, hostile in zip(pages("plain"), pages(HOSTILE), strict=True):
        expected, read = Reader(harmless), Reader(hostile)
        assert [tag for tag, _ in read.tags] == [tag for tag, _ in expected.tags]
        for (_, ours), (_, theirs) in zip(read.tags, expected.tags, strict=True):
            assert ours.keys() == theirs.keys()
        assert not read.open


def test_no_path_is_on_the_page() -> None:
    assert not any("secret" in page for page in pages("plain"))


def test_surrogates_of_file_names_are_made_sendable() -> None:
    assert "caf? &lt;b&gt;" in notice("caf\udce9 <b>")


def test_an_answer_that_is_not_ranked_yet_is_a_numbered_gallery() -> None:
    read = Reader(card("answer", answer(3), True))
    assert [li["data-id"] for li in read.all("li")] == [f"{n:064x}" for n in (1, 2, 3)]
    assert not read.all("article")
    assert read.all("ol")[0]["start"] == "1"
    assert "1st" in read.text and "similarity 0.90" in read.text and "3 found" in read.text
    assert read.all("div")[0]["aria-busy"] == "true"


def test_a_ranked_answer_has_its_winner_apart_with_reason_and_movement() -> None:
    ranking = Ranking((2, 0, 1), "Its handle is blue.", "gpt-4o", match=True)
    html = card("answer", answer(3, ranking), False)
    read = Reader(html)
    assert [one["data-id"] for one in read.all("article")] == [f"{3:064x}"]
    assert [li["data-id"] for li in read.all("li")] == [f"{1:064x}", f"{2:064x}"]
    assert read.all("ol")[0]["start"] == "2"
    assert "Why this oneIts handle is blue." in read.text
    assert '<span class="up"><span aria-hidden="true">▲</span> was 3rd</span>' in html
    assert html.count('<span class="down"><span aria-hidden="true">▼</span> was ') == 2
    assert read.all("img")[-1]["src"] == "./v1/panoramas/key"
    assert "What the language model was shown" in read.text


def test_pictures_are_asked_for_by_id() -> None:
    read = Reader(card("answer", answer(1), False))
    assert read.all("img")[0] == {
        "src": f"./v1/items/{1:064x}/image?size=360",
        "alt": "Item 1",
        "decoding": "async",
    }


def test_every_result_offers_more_like_it_and_itself_as_query() -> None:
    ranking = Ranking((0, 1), "", "fusion")
    read = Reader(card("answer", answer(2, ranking), False))
    offered = [(one["data-act"], one["data-value"]) for one in read.all("button")]
    ids = [f"{1:064x}", f"{2:064x}"]
    assert offered == [(act, id) for id in ids for act in ("similar", "use")]
    assert "More like this: Item 1" in read.text  # whose it is, for those who do not see


def test_no_match_is_said_and_the_closest_are_shown() -> None:
    ranking = Ranking((1, 0), "There is no kettle.", "gpt-4o", match=False)
    read = Reader(card("answer", answer(2, ranking), False))
    assert "No good match" in read.text and "There is no kettle." in read.text
    assert [li["data-id"] for li in read.all("li")] == [f"{2:064x}", f"{1:064x}"]
    assert not read.all("article")


def test_unknown_words_are_said() -> None:
    found = answer(2, Ranking((0, 1), "", "fusion"))
    result = replace(found.result, encoder="tiny", unknown_words=("blorf", "fnord"))
    read = Reader(card("answer", replace(found, result=result), False))
    assert "tiny does not know: blorf, fnord." in read.text


def test_a_fallback_is_told_and_nothing_is_called_best() -> None:
    ranking = Ranking((0, 1), "Kept.", "gpt-4o", "fallback", "It timed out.")
    read = Reader(card("answer", answer(2, ranking), False))
    assert "in retrieval order: It timed out." in read.text
    assert "Most similar" in read.text and "Best match" not in read.text


def test_nothing_found_says_what_to_do() -> None:
    read = Reader(card("answer", Answer(Result(Query(text="a"), ()), None), False))
    assert "Nothing was found" in read.text and not read.all("img")


@pytest.mark.parametrize(("local", "said"), [(True, "while this server is stopped"), (False, "")])
def test_an_empty_collection_says_how_to_fill_it(local: bool, said: str) -> None:
    read = Reader(card("empty", 900, local))
    assert "ocelot index PICTURES --db shop.db" in read.text and "900 pictures" in read.text
    assert said in read.text and (local or "stopped" not in read.text)
    assert [one["data-act"] for one in read.all("button")] == ["demo"]


def test_filling_shows_how_far_it_is() -> None:
    assert Reader(card("filling", 0, 60)).all("progress")[0].get("value") is None
    read = Reader(card("filling", 30, 60))
    assert read.all("progress")[0]["value"] == "30" and "30 of 60 pictures" in read.text


def test_the_step_that_is_shown_is_marked() -> None:
    read = Reader(card("steps", ["one", "two"], 1))
    assert [one.get("aria-current") for one in read.all("button")] == [None, "step", None]
    assert card("steps", [], 0) == ""
