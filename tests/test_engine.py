"""The library as its users hold it: real Milvus Lite, a plain encoder, and brute force."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ocelot
from ocelot.encoders import FunctionEncoder
from ocelot.errors import (
    CollectionError,
    ConfigurationError,
    FilterError,
    ImageError,
    InputError,
    ItemNotFound,
    MetadataError,
)
from ocelot.model.knowledge import unknown_words
from ocelot.types import Hit, Query, Ranking
from tests.indexing.pictures import hash_file

RNG = np.random.default_rng(7)
COLOURS = [tuple(int(value) for value in row) for row in RNG.integers(0, 256, (24, 3))]


def mean_colour(image: Image.Image | None, text: str | None) -> Any:
    """The picture's mean colour; the text adds red for each of its letters."""
    colour = np.array([1.0, 1, 1]) if image is None else np.asarray(image).mean((0, 1)) + 1
    return colour + np.array([40.0 * len(text or ""), 0, 0])


ENCODER = FunctionEncoder(mean_colour, dimension=3, name="mean colour")


class Backwards:
    """A reranker that likes the last best."""

    name = "backwards"

    def rerank(self, query: Query, hits: Any) -> Ranking:
        return Ranking(tuple(range(len(hits)))[::-1], "the last first", self.name)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    lines = ["file_name,title,price"]
    for number, colour in enumerate(COLOURS):
        Image.new("RGB", (16, 12), colour).save(folder / f"{number:02}.png")
        lines.append(f"{number:02}.png,Picture {number},{number}")
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture
def engine(tmp_path: Path, pictures: Path) -> Iterator[ocelot.Engine]:
    with ocelot.open(tmp_path / "test.db", encoder=ENCODER, reranker=None) as opened:
        opened.index(pictures)
        yield opened


def expected(image: Path | None = None, text: str | None = None) -> list[str]:
    """File names in order of cosine, by brute force."""
    asked = np.asarray(mean_colour(None if image is None else Image.open(image), text))
    rows = np.array([mean_colour(Image.new("RGB", (1, 1), colour), None) for colour in COLOURS])
    cosines = rows @ asked / np.linalg.norm(rows, axis=1) / np.linalg.norm(asked)
    return [f"{place:02}.png" for place in np.argsort(-cosines)]


def names(hits: Iterable[Hit]) -> list[str]:
    return [Path(hit.path).name for hit in hits]


def test_composed_text_and_image_queries_agree_with_brute_force(
    engine: ocelot.Engine, pictures: Path
) -> None:
    for query in (
        {"image": pictures / "03.png", "text": "redder"},
        {"text": "red"},
        {"image": pictures / "05.png"},
    ):
        result = engine.search(**query, limit=24, keep_reference=True)  # type: ignore[arg-type]
        assert names(result) == expected(**query)  # type: ignore[arg-type]
        assert [hit.rank for hit in result] == list(range(1, 25))
    assert names(engine.search(text="red", limit=3)) == expected(text="red")[:3]
    assert names(engine.search(Query(text="red"), limit=3)) == expected(text="red")[:3]


def test_queries_of_several_pictures_agree_with_brute_force(
    engine: ocelot.Engine, pictures: Path
) -> None:
    for places, text in (((3, 8), None), ((3, 8, 20), "redder"), ((0, 1, 2, 3, 4, 5, 6, 7), "a")):
        asked = np.zeros(3)
        for place in places:
            one = mean_colour(Image.new("RGB", (1, 1), COLOURS[place]), text)
            asked += one / np.linalg.norm(one)
        asked /= np.linalg.norm(asked)
        rows = np.array([mean_colour(Image.new("RGB", (1, 1), colour), None) for colour in COLOURS])
        cosines = rows @ asked / np.linalg.norm(rows, axis=1)
        files = [pictures / f"{place:02}.png" for place in places]
        result = engine.search(image=files, text=text, limit=24, keep_reference=True)
        assert names(result) == [f"{place:02}.png" for place in np.argsort(-cosines)]
        scores = [hit.score for hit in result]
        np.testing.assert_allclose(scores, np.sort(cosines)[::-1], atol=1e-5)


