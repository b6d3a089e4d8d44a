"""The parts of a query, and what is refused, one sentence each."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from typing import Any

import pytest

from ocelot.errors import InputError
from ocelot.images.file import ImageFile
from ocelot.query import Query, read_text

A, B, C = ImageFile(b"a", "a.jpg"), ImageFile(b"b", "b.jpg"), ImageFile(b"c", "c.jpg")
RICH = Query(
    [A, B], "shirt", items="SKU-1", image_weights=[1, 2, 0.5], text_weight=3,
    negative_text="red", negative_images=C, negative_weight=1, like=["x", "y", "x"], unlike="z",
    group_by="brand", fold=0.9, diversity=0.25, min_share=0.75,
)  # fmt: skip


def test_a_plain_query_is_what_it_was() -> None:
    query = Query(A, "in blue")
    assert repr(query) == f"Query(images=({A!r},), text='in blue')"
    assert query.extras() == {} and query.is_plain
    assert Query(A, "in blue", image_weights=1) == query == Query([A], "in blue", image_weights=[1])


def test_extras_are_all_other_parts_as_plain_values() -> None:
    assert RICH.extras() == {
        "items": ["SKU-1"], "image_weights": [1.0, 2.0, 0.5], "text_weight": 3.0,
        "negative_text": "red", "negative_images": [C.id], "negative_weight": 1.0,
        "like": ["x", "y"], "unlike": ["z"], "group_by": "brand", "fold": 0.9,
        "diversity": 0.25, "min_share": 0.75,
    }  # fmt: skip
    assert not RICH.is_plain
    assert pickle.loads(pickle.dumps(RICH)) == RICH == replace(RICH) and hash(RICH)
    assert Query(text="a", min_share=0.5).is_plain  # the scores are the same


@pytest.mark.parametrize(
    "part",
    [
        {"image_weights": 2}, {"text_weight": 2}, {"negative_text": "a"}, {"negative_images": B},
        {"like": "a"}, {"unlike": "a"}, {"group_by": "a"}, {"fold": 1}, {"diversity": 1},
        {"hybrid": "a"},
    ],
)  # fmt: skip
def test_a_query_with_other_wishes_is_not_plain(part: dict[str, Any]) -> None:
    assert not Query(A, "a", **part).is_plain
    assert Query(A, "a", **part) != Query(A, "a")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"text_weight": 0}, "text_weight must be 0.1 to 10, was: 0"),
        ({"text_weight": "2"}, "text_weight must be 0.1 to 10, was: '2'"),
        ({"text_weight": True}, "text_weight must be 0.1 to 10, was: True"),
        ({"text_weight": math.nan}, "text_weight must be 0.1 to 10, was: nan"),
        ({"image_weights": [1, 11]}, "image_weights must be 0.1 to 10, was: 11"),
        ({"image_weights": [1, 2, 3]}, "2 pictures and 3 image_weights"),
        ({"negative_weight": -1}, "negative_weight must be 0.1 to 10, was: -1"),
        ({"fold": 1.1}, "fold must be 0 to 1, was: 1.1"),
        ({"diversity": -0.1}, "diversity must be 0 to 1, was: -0.1"),
        ({"min_share": 2}, "min_share must be 0 to 1, was: 2"),
        ({"like": 3}, "like must be a list of ids of items, was: 3"),
        ({"unlike": [3]}, r"unlike must be a list of ids of items, was: \[3\]"),
        ({"like": [str(n) for n in range(101)]}, "like may be at most 100 ids, was: 101"),
        ({"items": list("abcdefg")}, "at most 8 reference images, was: 9"),
        ({"negative_images": [A] * 9}, "at most 8 negative images, was: 9"),
        ({"negative_text": 3}, "text must be a str, was: int"),
        ({"group_by": 3}, "text must be a str, was: int"),
        ({"hybrid": 3}, "text must be a str, was: int"),
        ({"hybrid": "title", "diversity": 0.1}, "hybrid and diversity, which both make an order"),
    ],
)
def test_a_part_that_cannot_be_used_is_named(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Query([A, B], "a", **parts)


@pytest.mark.parametrize("part", ["negative_text", "like", "unlike"])
def test_there_must_be_something_to_search_for(part: str) -> None:
    with pytest.raises(InputError, match=r"nothing to search for.*besides what to move towards"):
        Query(**{part: "a"})  # type: ignore[arg-type]
    assert Query(items="a").items == ("a",)


def test_refining_adds_texts_and_lists_and_replaces_the_rest() -> None:
    first = Query(A, "shirt", negative_text="red", like="x", diversity=0.2)
    assert first.refined("in blue", images=B, negative_text="dots", like=["y"], diversity=0) == (
        Query([A, B], "shirt, in blue", negative_text="red, dots", like=["x", "y"])
    )
    assert first.refined() == first
    assert Query(A).refined("in blue") == Query(A, "in blue")
    weighted = Query([A, B], image_weights=[1, 2])
    assert weighted.refined(images=C, image_weights=[1, 2, 3]).image_weights == (1, 2, 3)
    with pytest.raises(InputError, match="3 pictures and 2 image_weights"):
        weighted.refined(images=C)


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("shirt -red", "shirt", "red"),
        ("shirt -red -striped blue", "shirt blue", "red, striped"),
        ('shirt -"polka dots"', "shirt", "polka dots"),
        ("-red", None, "red"),
        ("-été mug", "mug", "été"),
        ("t-shirt", "t-shirt", None),
        ("a - b", "a - b", None),
        ("at -5 degrees", "at -5 degrees", None),
        ("--red  shirt", "--red  shirt", None),
        ('-"" shirt', '-"" shirt', None),
        ("", None, None),
    ],
)
def test_a_minus_before_a_word_means_without(
    text: str, wanted: str | None, unwanted: str | None
) -> None:
    assert read_text(text) == (wanted, unwanted)
