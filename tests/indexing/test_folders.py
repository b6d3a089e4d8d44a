"""Indexing runs: what they find, skip, repair and leave."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from ocelot.collection import Collection
from ocelot.encoders.base import Encoder
from ocelot.errors import EncoderError, EncoderMismatch, InputError, MetadataError
from ocelot.indexing import index_images
from tests.indexing.pictures import HistogramEncoder, bomb, hash_file, picture


@pytest.fixture
def encoder():
    return HistogramEncoder()


@pytest.fixture
def collection(tmp_path, encoder):
    with Collection.open(tmp_path / "test.db", encoder=encoder.identity) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path):
    for number in range(10):
        picture(tmp_path / "shop" / f"{number}.png", number)
    return tmp_path / "shop"


def tally(report):
    return {
        name: value
        for name in ("found", "unchanged", "encoded", "relocated", "updated", "removed")
        if (value := getattr(report, name))
    }


def metadata_of(collection):
    """File name -> what is stored with it."""
    return {os.path.basename(next(iter(row.paths))): row.metadata for row in collection.iterate()}


def paths_of(collection):
    return {path: row.id for row in collection.iterate() for path in row.paths}


def test_on_both_deployments_from_folder_to_hit(open_collection, encoder, folder):
    (folder / "metadata.csv").write_text("file_name,price\n3.png,5\n4.png,50\n")
    collection = open_collection(encoder=encoder.identity)
    assert tally(index_images(folder, collection, encoder)) == {"found": 10, "encoded": 10}
    (vector,) = encoder.encode([(folder / "4.png", None)])
    assert collection.search(vector)[0].path == str(folder / "4.png")
    (hit,) = collection.search(vector, filter="price < 30")
    assert (hit.path, hit.width, hit.height) == (str(folder / "3.png"), 30, 20)

    picture(folder / "5.png", 55)
    (folder / "6.png").rename(folder / "66.png")
    (folder / "7.png").unlink()
    (folder / "metadata.csv").write_text("file_name,price\n3.png,\n4.png,20\n")
    again = index_images(folder, collection, encoder, prune=True)
    assert tally(again) == {
        "found": 9,
        "unchanged": 7,
        "encoded": 1,
        "relocated": 1,
        "updated": 2,
        "removed": 2,
    }
    assert collection.search(vector, filter="price < 30")[0].path == str(folder / "4.png")
    assert len(collection.search(vector, filter="price > 0")) == 1
    now = {str(path): hash_file(path) for path in folder.glob("*.png")}
    assert paths_of(collection) == now
    assert tally(index_images(folder, collection, encoder)) == {"found": 9, "unchanged": 9}


def test_unchanged_files_are_not_opened(collection, encoder, folder, monkeypatch):
    index_images(folder, collection, encoder)
    monkeypatch.setattr("ocelot.images.file.read_file", None)
    assert tally(index_images(folder, collection, encoder)) == {"found": 10, "unchanged": 10}


def test_duplicates_are_one_row_and_not_read_again(collection, encoder, folder, monkeypatch):
    copy = shutil.copy(folder / "1.png", folder / "copy.png")
    os.utime(copy, (1, 1))
    report = index_images(folder, collection, encoder)
    assert tally(report) == {"found": 11, "encoded": 10, "relocated": 1}
    assert collection.count() == encoder.embedded == 10
    (row,) = collection.get([hash_file(copy)])
    assert list(row.paths) == [str(folder / "1.png"), str(copy)]
    monkeypatch.setattr("ocelot.images.file.read_file", None)
    assert tally(index_images(folder, collection, encoder)) == {"found": 11, "unchanged": 11}


def test_moves_and_touches_are_not_encoded_again(collection, encoder, folder):
    index_images(folder, collection, encoder)
    (folder / "1.png").rename(folder / "moved.png")
    os.utime(folder / "2.png", (5, 5))
    report = index_images(folder, collection, encoder)
    assert tally(report) == {"found": 10, "unchanged": 8, "relocated": 2}
    assert encoder.embedded == 10
    assert paths_of(collection) == {str(path): hash_file(path) for path in folder.glob("*.png")}


def test_contents_that_swap_places(collection, encoder, folder):
    index_images(folder, collection, encoder)
    for old, new in [("1", "x"), ("2", "1"), ("x", "2")]:
        (folder / f"{old}.png").rename(folder / f"{new}.png")
    for name in "12":
        os.utime(folder / f"{name}.png", (7, 7))
    report = index_images(folder, collection, encoder)
    assert tally(report) == {"found": 10, "unchanged": 8, "relocated": 2}
    assert paths_of(collection) == {str(path): hash_file(path) for path in folder.glob("*.png")}


def test_a_changed_file_leaves_its_old_row(collection, encoder, folder):
    shutil.copy(folder / "1.png", folder / "copy.png")
    index_images(folder, collection, encoder)
    picture(folder / "1.png", 71)
    picture(folder / "2.png", 72)
    (folder / "3.png").write_bytes(b"broken now")
    report = index_images(folder, collection, encoder)
    assert (report.encoded, report.removed, len(report.failures)) == (2, 2, 1)
    expected = {str(path): hash_file(path) for path in folder.glob("*.png")}
    del expected[str(folder / "3.png")]
    assert paths_of(collection) == expected


def test_prune_takes_only_what_is_gone_below_the_folder(collection, encoder, folder, tmp_path):
    other = picture(tmp_path / "shop2" / "other.png", 99)
    index_images([folder, other.parent], collection, encoder)
    (folder / "1.png").unlink()
    other.unlink()
    assert index_images(folder, collection, encoder).removed == 0
    assert index_images(folder, collection, encoder, prune=True).removed == 1
    assert str(other) in paths_of(collection)
    shutil.move(folder, tmp_path / "unmounted")
    with pytest.raises(InputError, match="shop"):
        index_images(folder, collection, encoder, prune=True)
    other.parent.joinpath("new.jpg").write_bytes(b"")
    index_images([folder, other.parent], collection, encoder, prune=True)
    assert collection.count() == 9


def test_metadata_changes_need_no_encoding(collection, encoder, folder):
    index_images(folder, collection, encoder)
    (folder / "metadata.jsonl").write_text(
        '{"file_name": "1.png", "id": 4, "title": "one"}\n{"file_name": "2.png", "n": 2}\n'
    )
    assert index_images(folder, collection, encoder).updated == 2
    (row,) = collection.get([hash_file(folder / "1.png")])
    assert row.metadata == {"id_": 4, "title": "one"}
    assert index_images(folder, collection, encoder).updated == 0
    (folder / "metadata.jsonl").write_text(
        '{"file_name": "1.png", "title": "uno"}\n{"file_name": "gone.png"}\n'
    )
    report = index_images(folder, collection, encoder)
    assert report.updated == 1
    assert report.remarks[0].reason == "1 line names a file that does not exist (gone.png)"
    assert encoder.embedded == 10
    stored = metadata_of(collection)
    assert stored["1.png"] == {"title": "uno"}
    assert stored["2.png"] == {"n": 2}  # no line names it any more
    (folder / "metadata.jsonl").write_text('{"file_name": "2.png"}\n')
    assert index_images(folder, collection, encoder).updated == 1
    assert metadata_of(collection)["2.png"] == {}  # a line says that it has none
    (folder / "metadata.jsonl").unlink()
    assert index_images(folder, collection, encoder).updated == 0
    named = folder.parent / "named.csv"
    named.write_text("file_name,title\nshop/2.png,two\n")
    assert index_images(folder, collection, encoder, metadata=named).updated == 1


def test_a_table_elsewhere_erases_nothing(collection, encoder, folder):
    (folder / "metadata.csv").write_text("file_name,price\n1.png,5\n2.png,6\n")
    index_images(folder, collection, encoder)
    before = metadata_of(collection)
    picture(folder / "new.png", 99)
    named = folder.parent / "prices.csv"
    named.write_text("file_name,price\none.png,1\ntwo.png,2\n")
    with pytest.raises(MetadataError, match=r"prices\.csv names none of the pictures"):
        index_images(folder, collection, encoder, metadata=named)
    assert metadata_of(collection) == before  # the new picture was not added, either
    named.write_text("file_name,price\none.png,1\n2.png,7\n")
    report = index_images(folder, collection, encoder, metadata=named)
    assert (report.encoded, report.updated, report.metadata) == (1, 1, {str(named): 1})
    assert [remark.reason for remark in report.remarks] == [
        "1 line names a file that does not exist (one.png)"
    ]
    after = metadata_of(collection)
    assert (after["1.png"], after["2.png"], after["new.png"]) == ({"price": 5}, {"price": 7}, {})


def test_metadata_that_is_too_large_is_reported_and_the_picture_kept(collection, encoder, folder):
    (folder / "metadata.csv").write_text(f"file_name,story\n1.png,{'x' * 70_000}\n2.png,short\n")
    report = index_images(folder, collection, encoder)
    assert (report.encoded, report.failures) == (10, ())
    (remark,) = report.remarks
    assert remark.path == str(folder / "1.png")
    assert "story" in remark.reason


def test_every_format_and_every_kind_of_broken_file(collection, encoder, tmp_path):
    good = tmp_path / "good"
    for number, suffix in enumerate(["jpg", "png", "gif", "webp", "bmp", "tiff", "avif"]):
        picture(good / f"rgb.{suffix}", number)
    picture(good / "cmyk.jpg", 20, "CMYK")
    picture(good / "palette.png", 21, "P")
    picture(good / "grey.png", 22, "L")
    picture(good / "alpha.png", 23, "RGBA")
    Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100).save(good / "deep.png")
    bad = tmp_path / "bad"
    whole = picture(bad / "cut.jpg", 30).read_bytes()
    (bad / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (bad / "empty.png").write_bytes(b"")
    (bad / "text.jpg").write_text("hello")
    bomb(bad / "bomb.png")
    (bad / "link.jpg").symlink_to(bad / "nowhere.jpg")
    report = index_images([bad, good], collection, encoder)
    assert report.encoded == collection.count() == len(list(good.iterdir()))
    assert {os.path.basename(failure.path) for failure in report.failures} == {
        path.name for path in bad.iterdir()
    }
    assert all(failure.reason for failure in report.failures)


def test_wrong_arguments(collection, encoder, folder):
    for wrong in (0, "a", 1.5, True):
        with pytest.raises(InputError, match=rf"batch size must be .* was: {wrong!r}\."):
            index_images(folder, collection, encoder, batch_size=wrong)
    with pytest.raises(InputError, match="progress must be a function, was: int"):
        index_images(folder, collection, encoder, progress=5)
    for wrong in (5, b"metadata.csv"):
        with pytest.raises(InputError, match="must be the path of a file, was: "):
            index_images(folder, collection, encoder, metadata=wrong)
    encoder.fingerprint = "other"
    with pytest.raises(EncoderMismatch):
        index_images(folder, collection, encoder)


def test_progress_reaches_the_total(collection, encoder, folder):
    (folder / "bad.png").write_bytes(b"")
    told = []
    index_images(folder, collection, encoder, batch_size=3, progress=told.append)
    assert [one.done for one in told] == sorted(one.done for one in told)
    last = told[-1]
    assert (last.done, last.total, last.encoded, last.failed) == (11, 11, 10, 1)


class FailingEncoder(HistogramEncoder):
    """Runs out of memory, or is interrupted, at its third batch."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def embed(self, batch):
        if self.embedded >= 8:
            raise self.error
        return super().embed(batch)


