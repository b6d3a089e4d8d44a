"""BM25 over a field and reciprocal rank fusion: worked by hand, and by another implementation."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ocelot
from ocelot import FunctionEncoder, Query
from ocelot.assets import demo_shop
from ocelot.collection.rows import EncoderIdentity
from ocelot.errors import FilterError, InputError
from ocelot.hybrid import fused, word_scores
from ocelot.images.store import ImageStore
from ocelot.types import Hit


def hits(*titles: Any) -> list[Hit]:
    """Hits named a, b, …; None stands for no title."""
    return [
        Hit(chr(97 + n), ("x",), metadata={} if title is None else {"title": title})
        for n, title in enumerate(titles)
    ]


def order(found: Sequence[Hit], text: str) -> str:
    return "".join(hit.id for hit in fused(found, "title", text))


def test_bm25_by_hand() -> None:
    titles = ["Red Mug", "blue mug", "Red, red kettle", "Case", None]
    # Both words are in two of five values: ln(1 + 3.5 / 2.5) = ln 2.4. Twice the same word counts
    # 2 · 2.2 / 3.2 = 1.375.
    expected = [2 * log(2.4), log(2.4), 1.375 * log(2.4), 0, 0]
    assert word_scores("red mug", titles) == pytest.approx(expected)
    assert word_scores("green", titles) == [0] * 5
    assert word_scores("red", []) == []
    long = " ".join(f"word{n}" for n in range(50_000))
    assert word_scores(long, ["word1", "x"])[1] == 0  # at once, whatever the text


def test_fusion_by_hand() -> None:
    found = hits("Zebra Sleeve", "Leopard Mug", "Blue Mug", "Leopard Case")
    # a: 1/61 = .0164; b: 1/62 + 1/61 = .0325; c: 1/63 = .0159; d: 1/64 + 1/62 = .0318
    assert order(found, "leopard") == "bdac"
    assert order(found, "tiger") == "abcd"
    # "mug" is in two of four, and in b and c: b 1/62 + 1/61, c 1/63 + 1/62; "case" is rarer, so
    # it ranks first: d 1/64 + 1/61 = .0320, b 1/62 + 1/62 = .0323, c 1/63 + 1/63 = .0317.
    assert order(found, "mug case") == "bdca"


def test_against_another_implementation() -> None:
    draw = random.Random(0)
    words = [f"word{n}x" for n in range(12)]
    for _ in range(200):
        titles = [" ".join(draw.choices(words, k=draw.randint(0, 6))) for _ in range(20)]
        asked = draw.choices(words, k=3)
        split = [title.split() for title in titles]
        scores = np.zeros(20)
        for word in set(asked):
            times = np.array([row.count(word) for row in split], dtype=float)
            having = np.count_nonzero(times)
            scores += np.log(1 + (20 - having + 0.5) / (having + 0.5)) * (
                2.2 * times / (1.2 + times)
            )
        assert word_scores(" ".join(asked), titles) == pytest.approx(scores)
        # The rank by words: 1 and the number of those that share more, or as much and come before.
        fusion = []
        for own, score in enumerate(scores):
            higher = np.count_nonzero(scores > score + 1e-9)
            before = np.count_nonzero(np.abs(scores[:own] - score) <= 1e-9)
            fusion.append(1 / (61 + own) + (1 / (61 + higher + before) if score else 0))
        expected = sorted(range(20), key=lambda n: (-round(fusion[n], 12), n))
        assert [ord(one) - 97 for one in order(hits(*titles), " ".join(asked))] == expected


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("MUGS", "a mug"), ("mug", "two mugs"), ("dress", "Dresses"), ("watches", "watch"),
        ("t-shirt", "T Shirt"), ("cafe", "Café"), ("straße", "STRASSE"), ("iPhone 12", "iphone 12"),
        ("tags", ["x", "tag"]), ("чашка", "Чашка"), ("tan", "Case (tan)"),
    ],
)  # fmt: skip
def test_the_same_words(text: str, title: Any) -> None:
    (score,) = word_scores(text, [title])
    count = len(re.findall(r"\w+", text))
    assert score == pytest.approx(count * log(1 + 0.5 / 1.5))


@pytest.mark.parametrize(
    ("text", "title"),
    [("cap", "cape"), ("car", "scar"), ("12", "123"), ("12", 12), ("a", {"a": 1})],
)
def test_other_words(text: str, title: Any) -> None:
    assert word_scores(text, [title]) == [0]


# In an engine


def flat(image: Any, text: str | None) -> list[float]:
    """The nearer to white, the more similar to any text."""
    bright = 255 if image is None else image.getpixel((0, 0))[0]
    return [1.0, bright / 255]


def test_rows_are_compared_as_they_are(open_collection: Any, tmp_path: Path) -> None:
    encoder = FunctionEncoder(flat, dimension=2, name="flat")
    identity = EncoderIdentity.of(encoder)
    images = ImageStore(uploads=tmp_path)
    query = Query(text="zebra", hybrid="title")

    def found(**options: Any) -> list[str]:
        return [hit.id for hit in shop.search(query, **options)]

    def add(id: str, grey: int, title: str | None) -> None:
        picture = np.full((2, 2, 3), grey, dtype=np.uint8)
        other.add(picture, id=id, metadata={"grey": grey} | ({"title": title} if title else {}))

    # What one engine writes, another one finds: on a server both have a connection of their own.
    shop, other = (
        ocelot.Engine(encoder, open_collection(encoder=identity), images=images) for _ in range(2)
    )
    assert found() == []
    add("a", 200, None)
    with pytest.raises(FilterError, match="has the field 'title' to compare words with: they"):
        found()
    add("b", 150, "Lion")
    add("c", 100, "Zebras")
    assert found() == ["c", "a", "b"]
    assert found(limit=1) == ["c"] and found(filter="grey > 100", limit=1) == ["a"]
    scores = [hit.score for hit in shop.search(query)]
    assert scores[0] == min(scores)  # still those of the vectors
    add("b", 150, "Zebra")
    assert found() == ["b", "c", "a"]
    other.delete("c")
    assert found() == ["b", "a"]
    grouped = shop.search(Query(text="zebra", hybrid="title", group_by="title"))
    assert [hit.id for hit in grouped] == ["b", "a"]
    black = np.zeros((2, 2, 3), np.uint8)
    plain = [hit.id for hit in shop.search(Query(black))]
    without_text = shop.search(Query(black, hybrid="title"))
    assert [hit.id for hit in without_text] == plain == ["b", "a"]


def test_what_a_title_says_is_found_in_the_demo_shop(tmp_path: Path) -> None:
    source = demo_shop()
    asked = Query(text="leopard", hybrid="title")
    with ocelot.open(tmp_path / "a.db") as shop:
        shop.index(source / "images", metadata=source / "metadata.csv")
        result = shop.search(asked)
        assert {hit.metadata["pattern"] for hit in result} == {"leopard"}
        assert not result.query.is_plain
        # A word that the encoder does not know finds all titles that have it first.
        unknown = shop.search(Query(text="boombox", hybrid="title"), limit=20)
        assert unknown.unknown_words == ("boombox",)
        having = ["Boombox" in hit.title for hit in unknown]
        assert sum(having) == sum("Boombox" in item.title for item in shop.items()) > 1
        assert having == sorted(having, reverse=True)
        for query in (Query(text="boombox"), Query(text="blorf", hybrid="title")):
            with pytest.raises(InputError, match="does not know: "):
                shop.search(query)