FORMS: list[Any] = [str, Path, Path.read_bytes, Image.open]


def test_all_pictures_of_a_query_are_left_out(engine: ocelot.Engine, pictures: Path) -> None:
    files = [pictures / f"{place:02}.png" for place in (4, 9, 13, 20)]
    given = [form(file) for form, file in zip(FORMS, files, strict=True)]
    given.append(np.zeros((2, 2, 3), np.uint8))  # of no file: nothing to leave out for it
    found = names(engine.search(image=given, limit=24))
    assert len(found) == 20 and not {file.name for file in files} & set(found)
    assert len(engine.search(image=given, limit=24, keep_reference=True)) == 24


@pytest.mark.parametrize("form", FORMS)
def test_the_query_picture_is_left_out_in_every_form(
    engine: ocelot.Engine, pictures: Path, form: Any
) -> None:
    file = pictures / "04.png"
    found = names(engine.search(image=form(file), limit=24))
    assert len(found) == 23 and "04.png" not in found
    assert names(engine.search(image=form(file), keep_reference=True))[0] == "04.png"


def test_a_copy_under_another_name_is_left_out_too(
    engine: ocelot.Engine, pictures: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "other.png"
    copy.write_bytes((pictures / "04.png").read_bytes())
    assert "04.png" not in names(engine.search(image=copy, limit=24))


def test_copies_with_own_ids_are_left_out_too(engine: ocelot.Engine, pictures: Path) -> None:
    file = pictures / "04.png"
    for number in range(30):  # more than the search leaves room for
        engine.add(file, id=f"copy-{number}")
    found = engine.search(image=file, limit=20)
    assert names(found) == [name for name in expected(file) if name != "04.png"][:20]
    assert len(engine.search(image=file, limit=60, keep_reference=True)) == 54


def test_filters_and_scores(engine: ocelot.Engine) -> None:
    result = engine.search(text="red", limit=24, filter="price < 5")
    assert sorted(names(result)) == [f"{number:02}.png" for number in range(5)]
    assert result[0].title.startswith("Picture ")
    third = engine.search(text="red", limit=24)[2].score
    assert len(engine.search(text="red", limit=24, min_score=third)) == 3
    with pytest.raises(FilterError, match="price <"):
        engine.search(text="red", filter="price <")


def test_reranking(tmp_path: Path, pictures: Path) -> None:
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=Backwards()) as engine:
        engine.index(pictures)
        plain = engine.search(text="red", limit=4, rerank=False)
        assert plain.ranking is None
        result = engine.rerank(plain)
        assert names(result) == names(plain)[::-1]
        assert [hit.rank for hit in result] == [1, 2, 3, 4]
        assert [hit.retrieval_rank for hit in result] == [4, 3, 2, 1]
        assert result.ranking is not None and result.ranking.reranker == "backwards"
        assert (result.best, result.reason) == (result[0], "the last first")
        for rerank in (None, True, Backwards()):
            again = engine.search(text="red", limit=4, rerank=rerank)
            assert again.hits == result.hits
            assert set(again.timings) == {"encode", "search", "rerank", "total"}
        nothing = engine.search(text="red", filter="price > 1000")
        assert (len(nothing), nothing.best, nothing.ranking) == (0, None, None)


class Taught(FunctionEncoder):
    """An encoder that has seen a few words."""

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return unknown_words(text, frozenset({"red", "in", "blue"}))