@pytest.mark.parametrize(
    ("error", "raised"),
    [(RuntimeError("out of memory"), EncoderError), (KeyboardInterrupt(), KeyboardInterrupt)],
)
def test_what_was_written_before_a_failure_stays(collection, encoder, folder, error, raised):
    with pytest.raises(raised):
        index_images(folder, collection, FailingEncoder(error))
    assert collection.count() == 8
    assert tally(index_images(folder, collection, encoder)) == {
        "found": 10,
        "unchanged": 8,
        "encoded": 2,
    }


def test_look_ahead_is_bounded(collection, folder, tmp_path):
    for number in range(40):
        picture(folder / f"more{number}.png", 1000 + number)
    waiting = []

    class Counting(HistogramEncoder):
        prepared = 0

        def prepare(self, item):
            Counting.prepared += 1
            return super().prepare(item)

        def embed(self, batch):
            waiting.append(Counting.prepared - self.embedded)
            return super().embed(batch)

    index_images(folder, collection, Counting(), batch_size=2)
    assert max(waiting) <= 2 + 3 * 2 + 1


KILLED = """
import os, sys
from ocelot.collection import Collection
from ocelot.indexing import index_images
from ocelot.indexing import writer as writing
from tests.indexing.pictures import HistogramEncoder

class Slow(HistogramEncoder):
    def embed(self, batch):
        if self.embedded >= 20:
            print("now", flush=True)
            sys.stdin.read()
        return super().embed(batch)

encoder = Slow()
writing.SECONDS = 0.0
with Collection.open(sys.argv[1], encoder=encoder.identity) as collection:
    index_images(sys.argv[2], collection, encoder)
"""


