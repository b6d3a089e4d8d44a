from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.errors import ImageError, InputError
from ocelot.images.file import ImageFile
from ocelot.types import MAX_REFERENCES, Hit, Input, Item, Query, Ranking, Result, Usage


def hit(rank: int, **metadata: object) -> Hit:
    return Hit(f"{rank:064x}", (f"/p/{rank}.jpg",), metadata=metadata, score=1 - rank / 10,
               rank=rank)  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = [tmp_path / f"{name}.png" for name in "abc"]
    for number, path in enumerate(found):
        Image.new("RGB", (4, 3), (number, 0, 0)).save(path)
    return found


def test_an_input_needs_an_image_or_a_text(files: list[Path]) -> None:
    for image, text in ((None, None), (None, "   "), ("", None)):
        with pytest.raises(InputError, match="nothing to encode"):
            Input(image, text)
    assert Input(None, "a").text == "a"
    assert Query(files[0], " ").text is None


def test_wrong_types_are_named() -> None:
    for image in (3, ["a.jpg"], object(), np.zeros((2, 2))):
        with pytest.raises(InputError, match=r"image.*must"):
            Input(image)
    with pytest.raises(InputError, match="text must be a str, was: int"):
        Input(None, 5)  # type: ignore[arg-type]
    assert Input(bytearray(b"ab")).image == ImageFile(b"ab")
    assert Input(None, "caf\udcff").text == "caf?"


def test_a_query_takes_one_image_or_several_in_order(files: list[Path]) -> None:
    data = files[0].read_bytes()
    query = Query([bytearray(data), files[1], "", None, str(files[2])], " in blue ")
    assert [image.data for image in query.images] == [path.read_bytes() for path in files]
    assert [image.name for image in query.images] == ["the image", *map(str, files[1:])]
    assert query.inputs() == tuple(Input(image, " in blue ", True) for image in query.images)
    assert query.reference_ids() == tuple(image.id for image in query.images)
    assert pickle.loads(pickle.dumps(query)) == query
    assert Query(files[0]) == Query([files[0]]) == Query((files[0],))


def test_a_query_of_a_text_has_one_input() -> None:
    query = Query(text="a")
    inputs = (Input(text="a", is_query=True),)
    assert (query.images, query.inputs(), query.reference_ids()) == ((), inputs, ())
    assert Input(text="a") not in inputs  # one may be encoded with another prompt
    for images in (None, [], "", ["", None]):
        with pytest.raises(InputError, match="nothing to search for"):
            Query(images, " ")


def test_images_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.jpg"):
        Query(tmp_path / "none.jpg")
    with pytest.raises(InputError, match="int"):
        Query([b"x", 3])


def test_the_number_of_images_is_limited() -> None:
    most = [bytes([number]) for number in range(MAX_REFERENCES)]
    assert len(Query(most).images) == len(Query(most, "t").inputs()) == 8
    with pytest.raises(InputError, match="at most 8 reference images, was: 9"):
        Query([*most, b"one more"], "t")


def test_values_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        hit(1).score = 2.0  # type: ignore[misc]


def test_title_falls_back_to_the_file_name() -> None:
    assert hit(1, title=" Kettle ").title == "Kettle"
    assert hit(1, title=3).title == "1.jpg"
    assert hit(1).title == "1.jpg"


def test_the_hash_of_an_item_is_its_id_by_default() -> None:
    assert Item("a" * 64, ("/a",)).sha256 == "a" * 64
    assert Item("SKU-1", ("/a",), sha256="b" * 64).sha256 == "b" * 64


@pytest.mark.parametrize("order", [(0, 0), (1,), (0, 2), (-1, 0)])
def test_a_ranking_is_a_complete_permutation(order: tuple[int, ...]) -> None:
    assert Ranking((2, 0, 1), "", "test").order == (2, 0, 1)
    with pytest.raises(ValueError, match="permutation"):
        Ranking(order, "", "test")


def test_results_are_sequences_that_can_be_pickled() -> None:
    result = Result(Query(text="a"), (hit(1), hit(2)))
    assert pickle.loads(pickle.dumps(result)) == result
    assert (len(result), list(result), result[1]) == (2, [hit(1), hit(2)], hit(2))
    assert dataclasses.asdict(Hit("0" * 64, ("a",)))["metadata"] == {}


def test_reranked_results_keep_their_retrieval_ranks() -> None:
    hits = (hit(1), hit(2), hit(3))
    plain = Result(Query(text="a"), hits, timings={"search": 1.0})
    result = plain.reranked(Ranking((2, 0, 1), "because", "test"), rerank=2.0)
    assert [(one.id, one.rank, one.retrieval_rank) for one in result] == [
        (hits[2].id, 1, 3), (hits[0].id, 2, 1), (hits[1].id, 3, 2)
    ]  # fmt: skip
    assert (result.best, result.reason) == (result[0], "because")
    assert result.timings == {"search": 1.0, "rerank": 2.0}
    assert result.retrieved == hits
    again = result.reranked(Ranking((0, 1, 2), "", "other"))  # of the hits as they were found
    assert again.hits == hits


def test_no_best_hit_when_nothing_fits_or_is_found() -> None:
    asked = Query(text="a")
    assert Result(asked, ()).best is None
    assert Result(asked, (hit(1),)).best is not None
    nothing = Ranking((0,), "none of them", "test", match=False)
    assert Result(asked, (hit(1),), nothing).best is None


def test_results_as_plain_values() -> None:
    query = Query(b"x" * 10_000, "redder")
    result = Result(query, (hit(1, price=3), hit(2))).reranked(Ranking((1, 0), "why", "test"))
    table = result.to_dict()
    assert table["query"] == {"images": ["the image"], "text": "redder"}
    assert [(one["rank"], one["retrieval_rank"]) for one in table["hits"]] == [(1, 2), (2, 1)]
    assert table["best"] == table["hits"][0] and table["hits"][1]["metadata"] == {"price": 3}
    assert table["ranking"]["reason"] == "why" and "order" not in table["ranking"]
    assert len(repr(result)) < 150
    wordy = Result(Query(text="red " * 999), (hit(1, title="Kettle " * 999),))
    assert len(repr(wordy)) < 180
    with pytest.raises(InputError, match="engine"):
        result.to_html()


def test_usage_adds_up() -> None:
    assert Usage(1, 10, 2) + Usage(2, 5, 1) == Usage(3, 15, 3)
    assert Usage(1, 10, 2, 0.5) + Usage() + Usage(1, 10, 2, 0.25) == Usage(2, 20, 4, 0.75)
    assert Usage(1, 1000, 200).priced(None).cost is None
    assert Usage(0, 0, 0).priced((2.5, 10.0)).cost == 0.0
    assert Usage(1, 0, 0).priced((2.5, 10.0)).cost is None  # many local servers count nothing


def test_image_errors_survive_pickling() -> None:
    error = pickle.loads(pickle.dumps(ImageError("a.jpg", "it is damaged")))
    assert (error.name, error.reason) == ("a.jpg", "it is damaged")
    assert str(error) == "Cannot use a.jpg: it is damaged."