def test_words_that_the_encoder_never_saw_are_said(tmp_path: Path, pictures: Path) -> None:
    taught = Taught(mean_colour, dimension=3, name="taught")
    with ocelot.open(tmp_path / "a.db", encoder=taught, reranker=Backwards()) as engine:
        engine.index(pictures)
        picture = pictures / "00.png"
        for text, unknown in (("red blorf", ("blorf",)), ("in blue", ()), ("3/4", ())):
            for image in (None, picture):
                result = engine.search(image=image, text=text)
                assert (result.encoder, result.unknown_words) == ("taught", unknown)
                assert result.to_dict()["unknown_words"] == list(unknown)
                assert ("taught does not know: blorf." in result.to_html()) == bool(unknown)
        assert engine.search(image=picture).unknown_words == ()
        for text in ("blorf", "Blorf, fnord 42!", "手机壳", "x blorf's"):
            with pytest.raises(InputError, match=r"taught does not know: .*bge-visualized-base"):
                engine.search(text=text)
            assert engine.search(image=picture, text=text).unknown_words  # the picture is enough
        many = engine.search(text="red " + " ".join(f"blorf{c}" for c in "abcdefgh"))
        assert "blorfa, blorfb, blorfc, blorfd, blorfe and 3 more." in many.to_html()


def test_without_a_reranker(engine: ocelot.Engine) -> None:
    result = engine.search(text="red")
    assert (result.ranking, result.reason) == (None, "")
    for call in (lambda: engine.search(text="red", rerank=True), lambda: engine.rerank(result)):
        with pytest.raises(ConfigurationError, match="no reranker"):
            call()
    assert engine.search(text="red", limit=4, rerank=Backwards()).ranking is not None
    assert engine.rerank(result, Backwards()).ranking is not None


def test_results_can_be_looked_at(engine: ocelot.Engine, pictures: Path) -> None:
    result = engine.search(image=pictures / "03.png", text="redder", limit=2)
    assert len(repr(result)) < 200 and "03.png" in repr(result)
    assert result.panorama().size[0] > 100
    assert result.best is not None and result.best.title in result.to_html()
    assert [hit["id"] for hit in result.to_dict()["hits"]] == [hit.id for hit in result]
    assert "<iframe" in result._repr_html_()


def test_get_items_delete_and_count(engine: ocelot.Engine, pictures: Path) -> None:
    ids = [hash_file(pictures / "00.png"), hash_file(pictures / "01.png")]
    item = engine.get(ids[1])
    assert (Path(item.path).name, item.title, item.sha256) == ("01.png", "Picture 1", ids[1])
    assert (engine.count(), engine.count(filter="price < 5")) == (24, 5)
    assert [one.id for one in engine.items()] == sorted(map(hash_file, pictures.glob("*.png")))
    assert {one.metadata["price"] for one in engine.items(filter="price < 2")} == {0, 1}
    for call in (lambda: engine.count(filter="price <"), lambda: list(engine.items(filter="x <"))):
        with pytest.raises(FilterError):
            call()
    assert engine.delete(ids[0]) == 1
    assert engine.delete([*ids, "none"]) == 1
    assert engine.count() == 22
    for wrong in (ids[0], "none"):
        with pytest.raises(ItemNotFound, match=wrong):
            engine.get(wrong)
    with pytest.raises(InputError, match="id"):
        engine.get("../x")
    assert (pictures / "00.png").exists()


