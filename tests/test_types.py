from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path
from typing import Any

import pytest

from ocelot.errors import ImageError, InputError
from ocelot.types import MAX_REFERENCES, Hit, Input, Query, Ranking, Result, Usage


def hit(rank: int, **metadata: object) -> Hit:
    return Hit(id=f"{rank:064x}", score=1 - rank / 10, rank=rank, paths=(f"/p/{rank}.jpg",),
               metadata=metadata)  # fmt: skip


def test_an_item_needs_something() -> None:
    for image, text in ((None, None), (None, "   "), ("", None)):
        with pytest.raises(InputError):
            Input(image, text)
    assert Input(None, "a").text == "a"
    assert Query("a.jpg", " ").text is None


def test_wrong_types_are_named() -> None:
    for image in (3, ["a.jpg"], object()):
        with pytest.raises(InputError, match="a path, the bytes"):
            Input(image)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="text must be a str, was: int"):
        Input(None, 5)  # type: ignore[arg-type]
    assert Input(bytearray(b"ab")).image == b"ab"
    assert Input(None, "caf\udcff").text == "caf?"


def test_further_pictures_are_taken_in_order_as_the_first_is() -> None:
    given: Any = [bytearray(b"ab"), Path("b.jpg"), "", None, "c.jpg"]
    query = Query("a.jpg", " in blue ", given)
    assert query.others == (b"ab", Path("b.jpg"), "c.jpg")
    assert query.images == ("a.jpg", b"ab", Path("b.jpg"), "c.jpg")
    assert query.parts() == tuple(Input(image, " in blue ") for image in query.images)
    assert pickle.loads(pickle.dumps(query)) == query


def test_without_a_first_picture_the_next_one_is_the_first() -> None:
    query = Query(others=("a.jpg", "b.jpg"))
    assert (query.image, query.others) == ("a.jpg", ("b.jpg",))
    assert query == Query("a.jpg", None, ("b.jpg",))
    assert Query("", "t", ("a.jpg",)) == Query("a.jpg", "t")


def test_queries_of_one_part_have_that_part() -> None:
    assert Query(text="a").images == () and Query(text="a").parts() == (Input(text="a"),)
    assert Query("a.jpg").images == ("a.jpg",) and Query("a.jpg").parts() == (Input("a.jpg"),)
    with pytest.raises(InputError, match="nothing to encode"):
        Query(None, " ", ("", ""))


def test_further_pictures_of_a_wrong_type_are_named() -> None:
    for others in ("b.jpg", b"b", Path("b.jpg"), None, {"b.jpg"}):
        with pytest.raises(InputError, match=f"in a list or a tuple, was: {type(others).__name__}"):
            Query("a.jpg", None, others)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"a path, the bytes.*was: int"):
        Query("a.jpg", None, ("b.jpg", 3))  # type: ignore[arg-type]


def test_the_number_of_pictures_is_limited() -> None:
    most = tuple(f"{number}.jpg" for number in range(MAX_REFERENCES))
    assert len(Query(others=most).images) == len(Query(most[0], "t", most[1:]).parts()) == 8
    with pytest.raises(InputError, match="at most 8 reference pictures, was: 9"):
        Query("one more.jpg", None, most)


def test_records_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        hit(1).score = 2.0  # type: ignore[misc]


def test_title_falls_back_to_the_file_name() -> None:
    assert hit(1, title=" Kettle ").title == "Kettle"
    assert hit(1, title=3).title == "1.jpg"
    assert hit(1).title == "1.jpg"


@pytest.mark.parametrize("order", [(0, 0), (1,), (0, 2), (-1, 0)])
def test_a_ranking_is_a_complete_permutation(order: tuple[int, ...]) -> None:
    assert Ranking((2, 0, 1), "", "test").order == (2, 0, 1)
    with pytest.raises(ValueError, match="permutation"):
        Ranking(order, "", "test")


def test_results_can_be_pickled_and_turned_into_dictionaries() -> None:
    result = Result(Query(text="a"), (hit(1),))
    assert pickle.loads(pickle.dumps(result)) == result
    assert dataclasses.asdict(Hit("0" * 64, 1.0, 1, ("a",)))["metadata"] == {}


def test_ranked_keeps_earlier_ranks() -> None:
    hits = (hit(1), hit(2), hit(3))
    result = Result(Query(text="a"), hits, Ranking((2, 0, 1), "because", "test"))
    assert [one.rank for one in result.hits] == [3, 1, 2]
    assert result.best is hits[2]


def test_no_winner_when_nothing_fits_or_is_found() -> None:
    asked = Query(text="a")
    assert Result(asked, ()).best is None
    assert Result(asked, (hit(1),)).best is not None
    nothing = Ranking((0,), "none of them", "test", match=False)
    assert Result(asked, (hit(1),), nothing).best is None


def test_usage_adds_up() -> None:
    assert Usage(1, 10, 2) + Usage(2, 5, 1) == Usage(3, 15, 3)


def test_image_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ImageError("a.jpg", "it is damaged")))
    assert (error.name, error.reason) == ("a.jpg", "it is damaged")
    assert str(error) == "Cannot use a.jpg: it is damaged."
