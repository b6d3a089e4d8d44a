"""When a run has nothing to do, and everything that says otherwise."""

from __future__ import annotations

import os
import time
from dataclasses import replace

import pytest

from ocelot.collection import Collection
from ocelot.errors import ImageError
from ocelot.images import file
from ocelot.indexing import index_images
from ocelot.indexing.stamp import Stamp
from ocelot.types import IndexReport
from tests.indexing.pictures import HistogramEncoder, picture


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """Folder and database after a run, with its stamp."""
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    for number in range(4):
        picture(tmp_path / "shop" / f"{number}.png", number)
    (tmp_path / "shop" / "metadata.csv").write_text("file_name,price\n1.png,5\n")
    run(tmp_path)
    return tmp_path


def stamp_of(place, metadata=None, options=("ocelot", "1")):
    return Stamp([place / "shop"], metadata, place / "x.db", options=options)


def rows_of(place, **options):
    """What a stamp holds that is good; None where there is none."""
    kept = stamp_of(place, **options).load()
    return None if kept is None else kept.rows


def run(place):
    before = stamp_of(place)
    encoder = HistogramEncoder()
    with Collection.open(place / "x.db", encoder=encoder.identity) as collection:
        report = index_images(place / "shop", collection, encoder)
        rows = collection.count()
    before.save(rows, report)
    return report


def test_the_same_run_again_has_nothing_to_do(shop):
    kept = stamp_of(shop).load()
    assert (kept.report.found, kept.report.unchanged, kept.rows) == (4, 4, 4)
    with Collection.open(shop / "x.db", create=False) as collection:  # searching changes nothing
        assert collection.count() == 4
    assert rows_of(shop) == 4
    assert rows_of(shop, options=("other", "1")) is None
    assert rows_of(shop, metadata=shop / "shop" / "metadata.csv") is None


@pytest.mark.parametrize(
    "change",
    [
        lambda place: picture(place / "shop" / "new.png", 9),
        lambda place: (place / "shop" / "2.png").unlink(),
        lambda place: (place / "shop" / "2.png").rename(place / "shop" / "22.png"),
        lambda place: os.utime(place / "shop" / "2.png", (5, 5)),
        lambda place: (place / "shop" / "metadata.csv").write_text("file_name,price\n1.png,6\n"),
        lambda place: (place / "shop" / "metadata.csv").unlink(),
        lambda place: (place / "x.db").rename(place / "y.db"),
        lambda place: next((place / "cache" / "runs").iterdir()).write_text("{"),
    ],
)
def test_a_change_of_anything_means_looking(shop, change):
    change(shop)
    assert rows_of(shop) is None


def test_rows_that_others_remove_are_missed(shop):
    with Collection.open(shop / "x.db", create=False) as collection:
        collection.delete([next(collection.iterate()).id])
    assert rows_of(shop) is None
    assert run(shop).encoded == 1
    assert rows_of(shop) == 4


def test_files_that_fail_are_told_again(shop):
    (shop / "shop" / "text.png").write_text("no picture")
    (shop / "shop" / "broken.png").symlink_to(shop / "nowhere.png")
    (shop / "shop" / "metadata.csv").write_text("file_name,price\n1.png,5\nnone.txt,6\n")
    first = run(shop)
    assert (len(first.failures), len(first.remarks)) == (2, 1)
    again = run(shop)
    kept = stamp_of(shop).load()
    assert kept.report == replace(again, seconds=0.0)
    assert (kept.report.found, kept.report.unchanged, kept.rows) == (5, 4, 4)
    assert kept.report.failures == first.failures
    assert kept.report.remarks == first.remarks
    picture(shop / "nowhere.png", 9)  # a link is as good as what it leads to
    assert rows_of(shop) is None


def test_a_picture_that_failed_for_a_passing_reason_is_tried_again(shop, monkeypatch):
    picture(shop / "shop" / "new.png", 9)
    with monkeypatch.context() as patched:
        read = file.read_file

        def refuse(path):
            if str(path).endswith("new.png"):
                raise ImageError(path, "Input/output error")
            return read(path)

        patched.setattr(file, "read_file", refuse)
        assert len(run(shop).failures) == 1
        assert rows_of(shop) == 4
    assert rows_of(shop) is None
    assert run(shop).encoded == 1


def test_remarks_on_metadata_are_told_again(shop):
    (shop / "shop" / "metadata.csv").write_text(f"file_name,story\n1.png,{'x' * 70_000}\n")
    report = run(shop)
    assert len(report.remarks) == 1
    assert stamp_of(shop).load().report.remarks == report.remarks


def test_stamps_of_long_ago_are_removed(shop):
    (old,) = (shop / "cache" / "runs").iterdir()
    (recent := old.with_name("recent.json")).write_text("{}")
    now = time.time()
    os.utime(old, (now - 91 * 86_400, now - 91 * 86_400))
    os.utime(recent, (now - 89 * 86_400, now - 89 * 86_400))
    new = stamp_of(shop, options=("other", "1"))
    new.save(4, IndexReport())
    assert {path.name for path in old.parent.iterdir()} == {recent.name, new.file.name}


def test_no_room_for_a_stamp_is_no_failure(shop, monkeypatch):
    (shop / "file").write_text("")
    monkeypatch.setenv("OCELOT_CACHE", str(shop / "file" / "cache"))
    stamp_of(shop).save(4, IndexReport())
    assert rows_of(shop) is None