def test_it_closes_and_opens_again(tmp_path: Path, pictures: Path) -> None:
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=None) as engine:
        engine.index(pictures)
    engine.close()
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=None) as again:
        assert again.count() == 24


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"text": " "}, "nothing to search for"),
        ({}, "nothing to search for"),
        ({"text": "red", "limit": 0}, "limit"),
        ({"text": "red", "limit": 20_000}, "limit"),
        ({"text": "red", "limit": "3"}, "limit"),
        ({"text": "red", "limit": True}, "limit"),
        ({"text": "red", "limit": 2.0}, "limit"),
        ({"text": "red", "min_score": 1.5}, "minimum score"),
        ({"text": "red", "min_score": float("nan")}, "minimum score"),
        ({"text": "red", "min_score": "0.5"}, "minimum score"),
        ({"image": "none.png"}, r"none\.png"),
        ({"image": ["none.png", None]}, r"none\.png"),
        ({"image": 3}, "int"),
        ({"text": b"red"}, "bytes"),
    ],
)
def test_wrong_arguments_are_named(engine: ocelot.Engine, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        engine.search(**wrong)


def test_a_text_is_never_taken_for_a_query(engine: ocelot.Engine, pictures: Path) -> None:
    for wrong in ("leopard.jpg", pictures / "03.png", (None, "red"), b"x"):
        with pytest.raises(InputError, match=r"image= or text="):
            engine.search(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not both"):
        engine.search(Query(text="red"), text="blue")
    with pytest.raises(TypeError):
        engine.search(Query(text="red"), "blue")  # type: ignore[misc]


def test_settings_choose_the_reranker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-any")
    monkeypatch.setenv("OCELOT_RERANKER", "none")
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER) as engine:
        assert engine.reranker is None
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker="fusion") as engine:
        assert engine.reranker is not None and engine.reranker.name == "fusion"
    monkeypatch.setenv("OPENAI_API_KEY", "")
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        ocelot.open(tmp_path / "new.db", encoder=ENCODER, reranker="llm")
    assert not (tmp_path / "new.db").exists()


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="ocelot index"):
        ocelot.open(tmp_path / "none.db", encoder=ENCODER, create=False)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(ConfigurationError, match="reranker"):
        ocelot.open(tmp_path / "none.db", encoder=ENCODER, reranker="magic")


def test_similar_items_need_no_picture(engine: ocelot.Engine, pictures: Path) -> None:
    id = hash_file(pictures / "03.png")
    expected_ids = [hit.id for hit in engine.search(image=pictures / "03.png", limit=5)]
    for file in pictures.glob("*.png"):
        file.unlink()
    assert [hit.id for hit in engine.similar(id, limit=5)] == expected_ids
    cheap = engine.similar(id, limit=24, filter="price < 4")
    assert {hit.metadata["price"] for hit in cheap} == {0, 1, 2}
    with pytest.raises(ItemNotFound, match="0000"):
        engine.similar("0" * 64)
    with pytest.raises(InputError, match="limit"):
        engine.similar(id, limit=True)


def test_adding_one_file_is_indexing_it(engine: ocelot.Engine, tmp_path: Path) -> None:
    path = tmp_path / "new.png"
    Image.new("RGB", (20, 10), (1, 2, 250)).save(path)
    item = engine.add(path, metadata={"title": "New", "price": 1.5})
    assert (item.id, item.paths, item.width, item.height) == (hash_file(path), (str(path),), 20, 10)
    assert engine.search(image=path, keep_reference=True)[0].id == item.id
    stored = engine.collection.get([item.id])[0].vector
    report = engine.index(path)  # an indexing run finds nothing left to do
    assert (report.unchanged, report.encoded) == (1, 0)

    copy = tmp_path / "copy.png"
    copy.write_bytes(path.read_bytes())
    item = engine.add(copy)
    assert set(item.paths) == {str(path), str(copy)}
    assert item.metadata == {"title": "New", "price": 1.5}
    assert engine.add(copy, metadata={}).metadata == {}
    assert np.array_equal(engine.collection.get([item.id])[0].vector, stored)


@pytest.mark.parametrize("form", [*FORMS[2:], np.asarray])
def test_pictures_without_a_path_are_kept(engine: ocelot.Engine, pictures: Path, form: Any) -> None:
    before = engine.count()
    given = form(Image.new("RGB", (20, 10), (1, 2, 250)) if form is np.asarray else
                 pictures / "03.png")  # fmt: skip
    item = engine.add(given, id="SKU-1", metadata={"price": 99})
    assert (item.id, item.metadata, engine.count()) == ("SKU-1", {"price": 99}, before + 1)
    (path,) = map(Path, item.paths)
    assert path.parent.parent == engine.images.uploads.folder
    assert hash_file(path) == item.sha256
    (hit,) = engine.search(image=given, keep_reference=True, filter="price == 99")
    assert hit.id == "SKU-1" and hit.score > 0.9999
    assert engine.delete("SKU-1") == 1
    assert not path.exists() and engine.count() == before


