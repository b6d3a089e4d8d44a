"""A collection encoded again while it is searched, on Milvus Lite and on a real server."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import ocelot
from ocelot.errors import CollectionError, ConfigurationError, EncoderMismatch
from ocelot.maintenance.backup import backup, restore
from tests.shop import write_shop

_numbers = itertools.count(1)


def by_colour(image: Image.Image | None, text: str | None) -> Any:
    return np.ones(3) + (0 if image is None else np.asarray(image).mean(axis=(0, 1)))


def by_quarters(image: Image.Image | None, text: str | None) -> Any:
    if image is None:
        return np.ones(12)
    return 1 + np.asarray(image.resize((2, 2))).reshape(12).astype(float)


OLD = ocelot.FunctionEncoder(by_colour, dimension=3, name="colour")
NEW = ocelot.FunctionEncoder(by_quarters, dimension=12, name="quarters")
Open = Callable[..., ocelot.Engine]
on_lite = pytest.mark.parametrize("deployment", ["lite"], indirect=True)


@pytest.fixture
def open_shop(deployment: dict[str, Any], tmp_path: Path) -> Iterator[Open]:
    place = deployment | {"collection": f"shop_{next(_numbers)}", "uploads": tmp_path / "uploads"}
    opened = []

    def open(encoder: ocelot.Encoder, **options: Any) -> ocelot.Engine:
        engine = ocelot.open(**(place | options), encoder=encoder, reranker=None)
        opened.append(engine)
        return engine

    yield open
    for engine in opened:
        engine.close()


@pytest.fixture
def shop(open_shop: Open, tmp_path: Path) -> ocelot.Engine:
    """20 pictures of files with metadata, and an uploaded one with an own id."""
    write_shop(tmp_path, 20)
    engine = open_shop(OLD)
    engine.index(tmp_path / "images", metadata=tmp_path / "metadata.csv")
    engine.add(Image.new("RGB", (9, 9), "red"), id="SKU-1", metadata={"nested": {"a": [1, None]}})
    return engine


def rows_of(engine: ocelot.Engine) -> list[Any]:
    return list(engine.collection.iterate())  # equal but for their vectors


def test_no_search_fails_meanwhile(shop: ocelot.Engine, open_shop: Open) -> None:
    stop, answers, errors = threading.Event(), [], []
    picture = Image.new("RGB", (9, 9), "red")
    expected_answer = [hit.id for hit in shop.search(image=picture, limit=3)]

    def search() -> None:
        while not stop.is_set():
            try:
                answers.append([hit.id for hit in shop.search(image=picture, limit=3)])
            except Exception as error:
                errors.append(error)

    with open_shop(OLD) as other:  # another connection, as of another process
        threads = [threading.Thread(target=search) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            before = len(answers)
            report = other.reindex(NEW)
            during = len(answers) - before
            with open_shop(NEW) as new:
                assert rows_of(new) == rows_of(shop)
                # The vectors are those of the new encoder, and searches with it find them.
                for item in itertools.islice(new.items(), 5):
                    (row,) = new.collection.get(item.id)
                    (expected,) = NEW.encode([ocelot.Input(new.images.original(item))])
                    np.testing.assert_array_equal(row.vector, expected)
                assert len(new.search(image=picture, limit=50, keep_reference=True).hits) == 21
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert not errors and during > 0
    assert all(answer == expected_answer for answer in answers)
    assert (report.found, report.encoded, report.switched, report.queries) == (21, 21, True, 21)
    assert report.overlap is not None and 0 < report.overlap < 1
    with pytest.raises(EncoderMismatch, match="was made with the encoder quarters"):
        open_shop(OLD)
    with open_shop(NEW) as new:
        assert new.collection.drop_older() == (shop.collection.name,)


@on_lite
def test_the_overlap_is_that_of_brute_force(shop: ocelot.Engine, open_shop: Open) -> None:
    report = shop.reindex(NEW)
    with open_shop(NEW) as new:
        queries = [row.id for row in new.collection.sample(32)]
        ids = [item.id for item in new.items()]
        orders = []
        for engine in (shop, new):
            matrix = np.array([row.vector for row in engine.collection.get(ids)])
            scores = matrix @ matrix.T
            np.fill_diagonal(scores, -9)
            orders.append({id: set(np.argsort(-scores[n])[:9]) for n, id in enumerate(ids)})
    shares = [len(orders[0][id] & orders[1][id]) / 9 for id in queries]
    assert report.overlap == pytest.approx(np.mean(shares), abs=0.02)  # equal scores


@on_lite
def test_an_interrupted_run_continues(shop: ocelot.Engine, open_shop: Open, tmp_path: Path) -> None:
    def interrupt(progress: Any) -> None:
        if progress.encoded >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.reindex(NEW, batch_size=4, progress=interrupt)
    with open_shop(OLD) as old:  # still what the name stands for
        assert old.count() == 21
    # Changes on the way: metadata, a deletion, a new picture, other content under an own id.
    ids = [item.id for item in shop.items()]
    shop.update(ids[0], {"price": None, "note": "ü"})
    shop.delete(ids[1])
    moved = sorted((tmp_path / "images").iterdir())[2]
    moved.rename(moved.with_name("moved.jpg"))
    shop.index(tmp_path / "images", prune=True)
    shop.delete(ids[1])  # it was indexed again
    shop.add(Image.new("RGB", (9, 9), "blue"), id="SKU-1")
    shop.add(Image.new("RGB", (9, 9), "green"))
    report = shop.reindex(NEW)
    assert report.encoded + report.unchanged == report.found == 21
    assert 6 <= report.unchanged < 21 and report.switched
    with open_shop(NEW) as new:
        assert rows_of(new) == rows_of(shop)
        (red,) = new.search(image=Image.new("RGB", (9, 9), "blue"), keep_reference=True, limit=1)
        assert red.id == "SKU-1" and red.score > 0.9999


@on_lite
def test_back_again_and_dropped(shop: ocelot.Engine, open_shop: Open) -> None:
    shop.reindex(NEW)
    with open_shop(NEW) as new:
        assert new.reindex(NEW).encoded == 0  # nothing is to be done
        new.add(Image.new("RGB", (9, 9), "green"), id="SKU-2")
        back = new.reindex(OLD)
        assert (back.encoded, back.unchanged, back.collection) == (1, 21, shop.collection.name)
    with open_shop(OLD) as old:
        assert old.get("SKU-2") and old.count() == 22
        report = old.reindex(NEW, drop_old=True)
        assert report.dropped == (shop.collection.name,)
        with pytest.raises(CollectionError):
            old.search(text="x")
    with open_shop(NEW) as new:
        assert new.count() == 22
        assert not set(report.dropped) & {*new.collection.others(), new.collection.name}
        # The first collection of the name is gone, and another encoder gets one beside the newest.
        third = ocelot.FunctionEncoder(by_colour, dimension=3, name="third")
        assert new.reindex(third, drop_old=True).dropped == (new.collection.name,)
    with open_shop(third) as newest:
        assert newest.count() == 22


@on_lite
def test_pictures_that_are_gone_stop_the_switch(
    shop: ocelot.Engine, open_shop: Open, tmp_path: Path
) -> None:
    gone = sorted((tmp_path / "images").iterdir())[3]
    gone.unlink()
    report = shop.reindex(NEW)
    assert not report.switched and [one.path for one in report.failures] == [str(gone)]
    assert open_shop(OLD).count() == 21
    report = shop.reindex(NEW, skip_unreadable=True, drop_old=False)
    assert (report.encoded, report.unchanged, report.switched) == (0, 20, True)
    assert open_shop(NEW).count() == 20


@on_lite
def test_no_switch_to_an_empty_collection(shop: ocelot.Engine, tmp_path: Path) -> None:
    shop.delete("SKU-1")
    (tmp_path / "images").rename(tmp_path / "not mounted")
    report = shop.reindex(NEW, skip_unreadable=True, drop_old=True)
    assert (len(report.failures), report.switched, report.dropped) == (20, False, ())
    (tmp_path / "not mounted").rename(tmp_path / "images")
    assert shop.reindex(NEW).encoded == 20


def test_a_collection_with_the_name_of_the_alias_is_found_before_encoding(tmp_path: Path) -> None:
    place = tmp_path / "shop.db"
    with (
        ocelot.open(place, encoder=OLD, reranker=None) as shop,
        ocelot.open(place, collection="ocelot_current", encoder=OLD, reranker=None) as other,
    ):
        shop.add(Image.new("RGB", (9, 9), "green"))
        with pytest.raises(ConfigurationError, match=r"collection 'ocelot_current' in .* has the"):
            shop.reindex(NEW)
        assert other.collection.others() == ("ocelot",)  # nothing was made


def test_an_alias_survives_where_nothing_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ocelot.collection.lite import database

    with ocelot.open(tmp_path / "shop.db", encoder=OLD, reranker=None) as shop:
        shop.add(Image.new("RGB", (9, 9), "green"), id="SKU-2")
        shop.reindex(NEW)
    monkeypatch.setattr(database, "_is_writable", lambda path: False)
    with ocelot.open(tmp_path / "shop.db", encoder=NEW, reranker=None, create=False) as shop:
        assert shop.count() == 1


def test_a_backup_has_the_uploads_of_the_newest(tmp_path: Path) -> None:
    place = tmp_path / "shop.db"
    with ocelot.open(place, encoder=OLD, reranker=None) as shop:
        shop.add(Image.new("RGB", (9, 9), "green"), id="SKU-2")
        shop.reindex(NEW, drop_old=True)
    backup(place, tmp_path / "shop.tar")
    restored = restore(tmp_path / "shop.tar", tmp_path / "there" / "again.db")
    assert (list(restored.rows.values()), restored.uploads) == ([1], 1)
    with ocelot.open(restored.database, encoder=NEW, reranker=None) as shop:
        (item,) = shop.items()
        assert shop.images.original(item).name.startswith(str(tmp_path / "there" / "again-uploads"))
