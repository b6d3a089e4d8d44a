"""Pictures given as records: what is encoded, replaced, updated and refused."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image

from ocelot.errors import EncoderError, EncoderMismatch, ImageError, InputError, MetadataError
from ocelot.images.store import ImageStore
from ocelot.indexing import add_record, add_records, index_images
from tests.http_server import serving
from tests.indexing.pictures import HistogramEncoder, hash_file, picture


@pytest.fixture
def encoder():
    return HistogramEncoder()


@pytest.fixture
def images(tmp_path):
    return ImageStore(uploads=tmp_path / "uploads")


@pytest.fixture
def collection(tmp_path, encoder):
    from ocelot.collection import Collection

    with Collection.open(tmp_path / "test.db", encoder=encoder.identity) as opened:
        yield opened


@pytest.fixture
def shop(collection, encoder, images):
    """Adds records; the collection and the encoder are its attributes."""

    def add(records, **options):
        return add_records(records, collection, encoder, images, **options)

    add.collection, add.encoder, add.images = collection, encoder, images
    return add


@pytest.fixture
def files(tmp_path):
    return [picture(tmp_path / "shop" / f"{number}.png", number) for number in range(10)]


def tally(report):
    names = ("found", "unchanged", "encoded", "relocated", "updated", "removed", "failures")
    return {name: value for name in names if (value := getattr(report, name))}


def stored(collection):
    return {row.id: row for row in collection.iterate()}


def test_on_both_deployments(open_collection, encoder, images, files):
    collection = open_collection(encoder=encoder.identity)
    records = [
        {"image": path, "id": f"SKU-{number}", "price": number} for number, path in enumerate(files)
    ]
    add = lambda some: add_records(some, collection, encoder, images)  # noqa: E731
    assert tally(add(records)) == {"found": 10, "encoded": 10}
    assert tally(add(records)) == {"found": 10, "unchanged": 10}
    records[3]["price"] = 30
    records[4]["image"] = files[5].read_bytes()  # the content of another item
    assert tally(add(records)) == {"found": 10, "unchanged": 8, "updated": 1, "encoded": 1}
    assert encoder.embedded == 11
    rows = stored(collection)
    assert {id: row.metadata["price"] for id, row in rows.items()} == {
        **{f"SKU-{number}": number for number in range(10)}, "SKU-3": 30
    }  # fmt: skip
    assert rows["SKU-4"].sha256 == rows["SKU-5"].sha256 == hash_file(files[5])
    (vector,) = encoder.encode([(files[5], None)])
    assert {hit.id for hit in collection.search(vector, limit=2)} == {"SKU-4", "SKU-5"}
    assert index_images(files[0].parent, collection, encoder).encoded == 10  # rows of their own
    assert collection.count() == 20


def test_pictures_of_every_form(shop, files, tmp_path):
    with Image.open(files[3]) as opened:
        pixels = np.asarray(opened)
        records = [
            {"image": str(files[0])},
            {"image": files[1]},
            {"image": files[2].read_bytes()},
            {"image": opened},
            {"image": pixels, "id": "array"},
            {"image": {"bytes": files[5].read_bytes(), "path": "5.png"}},
            {"image": {"bytes": None, "path": str(files[6])}},
        ]
        assert tally(shop(records)) == {"found": 7, "encoded": 7}
    rows = stored(shop.collection)
    for number in (0, 1, 6):
        assert list(rows[hash_file(files[number])].paths) == [str(files[number])]
    for number in (2, 3, 5):
        (path,) = rows[hash_file(files[number])].paths
        assert path.startswith(str(tmp_path / "uploads"))
        assert hash_file(path) == hash_file(files[number])
    (path,) = rows["array"].paths
    with Image.open(path) as kept:
        assert np.array_equal(np.asarray(kept), pixels)
    assert all((row.width, row.height) == (30, 20) for row in rows.values())


def test_pictures_from_the_web(shop, files):
    data = files[0].read_bytes()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if "good" in self.path else 404)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments):
            pass

    with serving(Handler) as address:
        url = address.replace("//", "//user:secret@")
        names = ("good.png?token=secret", "none.png?token=secret")
        report = shop([{"image": f"{url}/{name}"} for name in names])
    assert report.encoded == 1
    (failure,) = report.failures
    assert failure.path.endswith("/none.png") and "404" in failure.reason
    assert "secret" not in repr(report) + repr(stored(shop.collection))


def test_bad_records_stop_nothing(shop, files, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    broken = files[1].read_bytes()[:200]
    bad = [
        ({"image": tmp_path / "text.png"}, f"{tmp_path}/text.png", "not an image"),
        ({"image": str(tmp_path / "none.png")}, f"{tmp_path}/none.png", "no such file"),
        ({"image": broken, "id": "x"}, "record 2", "damaged"),
        ({"image": broken, "id": "x"}, "record 3", "damaged"),
        ({"title": "no picture"}, "record 4", "'image'"),
        ({"image": None}, "record 5", "'image'"),
        ("picture.png", "record 6", "mapping"),
        ({"image": 3}, "record 7", "int"),
        ({"image": files[2].read_bytes(), "id": "a b"}, "record 8", "'a b'"),
        ({"image": files[2].read_bytes(), "story": "x" * 70_000}, "record 9", "'story'"),
        ({"image": files[2].read_bytes(), "when": object()}, "record 10", "'when'"),
        ({"image": files[2].read_bytes(), "id": "f" * 64}, "record 11", "another picture"),
    ]
    good = [{"image": files[2], "id": "good"}, {"image": files[3], "id": "x"}]
    report = shop([*(record for record, _, _ in bad), *good])
    assert (report.found, report.encoded) == (14, 2)
    assert [failure.path for failure in report.failures] == [name for _, name, _ in bad]
    for failure, (_, _, reason) in zip(report.failures, bad, strict=True):
        assert reason in failure.reason
    assert set(stored(shop.collection)) == {"good", "x"}
    assert not list((tmp_path / "uploads").rglob("*.*"))  # nothing is left of the bad ones


@pytest.mark.parametrize("records", [{"image": "a.png"}, "a.png", b"x", 3, None])
def test_what_is_no_list_of_records_is_refused(shop, records):
    with pytest.raises(InputError, match="mappings"):
        shop(records)


def test_records_with_the_same_id(shop, files):
    """The last one wins, as if they had been added one after another."""
    a, b = (path.read_bytes() for path in files[:2])
    report = shop(
        [
            {"image": a, "id": "x", "n": 1},
            {"image": a, "id": "x", "n": 2},  # the same content: only its metadata change
            {"image": b, "id": "y"},
            {"image": b, "id": "x", "n": 3},
            {"image": a, "id": "x"},  # says nothing of the metadata
            {"image": a},
            {"image": files[0]},
        ]
    )
    assert tally(report) == {"found": 7, "encoded": 5, "relocated": 1, "updated": 1}
    rows = stored(shop.collection)
    assert set(rows) == {"x", "y", hash_file(files[0])}
    assert (rows["x"].metadata, rows["x"].sha256) == ({"n": 3}, hash_file(files[0]))
    assert len(rows["x"].paths) == 1 and len(rows[hash_file(files[0])].paths) == 2
    kept = {str(path) for path in (shop.images.uploads.folder).rglob("*.*")}
    assert kept == {path for row in rows.values() for path in row.paths} - {str(files[0])}


def test_a_repeated_record_keeps_the_metadata_of_the_first(shop, files):
    """Not those of the content that both replace."""
    shop([{"image": files[0], "id": "x", "n": 1}])
    report = shop([{"image": files[1], "id": "x", "n": 2}, {"image": files[1], "id": "x"}])
    assert tally(report) == {"found": 2, "encoded": 1, "unchanged": 1}
    assert shop([{"image": files[2], "id": "x"}]).encoded == 1
    (row,) = stored(shop.collection).values()
    assert (row.sha256, row.metadata) == (hash_file(files[2]), {"n": 2})


def test_ids_that_take_turns_keep_their_metadata(shop, files):
    turns = [{"image": files[n], "id": id} for n, id in ((0, "x"), (1, "y"), (2, "x"), (3, "y"))]
    turns[0]["n"], turns[1]["n"] = 1, 2
    assert tally(shop(turns)) == {"found": 4, "encoded": 4}
    rows = stored(shop.collection)
    assert {id: row.metadata["n"] for id, row in rows.items()} == {"x": 1, "y": 2}
    assert {row.sha256 for row in rows.values()} == {hash_file(files[2]), hash_file(files[3])}


def test_a_broken_picture_does_not_spoil_its_id(shop, files):
    good = {"image": files[0], "id": "x"}
    assert shop([good]).encoded == 1
    broken = files[1].read_bytes()[:200]
    report = shop([{"image": broken, "id": "x"}, {"image": broken, "id": "x"}, good])
    assert [failure.path for failure in report.failures] == ["record 0", "record 1"]
    (row,) = stored(shop.collection).values()
    assert (row.sha256, list(row.paths)) == (hash_file(files[0]), [str(files[0])])


def test_copies_and_touched_files(shop, files, tmp_path):
    assert shop([{"image": files[0], "n": 1}]).encoded == 1
    copy = tmp_path / "copy.png"
    copy.write_bytes(files[0].read_bytes())
    assert tally(shop([{"image": copy}])) == {"found": 1, "relocated": 1}
    os.utime(copy, (5, 5))
    assert tally(shop([{"image": copy}])) == {"found": 1, "relocated": 1}
    assert tally(shop([{"image": copy, "n": 1}])) == {"found": 1, "unchanged": 1}
    assert tally(shop([{"image": copy, "n": 2}])) == {"found": 1, "updated": 1}
    (row,) = stored(shop.collection).values()
    assert row.metadata == {"n": 2}
    assert row.paths == {str(files[0]): files[0].stat().st_mtime_ns, str(copy): 5 * 10**9}
    assert shop.encoder.embedded == 1


def test_a_data_frame(shop, files):
    frame = pandas.DataFrame(
        {
            "picture": [str(path) for path in files[:3]] + [None],
            "sku": [7, None, 9, 10],
            "price": [1.5, float("nan"), 3, 4],
            "when": [pandas.Timestamp(2024, 1, 2), pandas.NaT, pandas.NaT, pandas.NaT],
            "stock": pandas.array([1, None, 3, 4], dtype="Int64"),
            5: ["a", "b", "c", "d"],
        }
    )
    report = shop(frame, image="picture", id="sku")
    assert (report.found, report.encoded) == (4, 3)
    assert [failure.path for failure in report.failures] == ["record 3"]
    assert {id: row.metadata for id, row in stored(shop.collection).items()} == {
        "7": {"price": 1.5, "when": "2024-01-02T00:00:00", "stock": 1, "5": "a"},
        hash_file(files[1]): {"5": "b"},
        "9": {"price": 3.0, "stock": 3, "5": "c"},
    }


class Dataset:
    """What `datasets.Dataset` shows of itself: a length, and rows as dictionaries."""

    column_names = ("image", "label")

    def __init__(self, rows):
        self._rows = rows

    def __len__(self):
        return len(self._rows)

    def __iter__(self):
        return iter(self._rows)


def test_a_named_index_of_a_data_frame_is_a_column(shop, files):
    frame = pandas.DataFrame({"id": ["a-1", "a-2"], "image": [str(file) for file in files[:2]]})
    assert shop(frame.set_index("id")).encoded == 2
    assert shop.collection.known(["a-1", "a-2"]) == {"a-1", "a-2"}


def test_a_dataset(shop, files):
    told = []
    with Image.open(files[0]) as decoded:
        rows = [
            {"image": decoded, "label": 0},
            {"image": {"bytes": files[1].read_bytes(), "path": None}, "label": 1},
        ]
        report = shop(Dataset(rows), progress=told.append)
    assert tally(report) == {"found": 2, "encoded": 2}
    assert (told[-1].done, told[-1].total) == (2, 2)
    assert {id: row.metadata for id, row in stored(shop.collection).items()} == {
        hash_file(path): {"label": number} for number, path in enumerate(files[:2])
    }


def test_generators_are_taken_lazily(shop, tmp_path):
    taken, waiting = [], []

    def records():
        for number in range(100):
            taken.append(number)
            yield {"image": picture(tmp_path / f"{number}.png", number)}

    inner = shop.encoder.embed

    def embed(batch):
        waiting.append(len(taken) - shop.encoder.embedded)
        return inner(batch)

    shop.encoder.embed = embed
    assert shop(records(), batch_size=2).encoded == 100
    assert max(waiting) <= 5 * 2
    assert shop.encoder.embedded == 100


def test_what_was_encoded_before_a_failure_stays(shop, files):
    def broken():
        for path in files[:8]:
            yield {"image": path}
        raise OSError("the source is gone")

    with pytest.raises(OSError, match="gone"):
        shop(broken(), batch_size=1)
    assert 0 < shop.collection.count() < 8
    shop.encoder.embed = lambda batch: 1 / 0
    with pytest.raises(EncoderError, match="smaller batch"):
        shop([{"image": path} for path in files])
    with pytest.raises(EncoderError, match=r"failed on 1 picture \(ZeroDivisionError: .*\)\. What"):
        shop([{"image": files[-1]}])


def test_one_picture(collection, encoder, images, files, tmp_path):
    def add(image, metadata=None, id=None):
        return add_record(image, collection, encoder, images, metadata=metadata, id=id)

    id = add(files[0], {"n": 1})
    assert id == hash_file(files[0])
    assert add(files[0], {"n": 2}, "x") == "x"
    assert add(files[0]) == id  # the metadata stay
    rows = stored(collection)
    assert (rows[id].metadata, rows["x"].metadata, encoder.embedded) == ({"n": 1}, {"n": 2}, 2)
    with pytest.raises(ImageError, match="no such file"):
        add(tmp_path / "none.png")
    with pytest.raises(MetadataError, match="'when'"):
        add(files[1], {"when": object()})
    with pytest.raises(InputError, match="'a b'"):
        add(files[1], None, "a b")
    encoder.prepare = lambda item: 1 / 0
    with pytest.raises(ImageError, match="cannot be prepared"):
        add(files[1])
    encoder.fingerprint = "other"
    with pytest.raises(EncoderMismatch):
        add(files[1])
    assert set(stored(collection)) == {id, "x"}


def test_more_copies_than_a_row_can_list(collection, encoder, images, files, tmp_path):
    id = add_record(files[0], collection, encoder, images)
    (row,) = collection.get([id])
    many = {f"/a/long/enough/path/{number:06}.jpg": 1 for number in range(1_600)}
    collection.upsert([type(row)(id, many, row.size, vector=row.vector)])
    copy = Path(tmp_path / ("x" * 200 + ".png"))
    copy.write_bytes(files[0].read_bytes())
    with pytest.raises(InputError, match="copies"):
        for number in range(100):
            renamed = copy.rename(copy.with_name(f"{number:03}" + "x" * 200 + ".png"))
            copy = renamed
            add_record(copy, collection, encoder, images)