def test_an_own_id_takes_other_content(engine: ocelot.Engine, pictures: Path) -> None:
    data = [(pictures / f"{number:02}.png").read_bytes() for number in range(2)]
    first = engine.add(data[0], id="a", metadata={"title": "one", "price": 7})
    second = engine.add(data[1], id="a", metadata={"title": "two"})
    assert (second.sha256, second.metadata) == (hash_file(pictures / "01.png"), {"title": "two"})
    assert not Path(first.path).exists() and Path(second.path).exists()
    third = engine.add(data[0], id="a")
    assert (third.sha256, third.metadata) == (first.sha256, {"title": "two"})
    assert engine.count() == 25


def test_items_share_a_content(engine: ocelot.Engine, tmp_path: Path) -> None:
    """Deleting one leaves the files and the small copy that the other uses."""
    image = Image.new("RGB", (1000, 900), "orange")
    first, second = engine.add(image), engine.add(image, id="b")
    third = engine.add(first.path, id="c")
    copies = engine.images.thumbnails
    assert copies is not None
    assert first.sha256 == second.sha256 == third.sha256 == first.id
    engine.delete(first.id)
    assert Path(first.path).exists() and Path(second.path).exists()  # c has the first file
    engine.delete("b")
    assert Path(first.path).exists() and not Path(second.path).exists()
    assert copies.get(first.id)
    assert engine.images.original(engine.get("c")).id == first.id
    engine.delete("c")
    assert not Path(first.path).exists()
    assert not copies.get(first.id)


def test_folder_runs_leave_own_ids_alone(engine: ocelot.Engine, pictures: Path) -> None:
    engine.add(pictures / "00.png", id="a", metadata={"price": 1000})
    engine.add((pictures / "00.png").read_bytes(), id="b")
    assert engine.index(pictures).unchanged == 24
    (pictures / "00.png").unlink()
    (pictures / "01.png").unlink()
    (pictures / "metadata.csv").write_text("file_name,price\n02.png,5\n")
    report = engine.index(pictures, prune=True)
    assert (report.unchanged, report.removed, report.updated) == (22, 2, 1)
    assert engine.get("a").metadata == {"price": 1000}
    assert engine.count() == 24


def test_what_cannot_be_added_is_not(engine: ocelot.Engine, tmp_path: Path) -> None:
    before = engine.count()
    (tmp_path / "text.png").write_text("no picture")
    path = tmp_path / "good.png"
    Image.new("RGB", (20, 10)).save(path)
    with pytest.raises(ImageError, match=r"text\.png"):
        engine.add(tmp_path / "text.png")
    with pytest.raises(ImageError, match="the image"):
        engine.add(b"no picture")
    with pytest.raises(ImageError, match="no such file"):
        engine.add(tmp_path / "none.png")
    with pytest.raises(MetadataError, match="'when' holds a object"):
        engine.add(path, metadata={"when": object()})
    for id in ("a b", "", "x" * 129, "f" * 64, 5):
        with pytest.raises(InputError, match="id"):
            engine.add(path.read_bytes(), id=id)  # type: ignore[arg-type]
    assert engine.count() == before
    assert not list(engine.images.uploads.folder.rglob("*.*"))