def test_a_killed_run_is_completed_by_the_next(tmp_path, encoder):
    folder, database = tmp_path / "shop", tmp_path / "killed.db"
    for number in range(40):
        picture(folder / f"{number:02}.png", number)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(database), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        cwd=os.getcwd(),
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"now\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stdin.close()
    with Collection.open(database, encoder=encoder.identity) as collection:
        before = collection.count()
        assert before >= 16  # all but the batch that was being written
        report = index_images(folder, collection, encoder)
        assert (report.encoded, report.unchanged) == (40 - before, before)
        assert collection.count() == 40
        expected = {str(path): hash_file(path) for path in folder.iterdir()}
        assert paths_of(collection) == expected


def test_a_path_that_two_rows_claim_is_settled(collection, encoder, folder):
    """The state an interruption leaves between adding a new row and trimming the old one."""
    index_images(folder, collection, encoder)
    row, other = collection.get([hash_file(folder / "1.png"), hash_file(folder / "2.png")])
    stale = {**other.paths, str(folder / "1.png"): 3}
    collection.upsert([type(other)(other.id, stale, other.size, vector=other.vector)])
    assert tally(index_images(folder, collection, encoder)) == {"found": 10, "unchanged": 10}
    assert paths_of(collection)[str(folder / "1.png")] == row.id
    assert list(collection.get([other.id])[0].paths) == [str(folder / "2.png")]


