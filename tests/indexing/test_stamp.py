"""When a run has nothing to do, and everything that says otherwise."""

from __future__ import annotations

import os

import pytest

from ocelot.collection import Collection
from ocelot.indexing import index_images
from ocelot.indexing.stamp import Stamp
from tests.indexing.pictures import HistogramEncoder, picture


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Folder, database and weights after a run, with its stamp."""
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    for number in range(4):
        picture(tmp_path / "shop" / f"{number}.png", number)
    (tmp_path / "shop" / "metadata.csv").write_text("file_name,price\n1.png,5\n")
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "model").write_bytes(b"1")
    run(tmp_path)
    return tmp_path


def stamp_of(place, metadata=None, options=("ocelot", "1")):
    return Stamp.of(
        [place / "shop"],
        metadata,
        place / "x.db",
        beside=[place / "weights"],
        options=options,
    )


def run(place):
    stamp = stamp_of(place)
    encoder = HistogramEncoder()
    with Collection.open(place / "x.db", encoder=encoder.identity) as collection:
        report = index_images(place / "shop", collection, encoder)
        rows = collection.count()
    if not report.failures:
        stamp.keep(rows)
    return report


def test_the_same_run_again_has_nothing_to_do(shop):
    stamp = stamp_of(shop)
    assert (stamp.found, stamp.is_kept()) == (4, 4)
    with Collection.open(shop / "x.db", create=False) as collection:  # searching changes nothing
        assert collection.count() == 4
    assert stamp_of(shop).is_kept() == 4
    assert stamp_of(shop, options=("other", "1")).is_kept() is None
    assert stamp_of(shop, metadata=shop / "shop" / "metadata.csv").is_kept() is None


@pytest.mark.parametrize(
    "change",
    [
        lambda place: picture(place / "shop" / "new.png", 9),
        lambda place: (place / "shop" / "2.png").unlink(),
        lambda place: (place / "shop" / "2.png").rename(place / "shop" / "22.png"),
        lambda place: os.utime(place / "shop" / "2.png", (5, 5)),
        lambda place: (place / "shop" / "metadata.csv").write_text("file_name,price\n1.png,6\n"),
        lambda place: (place / "shop" / "metadata.csv").unlink(),
        lambda place: (place / "weights" / "model").write_bytes(b"22"),
        lambda place: (place / "x.db").rename(place / "y.db"),
        lambda place: next((place / "cache" / "runs").iterdir()).write_text("{"),
    ],
)
def test_a_change_of_anything_means_looking(shop, change):
    change(shop)
    assert stamp_of(shop).is_kept() is None


def test_rows_that_others_remove_are_missed(shop):
    with Collection.open(shop / "x.db", create=False) as collection:
        collection.delete([next(collection.iterate()).id])
    assert stamp_of(shop).is_kept() is None
    assert run(shop).encoded == 1
    assert stamp_of(shop).is_kept() == 4


def test_a_folder_that_cannot_be_read_whole_keeps_no_stamp(shop):
    (shop / "shop" / "broken.png").symlink_to(shop / "nowhere.png")
    assert run(shop).failures
    stamp = stamp_of(shop)
    stamp.keep(4)
    assert stamp_of(shop).is_kept() is None


def test_no_room_for_a_stamp_is_no_failure(shop, monkeypatch):
    (shop / "file").write_text("")
    monkeypatch.setenv("OCELOT_CACHE", str(shop / "file" / "cache"))
    stamp = stamp_of(shop)
    stamp.keep(4)
    assert stamp.is_kept() is None