def read_of(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes each opening of a file by this process's Python code, from here on."""
    opened: list[str] = []
    plain = open

    def noted(file: Any, *arguments: Any, **options: Any) -> Any:
        opened.append(str(file))
        return plain(file, *arguments, **options)

    monkeypatch.setattr("builtins.open", noted)
    return opened


def test_a_query_picture_is_read_once(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker="fusion") as engine:
        engine.index(pictures)
        opened = read_of(monkeypatch)
        for file in (pictures / "03.png", str(pictures / "04.png")):
            result = engine.search(image=file, text="redder")
            assert result.ranking is not None and result.ranking.status == "ok"
            assert opened.count(str(file)) == 1


def test_a_damaged_query_picture_is_named(engine: ocelot.Engine, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for image in (broken, [Image.new("RGB", (2, 2)), broken]):
        with pytest.raises(ImageError, match=r"broken\.png"):
            engine.search(image=image)


def test_the_vectors_of_queries_are_kept(tmp_path: Path, pictures: Path) -> None:
    asked: list[str | None] = []

    def noting(image: Image.Image | None, text: str | None) -> Any:
        asked.append(text)
        return mean_colour(image, text)

    encoder = FunctionEncoder(noting, dimension=3, name="mean colour")
    with ocelot.open(tmp_path / "a.db", encoder=encoder, reranker="fusion") as engine:
        engine.index(pictures)
        asked.clear()
        query = Query(pictures / "03.png", "redder")
        first = engine.search(query)
        assert asked == ["redder", "redder", None]  # the whole, its text, its picture
        again = engine.search(query)
        assert len(asked) == 3
        assert again.hits == first.hits


def test_small_copies_of_large_pictures_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    large, added, small = (tmp_path / f"{name}.jpg" for name in ("large", "added", "small"))
    Image.new("RGB", (1200, 900), "red").save(large)
    Image.new("RGB", (900, 1200), "blue").save(added)
    Image.new("RGB", (300, 200), "green").save(small)
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=None) as engine:
        kept = engine.images.thumbnails
        assert kept is not None
        engine.index([large, small])
        item = engine.add(added)
        assert (item.width, item.height) == (900, 1200)
        ids = [hash_file(path) for path in (large, added, small)]
        sizes = [Image.open(io.BytesIO(kept.get(id) or b"")).size for id in ids[:2]]
        assert kept.get(ids[2]) is None
        assert sizes == [(400, 300), (300, 400)]
        engine.delete(ids[:1])
        assert [kept.get(id) is not None for id in ids] == [False, True, False]
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=None, thumbnails_mb=0) as none:
        assert none.images.thumbnails is not None
        assert not any(map(none.images.thumbnails.get, ids))
        none.index(large)  # made again, without a copy
        assert [kept.get(id) is not None for id in ids] == [False, True, False]
        none.delete(ids)  # but what there was goes
        assert not any(map(kept.get, ids))
    kept.close()


def test_async_code_calls_it_in_threads(engine: ocelot.Engine, pictures: Path) -> None:
    added = [Image.new("RGB", (16, 12), (number, 250, number)) for number in range(8)]

    async def work() -> list[Any]:
        calls = []
        for number, image in enumerate(added):
            calls.append(asyncio.to_thread(engine.add, image, id=f"new-{number}"))
            calls.append(asyncio.to_thread(engine.search, text="red", filter="price < 24", limit=3))
        return await asyncio.gather(*calls)

    done = asyncio.run(work())
    assert [item.id for item in done[::2]] == [f"new-{number}" for number in range(8)]
    assert all(names(result) == expected(text="red")[:3] for result in done[1::2])
    assert engine.count() == 32


def test_a_text_is_one_id(engine: ocelot.Engine, pictures: Path) -> None:
    for id in ("a", "b", "c", "abc"):
        engine.add(Image.new("RGB", (9, 9), "red"), id=id)
    assert [row.id for row in engine.collection.get("abc")] == ["abc"]
    assert engine.collection.known("abc") == {"abc"}
    assert engine.delete("abc") == 1
    assert [row.id for row in engine.collection.delete("a")] == ["a"]
    assert engine.collection.known(["a", "b", "c", "abc"]) == {"b", "c"}


def test_deleting_reads_once(engine: ocelot.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [item.id for item in engine.items()][:3]
    asked: list[str] = []
    query = engine.collection._query

    def counted(expression: str, *arguments: Any) -> Any:
        asked.append(expression)
        return query(expression, *arguments)

    monkeypatch.setattr(engine.collection, "_query", counted)
    assert engine.delete([*ids, "none"]) == 3
    # Once for the rows, once for other items with the same contents.
    assert len(asked) == 2