def test_an_encoder_of_the_plain_kind_works(tmp_path, folder):
    class Plain(Encoder):
        name, dimension, fingerprint = "plain", 3, "1"

        def embed(self, batch):
            return np.array([np.asarray(image).mean(axis=(0, 1)) for image, _ in batch])

    encoder = Plain()
    identity = HistogramEncoder.identity.fget(encoder)
    with Collection.open(tmp_path / "plain.db", encoder=identity) as collection:
        assert index_images(folder / "1.png", collection, encoder).encoded == 1


def test_bad_metadata_does_not_erase_good(collection, encoder, folder):
    table = folder / "metadata.jsonl"
    good = '{"file_name": "1.png", "title": "one"}\n'
    table.write_text(good + '{"file_name": "2.png", "title": "two"}\n')
    index_images(folder, collection, encoder)
    deep = "[" * 600 + "]" * 600
    table.write_text(good + '{"file_name": "2.png", "title": \n')
    report = index_images(folder, collection, encoder)
    assert [os.path.basename(remark.path) for remark in report.remarks] == ["metadata.jsonl:2"]
    table.write_text(good + f'{{"file_name": "2.png", "title": {deep}}}\n')
    report = index_images(folder, collection, encoder)
    assert (len(report.remarks), report.failures) == (1, ())
    stored = metadata_of(collection)
    assert (stored["1.png"], stored["2.png"]) == ({"title": "one"}, {"title": "two"})
    assert stored["3.png"] == {}
