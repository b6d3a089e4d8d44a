"""The library as its users hold it: real Milvus Lite, a plain encoder, and an oracle."""

from __future__ import annotations

import io
from collections.abc import Iterator
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
from ocelot.images.decode import hash_file
from ocelot.types import Hit, Query, Ranking

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


def expected(query: tuple[Any, str | None]) -> list[str]:
    """File names in order of cosine, by brute force."""
    image, text = query
    asked = np.asarray(mean_colour(None if image is None else Image.open(image), text))
    rows = np.array([mean_colour(Image.new("RGB", (1, 1), colour), None) for colour in COLOURS])
    cosines = rows @ asked / np.linalg.norm(rows, axis=1) / np.linalg.norm(asked)
    return [f"{place:02}.png" for place in np.argsort(-cosines)]


def names(hits: tuple[Hit, ...]) -> list[str]:
    return [Path(hit.path).name for hit in hits]


def test_composed_text_and_image_queries_agree_with_brute_force(
    engine: ocelot.Engine, pictures: Path
) -> None:
    for query in ((pictures / "03.png", "redder"), (None, "red"), (pictures / "05.png", None)):
        result = engine.search(query, limit=24, keep_reference=True)
        assert names(result.hits) == expected(query)
        assert [hit.rank for hit in result.hits] == list(range(1, 25))
    assert names(engine.search("red", limit=3).hits) == expected((None, "red"))[:3]


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
        first, *others = (pictures / f"{place:02}.png" for place in places)
        result = engine.search(Query(first, text, tuple(others)), limit=24, keep_reference=True)
        assert names(result.hits) == [f"{place:02}.png" for place in np.argsort(-cosines)]
        scores = [hit.score for hit in result.hits]
        np.testing.assert_allclose(scores, np.sort(cosines)[::-1], atol=1e-5)


def test_all_pictures_of_a_query_are_left_out(engine: ocelot.Engine, pictures: Path) -> None:
    files = [pictures / f"{place:02}.png" for place in (4, 9, 13, 20)]
    forms: list[Any] = [str, Path, Path.read_bytes, Image.open]
    given = [form(file) for form, file in zip(forms, files, strict=True)]
    other = Image.new("RGB", (2, 2), "red")  # of no file: nothing to leave out for it
    query = Query(others=(other, *given))
    found = names(engine.search(query, limit=24).hits)
    assert len(found) == 20 and not {file.name for file in files} & set(found)
    kept = names(engine.search(query, limit=24, keep_reference=True).hits)
    assert len(kept) == 24


@pytest.mark.parametrize("form", [str, Path, Path.read_bytes, Image.open])
def test_the_query_picture_is_left_out_in_every_form(
    engine: ocelot.Engine, pictures: Path, form: Any
) -> None:
    file = pictures / "04.png"
    found = names(engine.search(Query(form(file)), limit=24).hits)
    assert len(found) == 23 and "04.png" not in found
    kept = engine.search(Query(form(file)), keep_reference=True)
    assert Path(kept.hits[0].path).name == "04.png"


def test_a_copy_under_another_name_is_left_out_too(
    engine: ocelot.Engine, pictures: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "other.png"
    copy.write_bytes((pictures / "04.png").read_bytes())
    assert "04.png" not in names(engine.search((copy, None), limit=24).hits)


def test_filters_and_scores(engine: ocelot.Engine) -> None:
    result = engine.search("red", limit=24, filter="price < 5")
    assert sorted(names(result.hits)) == [f"{number:02}.png" for number in range(5)]
    assert result.hits[0].title.startswith("Picture ")
    third = engine.search("red", limit=24).hits[2].score
    assert len(engine.search("red", limit=24, min_score=third).hits) == 3
    with pytest.raises(FilterError, match="price <"):
        engine.search("red", filter="price <")


def test_rerank_and_ask(tmp_path: Path, pictures: Path) -> None:
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=Backwards()) as engine:
        engine.index(pictures)
        plain = engine.search("red", limit=4)
        assert plain.ranking is None
        result = engine.rerank(plain)
        assert names(result.hits) == names(plain.hits)[::-1]
        assert result.ranking is not None and result.ranking.reranker == "backwards"
        asked = engine.ask("red", limit=4)
        assert asked.ranked == result.hits
        assert set(asked.timings) == {"encode", "search", "rerank", "total"}


def test_get_delete_and_count(engine: ocelot.Engine, pictures: Path) -> None:
    ids = [hash_file(pictures / "00.png"), hash_file(pictures / "01.png")]
    assert names(engine.get([*ids, "0" * 64])) == ["00.png", "01.png"]
    assert engine.count() == 24
    assert engine.delete(ids) == 2
    assert engine.count() == 22
    assert not engine.get(ids)
    assert (pictures / "00.png").exists()


def test_it_closes_and_opens_again(tmp_path: Path, pictures: Path) -> None:
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=None) as engine:
        engine.index(pictures)
    engine.close()
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=None) as again:
        assert again.count() == 24


def test_bad_questions(engine: ocelot.Engine) -> None:
    with pytest.raises(InputError, match="image, a text, or both"):
        engine.search((None, " "))
    with pytest.raises(InputError, match="limit"):
        engine.search("red", limit=0)
    with pytest.raises(InputError, match=r"none\.png"):
        engine.search(("none.png", None))


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


