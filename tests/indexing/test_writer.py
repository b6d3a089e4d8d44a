"""What waits to be written: how much at once, in which order, and what an interruption leaves."""

from __future__ import annotations

import hashlib
import io
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

from ocelot.collection import Collection, EncoderIdentity, Row, row_bytes
from ocelot.errors import CollectionError
from ocelot.images.store import ImageStore
from ocelot.images.thumbnails import Thumbnails
from ocelot.indexing import Record, add_record, index_images
from ocelot.indexing import writer as writing
from ocelot.indexing.writer import Writer
from tests.indexing.pictures import HistogramEncoder, hash_file, picture


@pytest.fixture
def collection(tmp_path):
    with Collection.open(tmp_path / "x.db", encoder=EncoderIdentity("t", "0" * 64, 4)) as opened:
        yield opened


@pytest.fixture
def written(monkeypatch):
    """The number of rows in each upsert, as it comes; the upserts are made."""
    sizes = []
    inner = Collection.upsert

    def upsert(self, rows, **options):
        rows = list(rows)
        if rows:
            sizes.append(len(rows))
        inner(self, rows, **options)

    monkeypatch.setattr(Collection, "upsert", upsert)
    return sizes


def rows(first, last):
    ids = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(first, last)]
    return [Row(id, {f"/{id}.jpg": 1}, 1, vector=np.ones(4, np.float32)) for id in ids]


def test_batches_gather_until_they_hold_enough(collection, written, monkeypatch):
    monkeypatch.setattr(writing, "SECONDS", 1e9)
    monkeypatch.setattr(writing, "BYTES", 25 * row_bytes(rows(0, 1)[0]))
    with Writer(collection, ImageStore()) as writer:
        for first in range(0, 100, 10):
            writer.add(rows(first, first + 10), {})
    assert written == [30, 30, 30, 10]
    assert collection.count() == 100


def test_rows_do_not_wait_long(collection, written, monkeypatch):
    monkeypatch.setattr(writing, "SECONDS", 0.0)
    with Writer(collection, ImageStore()) as writer:
        for first in range(0, 30, 10):
            writer.add(rows(first, first + 10), {})
    assert written == [10, 10, 10]


def test_an_interruption_leaves_what_was_added(collection, written):
    with pytest.raises(KeyboardInterrupt), Writer(collection, ImageStore()) as writer:
        writer.add(rows(0, 7), {})
        assert written == []
        raise KeyboardInterrupt
    assert collection.count() == 7


def test_an_interruption_of_the_last_wait_loses_nothing(tmp_path, monkeypatch):
    encoder, folder = HistogramEncoder(), tmp_path / "shop"
    for number in range(3):
        picture(folder / f"{number}.png", number)
    with Collection.open(tmp_path / "y.db", encoder=encoder.identity) as collection:
        index_images(folder, collection, encoder)
        picture(folder / "1.png", 7)  # its old row goes in the last write
        wait, interrupted = Writer._wait, []

        def interrupt(writer):
            if writer._pending.updates and not interrupted:
                interrupted.append(True)
                raise KeyboardInterrupt
            wait(writer)

        monkeypatch.setattr(Writer, "_wait", interrupt)
        with pytest.raises(KeyboardInterrupt):
            index_images(folder, collection, encoder)
        assert interrupted
        assert {row.id for row in collection.iterate()} == set(map(hash_file, folder.iterdir()))


def test_content_that_another_adds_meanwhile_keeps_what_was_said_of_it(tmp_path):
    folder = tmp_path / "shop"
    files = [picture(folder / f"{number}.png", number) for number in range(2)]
    (folder / "metadata.csv").write_text("file_name,title\n1.png,from the table\n")
    uploads = [tmp_path / "uploads" / file.name for file in files]

    class Meanwhile(HistogramEncoder):
        """While it encodes a run's batch, the same contents are uploaded."""

        def embed(self, batch):
            if not uploads[0].exists():
                uploads[0].parent.mkdir()
                for file, upload in zip(files, uploads, strict=True):
                    shutil.copy(file, upload)
                    said = {"title": f"upload {file.name}"}
                    add_record(Record(upload, said), collection, self, ImageStore())
            return super().embed(batch)

    encoder = Meanwhile()
    with Collection.open(tmp_path / "y.db", encoder=encoder.identity) as collection:
        index_images(folder, collection, encoder)
        stored = collection.get(map(hash_file, files))
    assert [set(row.paths) for row in stored] == [
        {str(file), str(upload)} for file, upload in zip(files, uploads, strict=True)
    ]
    assert [row.metadata["title"] for row in stored] == ["upload 0.png", "from the table"]


def test_one_write_is_in_flight_and_the_next_waits(collection, monkeypatch):
    monkeypatch.setattr(writing, "SECONDS", 0.0)
    gate, inside, most = threading.Semaphore(0), [], []
    inner = Collection.upsert

    def upsert(self, rows, **options):
        inside.append(1)
        most.append(len(inside))
        gate.acquire()
        inner(self, rows, **options)
        inside.pop()

    monkeypatch.setattr(Collection, "upsert", upsert)
    with Writer(collection, ImageStore()) as writer:
        writer.add(rows(0, 5), {})
        caller = threading.Thread(target=writer.add, args=(rows(5, 10), {}))
        caller.start()
        caller.join(0.05)
        assert caller.is_alive()  # held up: the first is still in flight
        gate.release(100)
        caller.join()
    assert set(most) == {1}
    assert collection.count() == 10


def test_a_failed_write_is_told_and_ends_the_run(collection, monkeypatch):
    monkeypatch.setattr(writing, "SECONDS", 0.0)
    with pytest.raises(CollectionError, match="closed"), Writer(collection, ImageStore()) as writer:
        collection.close()
        writer.add(rows(0, 5), {})
        writer.add(rows(5, 10), {})


def test_an_update_finds_a_row_that_was_just_added(collection, written):
    (row,) = rows(0, 1)
    with Writer(collection, ImageStore()) as writer:
        writer.add([row], {})
        writer.update(row.id).add["/copy.jpg"] = 2
    (stored,) = collection.get([row.id])
    assert stored.paths == {**row.paths, "/copy.jpg": 2}


@pytest.fixture
def shelf(tmp_path):
    thumbnails = Thumbnails(tmp_path / "t.sqlite")
    yield thumbnails
    thumbnails.close()


def test_thumbnails_are_made_of_large_pictures_and_go_with_their_rows(tmp_path, shelf):
    encoder = HistogramEncoder()
    folder = tmp_path / "shop"
    small = picture(folder / "small.jpg", 1)
    large = folder / "large.jpg"
    Image.effect_mandelbrot((1600, 1200), (-2, -1, 1, 1), 20).convert("RGB").save(large)
    with Collection.open(tmp_path / "x.db", encoder=encoder.identity) as collection:
        for side in (None, 8):  # a reduced picture must still be large enough for its copy
            encoder.decode_side = side
            index_images(folder, collection, encoder, images=ImageStore(shelf))
            id = hash_file(large)
            assert shelf.get(hash_file(small)) is None
            with Image.open(io.BytesIO(shelf.get(id))) as copy:
                assert copy.size == (400, 300)
            (row,) = collection.get([id])
            assert (row.width, row.height) == (1600, 1200)
            collection.delete([id])
            shelf.drop([id])
        index_images(folder, collection, encoder, images=ImageStore(shelf))
        assert shelf.get(id)
        large.unlink()
        index_images(folder, collection, encoder, prune=True, images=ImageStore(shelf))
        assert not shelf.get(id)
