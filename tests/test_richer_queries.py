"""Weights, negatives, stored items and selections: an engine on Milvus Lite, known vectors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ocelot
from ocelot import FunctionEncoder, FunctionReranker, Query
from ocelot.errors import FilterError, InputError, ItemNotFound

KINDS, COLOURS, PATTERNS = ("mug", "case"), ("red", "blue"), ("plain", "striped", "dotted")
WORDS = (*KINDS, *COLOURS, *PATTERNS)
# A picture is one pixel: kind, colour and pattern are its channels.
ITEMS = [(kind, colour, pattern) for kind in KINDS for colour in COLOURS for pattern in PATTERNS]


def picture(kind: str, colour: str, pattern: str, shade: int = 0) -> Image.Image:
    pixel = (KINDS.index(kind), COLOURS.index(colour), PATTERNS.index(pattern) + 10 * shade)
    return Image.new("RGB", (2, 2), pixel)


def words(image: Image.Image | None, text: str | None) -> Any:
    """One axis for each word, of the picture and of the text; one more for the shade."""
    vector = np.zeros(len(WORDS) + 1)
    if image is not None:
        kind, colour, pattern = image.getpixel((0, 0))
        for word in (KINDS[kind], COLOURS[colour], PATTERNS[pattern % 10]):
            vector[WORDS.index(word)] += 1
        vector[-1] = 0.01 * (pattern // 10)
    for word in (text or "").replace(",", "").split():
        vector[WORDS.index(word)] += 1
    return vector


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ocelot.Engine]:
    folder = tmp_path_factory.mktemp("shop")
    encoder = FunctionEncoder(words, dimension=len(WORDS) + 1, name="words")
    with ocelot.open(folder / "shop.db", encoder=encoder, reranker=None, uploads=folder) as opened:
        for kind, colour, pattern in ITEMS:
            opened.add(
                picture(kind, colour, pattern),
                id=f"{colour}-{pattern}-{kind}",
                metadata={"kind": kind, "colour": colour},
            )
        yield opened


def ids(hits: Iterable[Any]) -> list[str]:
    return [hit.id for hit in hits]


def test_weights_move_the_hits_between_the_picture_and_the_words(shop: ocelot.Engine) -> None:
    given = picture("mug", "red", "striped")

    def best(**weights: float) -> str:
        return ids(shop.search(Query(given, "case blue dotted", **weights), limit=1))[0]

    assert best(text_weight=4) == "blue-dotted-case"
    kept = shop.search(Query(given, "case", image_weights=4), limit=1, keep_reference=True)
    assert ids(kept) == ["red-striped-mug"]
    assert ids(shop.search(Query(given, "case", text_weight=2), limit=1)) == ["red-striped-case"]


def test_negatives_move_what_shows_them_to_the_end(shop: ocelot.Engine) -> None:
    for negative in (
        {"negative_text": "striped"},
        {"negative_images": picture("case", "blue", "striped", shade=1)},
        {"unlike": "blue-striped-case"},
    ):
        plain = shop.search(text="mug", limit=6)
        assert sum("striped" in id for id in ids(plain)[:4]) > 0
        hits = ids(shop.search(Query(text="mug", **negative), limit=12))
        assert hits[:4] == [id for id in hits[:6] if "striped" not in id], negative
        assert all("mug" in id for id in hits[:6])


def test_a_stored_item_is_a_reference_picture(shop: ocelot.Engine) -> None:
    given = shop.search(image=picture("mug", "red", "striped"), text="blue", limit=5)
    stored = shop.search(Query(text="blue", items="red-striped-mug"), limit=5)
    assert [(hit.id, hit.score) for hit in stored] == [(hit.id, hit.score) for hit in given]
    assert "red-striped-mug" not in ids(stored)
    # The result's query has the picture, so that it can be reranked and drawn.
    assert len(stored.query.images) == 1 and stored.query.items == ()
    assert stored.panorama().width > 0
    two = Query(image_weights=[0.1, 9], items=["red-plain-mug", "blue-plain-case"])
    assert ids(shop.search(two, limit=1, keep_reference=True)) == ["blue-plain-case"]


def test_liked_items_pull_and_are_left_out_with_the_unliked(shop: ocelot.Engine) -> None:
    query = Query(text="mug", like="red-dotted-case", unlike="blue-dotted-mug")
    hits = shop.search(query, limit=12)
    assert ids(hits)[0] == "red-dotted-mug" and len(hits) == 10
    assert len(shop.search(query, limit=12, keep_reference=True)) == 12
    for part in ("like", "unlike", "items"):
        with pytest.raises(ItemNotFound, match="no item with the id none"):
            shop.search(Query(text="mug", **{part: ["red-dotted-case", "none"]}))
        with pytest.raises(InputError, match="id 'no id' cannot be used"):
            shop.search(Query(text="mug", **{part: "no id"}))


def test_groups_reach_beyond_the_limit(shop: ocelot.Engine) -> None:
    hits = shop.search(Query(text="mug red", group_by="colour"), limit=2).hits
    assert [hit.metadata["colour"] for hit in hits] == ["red", "blue"]
    assert [hit.folded for hit in hits] == [5, 5] and [hit.rank for hit in hits] == [1, 2]
    assert hits[0].to_dict()["folded"] == 5
    with pytest.raises(FilterError, match="'colr' to group by: they have colour, kind"):
        shop.search(Query(text="mug", group_by="colr"))


def test_near_duplicates_are_folded_and_counted(shop: ocelot.Engine) -> None:
    copies = [f"copy-{shade}" for shade in (1, 2)]
    for shade, id in enumerate(copies, 1):
        shop.add(picture("mug", "red", "plain", shade), id=id)
    try:
        query = Query(text="mug red plain", fold=0.999)
        hits = shop.search(query, limit=3).hits
        assert (hits[0].id, hits[0].folded) == ("red-plain-mug", 2)
        assert not set(ids(hits)) & set(copies)
        assert all(hit.vector is None for hit in hits)
        assert all(hit.vector is not None for hit in shop.search(query, with_vectors=True))
    finally:
        shop.delete(copies)


def test_diverse_hits_keep_the_best_and_differ(shop: ocelot.Engine) -> None:
    plain = shop.search(text="mug red", limit=3)
    diverse = shop.search(Query(text="mug red", diversity=0.7), limit=3)
    assert diverse[0].id == plain[0].id
    assert {id.split("-")[0] for id in ids(plain)} == {"red"}
    assert {id.split("-")[0] for id in ids(diverse)} == {"red", "blue"}
    assert [hit.retrieval_rank for hit in diverse] == [1, 2, 3]


def test_weak_hits_are_cut_off_by_their_share_of_the_best_score(shop: ocelot.Engine) -> None:
    result = shop.search(Query(text="mug red plain", min_share=0.6), limit=12)
    # Cosines are 1 for all three words, 2/3 for two and 1/3 for one.
    assert [round(hit.score, 3) for hit in result] == [1.0] + [0.667] * 4


def test_a_reranker_sees_the_whole_query_and_json_tells_it(shop: ocelot.Engine) -> None:
    seen: list[Query] = []

    def keep(query: Query, hits: Any) -> list[int]:
        seen.append(query)
        return list(range(len(hits)))

    query = Query(text="mug", negative_text="red", items="blue-plain-mug", diversity=0.2)
    result = shop.search(query, rerank=FunctionReranker(keep))
    assert seen == [result.query]
    assert seen[0].negative_text == "red" and len(seen[0].images) == 1
    told = result.to_dict()["query"]
    assert told["text"] == "mug" and len(told["images"]) == 1
    assert told["negative_text"] == "red" and told["diversity"] == 0.2


def test_a_result_is_refined(shop: ocelot.Engine) -> None:
    first = shop.search(text="mug")
    second = shop.search(first.query.refined("blue", negative_text="dotted", unlike=first[0].id))
    assert second.query.text == "mug, blue"
    assert second[0].id.startswith("blue") and second[0].id.endswith("mug")
    assert "dotted" not in second[0].id and first[0].id not in ids(second)


def test_the_file_of_a_stored_item_may_be_gone(tmp_path: Path) -> None:
    encoder = FunctionEncoder(words, dimension=len(WORDS) + 1, name="words")
    file = tmp_path / "a.png"
    picture("mug", "red", "plain").save(file)
    with ocelot.open(tmp_path / "a.db", encoder=encoder, reranker=None) as engine:
        item = engine.add(file)
        file.unlink()
        with pytest.raises(ItemNotFound, match="cannot be read any more"):
            engine.search(Query(text="blue", items=item.id))
