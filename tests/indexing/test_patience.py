"""Runs while their Milvus server is away."""

from __future__ import annotations

import logging

import pytest

from ocelot.collection import Collection
from ocelot.errors import CollectionError, DatabaseUnavailable
from ocelot.images.store import ImageStore
from ocelot.indexing import add_record, add_records, index_images
from ocelot.indexing import patience as patience_module
from ocelot.indexing import writer as writing
from ocelot.indexing.patience import Patience
from tests.forwarder import Forwarder
from tests.indexing.pictures import HistogramEncoder, hash_file, picture
from tests.milvus_server import TOKEN


class Meanwhile(HistogramEncoder):
    """Calls a function before its second batch."""

    def __init__(self, call):
        super().__init__()
        self.call = call

    def embed(self, batch):
        if self.embedded == self.batch_size:
            self.call()
        return super().embed(batch)


@pytest.fixture(scope="module")
def server(milvus):
    with Forwarder(milvus) as forwarder:
        yield forwarder


@pytest.fixture(scope="module")
def collection(server):
    """A collection that the tests share, as making one takes seconds."""
    identity = HistogramEncoder().identity
    with Collection.open(server.uri, token=TOKEN, name="outage", encoder=identity) as opened:
        yield opened


@pytest.fixture
def pictures(request, tmp_path, monkeypatch):
    """Ten pictures that no other test has."""
    monkeypatch.setattr(writing, "SECONDS", 0.0)  # each batch is written at once
    monkeypatch.setattr(Collection, "flush", lambda self: None)  # takes seconds
    first = sum(map(ord, request.node.name)) * 100
    for number in range(first, first + 10):
        picture(tmp_path / "shop" / f"{number}.png", number)
    return tmp_path / "shop"


@pytest.fixture
def warned(monkeypatch):
    """Functions to call when a run says that it tries again; and what it has said."""

    class Handler(logging.Handler):
        said: list[str] = []  # noqa: RUF012
        calls: list = []  # noqa: RUF012

        def emit(self, record):
            self.said.append(record.getMessage())
            while self.calls:
                self.calls.pop()()

    handler = Handler()
    patience_module.log.addHandler(handler)
    yield handler
    patience_module.log.removeHandler(handler)


def test_an_outage_is_waited_for(server, collection, pictures, warned):
    warned.calls.append(server.up)
    report = index_images(pictures, collection, Meanwhile(server.down))
    assert (report.encoded, report.failures) == (10, ())
    assert collection.known(map(hash_file, pictures.iterdir())) == {
        hash_file(file) for file in pictures.iterdir()
    }
    assert "does not answer" in warned.said[0] and "answers again" in warned.said[-1]


def test_records_wait_too(server, collection, pictures, warned):
    warned.calls.append(server.up)
    records = [{"image": file, "id": file.stem} for file in sorted(pictures.iterdir())]
    report = add_records(records, collection, Meanwhile(server.down), ImageStore())
    assert (report.encoded, report.failures) == (10, ())
    assert len(collection.known(record["id"] for record in records)) == 10


def test_an_outage_that_lasts_ends_the_run_and_the_next_completes_it(
    server, collection, pictures, monkeypatch
):
    with monkeypatch.context() as patched:
        patched.setattr(collection, "outage_timeout", 0.4)
        with pytest.raises(DatabaseUnavailable, match="does not answer; check the address"):
            index_images(pictures, collection, Meanwhile(server.down))
    server.up()
    report = index_images(pictures, collection, HistogramEncoder())  # at once, without a pause
    assert report.encoded + report.unchanged == 10


def test_one_picture_is_not_waited_for(server, collection, pictures, warned):
    server.down()
    with pytest.raises(DatabaseUnavailable, match="does not answer"):
        add_record(next(pictures.iterdir()), collection, HistogramEncoder(), ImageStore())
    assert warned.said == []
    server.up()
    assert collection.count()  # works again at once


def test_a_server_that_starts_may_refuse_at_first(monkeypatch):
    monkeypatch.setattr(patience_module, "_FIRST_PAUSE", 0.0)
    errors = [DatabaseUnavailable("away."), CollectionError("not loaded.")]

    def call():
        if errors:
            raise errors.pop(0)
        return "answer"

    assert Patience(60)(call) == "answer"
    errors.append(CollectionError("refused."))
    with pytest.raises(CollectionError, match="refused"):
        Patience(60)(call)