def test_a_bare_picture_is_a_query(engine: ocelot.Engine, pictures: Path) -> None:
    file = pictures / "05.png"
    for query in (file, file.read_bytes(), Image.open(file)):
        assert names(engine.search(query, limit=24, keep_reference=True).hits) == expected(
            (file, None)
        )
    for wrong in ((file, None, None), (3, None), 3, None):
        with pytest.raises(InputError):
            engine.search(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="limit"):
        engine.search("red", limit="3")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="minimum score"):
        engine.search("red", min_score=float("nan"))


def test_opening_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CollectionError, match="ocelot index"):
        ocelot.open(tmp_path / "none.db", encoder=ENCODER, create=False)
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(ConfigurationError, match="reranker"):
        ocelot.open(tmp_path / "none.db", encoder=ENCODER, reranker="magic")


def test_similar_items_need_no_picture(engine: ocelot.Engine, pictures: Path) -> None:
    id = hash_file(pictures / "03.png")
    expected_ids = [hit.id for hit in engine.search((pictures / "03.png", None), limit=5).hits]
    for file in pictures.glob("*.png"):
        file.unlink()
    assert [hit.id for hit in engine.similar(id, limit=5)] == expected_ids
    cheap = engine.similar(id, limit=24, filter="price < 4")
    assert {hit.metadata["price"] for hit in cheap} == {0, 1, 2}
    with pytest.raises(ItemNotFound, match="No item with the id 0000"):
        engine.similar("0" * 64)


def test_adding_one_file_is_indexing_it(engine: ocelot.Engine, tmp_path: Path) -> None:
    path = tmp_path / "new.png"
    Image.new("RGB", (20, 10), (1, 2, 250)).save(path)
    hit, created = engine.add(path, metadata={"title": "New", "price": 1.5})
    assert created
    assert (hit.id, hit.path, hit.width, hit.height) == (hash_file(path), str(path), 20, 10)
    assert engine.search((path, None), keep_reference=True).hits[0].id == hit.id
    stored = engine.collection.get([hit.id])[0].vector
    report = engine.index(path)  # an indexing run finds nothing left to do
    assert (report.unchanged, report.encoded) == (1, 0)

    copy = tmp_path / "copy.png"
    copy.write_bytes(path.read_bytes())
    hit, created = engine.add(copy)
    assert not created
    assert set(hit.paths) == {str(path), str(copy)}
    assert hit.metadata == {"title": "New", "price": 1.5}
    hit, _ = engine.add(copy, metadata={})
    assert hit.metadata == {}
    assert np.array_equal(engine.collection.get([hit.id])[0].vector, stored)


def test_what_cannot_be_added_is_not(engine: ocelot.Engine, tmp_path: Path) -> None:
    before = engine.count()
    (tmp_path / "text.png").write_text("no picture")
    path = tmp_path / "good.png"
    Image.new("RGB", (20, 10)).save(path)
    with pytest.raises(ImageError, match=r"text\.png"):
        engine.add(tmp_path / "text.png")
    with pytest.raises(ImageError, match="no such file"):
        engine.add(tmp_path / "none.png")
    with pytest.raises(MetadataError, match="'when' holds a object"):
        engine.add(path, metadata={"when": object()})
    assert engine.count() == before


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
            query = Query(file, "redder")
            result = engine.ask(query)
            assert result.query is query  # not the bytes that it was made of
            assert result.ranking is not None and result.ranking.status == "ok"
            assert opened.count(str(file)) == 1


def test_a_damaged_query_picture_is_named(engine: ocelot.Engine, tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for query in (Query(broken), Query(others=(Image.new("RGB", (2, 2)), broken))):
        for ask in (engine.search, engine.ask):
            with pytest.raises(ImageError, match=r"broken\.png"):
                ask(query)


def test_the_vectors_of_queries_are_kept(tmp_path: Path, pictures: Path) -> None:
    asked: list[str | None] = []

    def noting(image: Image.Image | None, text: str | None) -> Any:
        asked.append(text)
        return mean_colour(image, text)

    encoder = FunctionEncoder(noting, dimension=3, name="mean colour")
    with ocelot.open(tmp_path / "a.db", encoder=encoder, reranker="fusion") as engine:
        engine.index(pictures)
        asked.clear()
        first = engine.ask((pictures / "03.png", "redder"))
        assert asked == ["redder", "redder", None]  # the whole, its text, its picture
        again = engine.ask((pictures / "03.png", "redder"))
        assert len(asked) == 3
        assert again.ranked == first.ranked


def test_small_copies_of_large_pictures_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    large, added, small = (tmp_path / f"{name}.jpg" for name in ("large", "added", "small"))
    Image.new("RGB", (1200, 900), "red").save(large)
    Image.new("RGB", (900, 1200), "blue").save(added)
    Image.new("RGB", (300, 200), "green").save(small)
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=None) as engine:
        kept = engine.thumbnails
        assert kept is not None
        engine.index([large, small])
        hit, _ = engine.add(added)
        assert (hit.width, hit.height) == (900, 1200)
        ids = [hash_file(path) for path in (large, added, small)]
        copies = kept.get(ids)
        assert set(copies) == set(ids[:2])
        sizes = [Image.open(io.BytesIO(copies[id])).size for id in ids[:2]]
        assert sizes == [(400, 300), (300, 400)]
        engine.delete(ids[:1])
        assert set(kept.get(ids)) == {ids[1]}
    with ocelot.open(tmp_path / "a.db", encoder=ENCODER, reranker=None, thumbnails_mb=0) as none:
        assert none.thumbnails is not None
        assert none.thumbnails.get(ids) == {}
        none.index(large)  # made again, without a copy
        assert set(kept.get(ids)) == {ids[1]}
        none.delete(ids)  # but what there was goes
        assert kept.get(ids) == {}
    kept.close()
