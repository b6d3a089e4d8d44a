"""A local database that is read-only, on a full disk, old, or used by other programs."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from milvus_lite.server_manager import server_manager_instance
from pymilvus import MilvusClient

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.collection.lite.repair import repair
from ocelot.errors import (
    CollectionError,
    CollectionNotFound,
    ConfigurationError,
    DatabaseUnavailable,
)

ENCODER = EncoderIdentity("test-encoder", "0123456789abcdef", 8)


def rows(start: int, stop: int) -> list[Row]:
    drawn = np.random.default_rng(start).normal(size=(stop - start, 8)).astype(np.float32)
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    return [
        Row(f"p{number}", {f"/{number}.jpg": 1}, 10, vector=vector)
        for number, vector in zip(range(start, stop), drawn, strict=True)
    ]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A closed database of 30 rows."""
    with Collection.open(tmp_path / "shop.db", encoder=ENCODER) as collection:
        collection.upsert(rows(0, 30))
    return tmp_path / "shop.db"


READ_ONLY = """
import os, sys
from ocelot.collection import Collection, EncoderIdentity
from ocelot.errors import DatabaseUnavailable
encoder = EncoderIdentity("test-encoder", "0123456789abcdef", 8)
Collection.open(sys.argv[2], encoder=encoder).close()  # imports what another user may not read
if os.geteuid() == 0:
    os.setuid(65534)
with Collection.open(sys.argv[1], create=False) as first:
    with Collection.open(sys.argv[1], create=False) as second:
        print(first.count(), second.count(), len(first.get(["p7"])))
    try:
        first.delete(["p7"])
    except DatabaseUnavailable as error:
        print(error)
try:
    Collection.open(sys.argv[1], encoder=encoder)
except DatabaseUnavailable as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_a_read_only_database_can_be_read(database: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # below a folder that every user may enter
        os.chmod(folder, 0o755)
        copy = shutil.copytree(database, Path(folder) / "shop.db")
        inside = list(copy.rglob("*"))
        for path in (copy, *inside):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = {path: path.stat().st_mtime_ns for path in inside}
        writable = str(database.with_name("other.db"))
        done = subprocess.run(
            [sys.executable, "-c", READ_ONLY, str(copy), writable],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        counts, *refused = done.stdout.splitlines()
        assert counts == "30 30 1"
        assert len(refused) == 2
        assert all("cannot be written" in sentence for sentence in refused)
        assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
        for path in (copy, *inside):
            path.chmod(0o755)


def test_a_reader_needs_no_room(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Collection.open(database, encoder=ENCODER) as collection:
        collection.upsert(rows(30, 50))
        killed = shutil.copytree(database, database.with_name("killed.db"))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    before = sorted(killed.rglob("*"))
    with Collection.open(killed, create=False) as collection:
        assert collection.count() == 50
        with pytest.raises(DatabaseUnavailable, match="cannot be written"):
            collection.upsert(rows(50, 60))
    assert sorted(killed.rglob("*")) == before


FAILED_WRITE = """
import os, resource, signal, sys
import numpy as np
from ocelot.errors import CollectionError
from tests.collection.lite.test_database import ENCODER, Collection, rows
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
collection = Collection.open(sys.argv[1], encoder=ENCODER)
stored = 0
collection.upsert(rows(0, 100))
most = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))  # as a full disk does
stored = 100
try:
    while True:
        collection.upsert(rows(stored, stored + 100))
        stored += 100
except CollectionError:
    pass
try:
    print(stored, collection.count())
except CollectionError:
    print(stored, stored)  # said, not silent
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for _ in range(3):
    collection.upsert(rows(stored, stored + 100))
    stored += 100
print(stored, collection.count())
os._exit(9)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file size limits")
@pytest.mark.parametrize("limit", ["log", "data file"])
def test_nothing_acknowledged_is_lost_when_a_write_fails(tmp_path: Path, limit: str) -> None:
    """Neither behind a torn record of the log, nor when a data file cannot be written."""
    memory = {"log": 10**9, "data file": 200_000}[limit]
    most = {"log": 200_000, "data file": 60_000}[limit]
    done = subprocess.run(
        [sys.executable, "-c", FAILED_WRITE, str(tmp_path / "x.db"), str(most)],
        env={**os.environ, "MILVUS_LITE_MEMTABLE_MEMORY_LIMIT_BYTES": str(memory)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 9, done.stderr
    for line in done.stdout.splitlines():
        stored, counted = map(int, line.split())
        assert counted >= stored
    with Collection.open(tmp_path / "x.db", create=False) as collection:
        assert collection.count() >= stored


def test_a_program_that_knows_no_seal_may_write(database: Path) -> None:
    client = MilvusClient(str(database))
    client.load_collection("ocelot")
    with Collection.open(database, create=False) as collection:  # in the same process
        assert collection.count() == 30
        client.delete("ocelot", ids=["p3"])
        client.close()
    with Collection.open(database, create=False) as collection:
        assert collection.count() == 29


def test_what_is_not_closed_is_sealed_at_exit(tmp_path: Path) -> None:
    code = (
        "import sys; from tests.collection.lite.test_database import *\n"
        "Collection.open(sys.argv[1], encoder=ENCODER).upsert(rows(0, 30))\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x.db")], check=True)
    (data,) = (tmp_path / "x.db").rglob("data/*.parquet")
    assert data.name in (tmp_path / "x.db" / "seal.json").read_text()


def test_a_dropped_collection_is_no_damage(database: Path) -> None:
    with Collection.open(database, name="other", encoder=ENCODER) as other:
        other.upsert(rows(0, 5))
    Collection.open(database, create=False).drop()
    with Collection.open(database, name="other", create=False) as other:
        assert other.count() == 5
    with pytest.raises(CollectionError, match="There is no collection"):
        Collection.open(database, create=False)


def test_damage_of_another_collection_is_named(database: Path) -> None:
    with Collection.open(database, name="other", encoder=ENCODER) as other:
        other.upsert(rows(0, 5))
    (database / "collections" / "other" / "manifest.json").unlink()
    with pytest.raises(DatabaseUnavailable, match=r"manifest\.json of the collection 'other'"):
        Collection.open(database, create=False)


def test_files_of_old_versions_can_be_dumped(tmp_path: Path) -> None:
    (tmp_path / "old.db").write_bytes(b"SQLite format 3\0")
    with pytest.raises(DatabaseUnavailable, match="milvus-lite dump -d"):
        Collection.open(tmp_path / "old.db", create=False)


def test_milvus_lite_is_heard(database: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Collection.open(database, encoder=ENCODER) as collection:
        collection.upsert(rows(30, 50))
        killed = shutil.copytree(database, database.with_name("killed.db"))
    (log,) = killed.rglob("wal_data_*.arrow")
    log.write_bytes(log.read_bytes() + b"\xff\xff\xff\xff\x10\0")  # a write that was cut short
    with caplog.at_level(logging.WARNING), Collection.open(killed, create=False) as collection:
        assert collection.count() == 50
    assert "WAL recovery stopped" in caplog.text


def test_deletions_that_a_killed_process_left_in_the_log(tmp_path: Path) -> None:
    """Milvus Lite removes the rows of a log first; the deletions alone make a flush fail."""
    with Collection.open(tmp_path / "x.db", encoder=ENCODER) as collection:
        collection.upsert(rows(0, 20))
        collection.delete(["p0", "p1"])
        collection.upsert(rows(20, 30))
        (deletions,) = (tmp_path / "x.db").rglob("wal_delta_*.arrow")
        content = deletions.read_bytes()
    deletions.write_bytes(content)
    for _ in range(2):
        with Collection.open(tmp_path / "x.db", encoder=ENCODER) as collection:
            collection.flush()
            assert collection.count() == 28
    assert not deletions.exists()


def test_a_new_collection_in_the_place_of_a_dropped_one(tmp_path: Path) -> None:
    database = tmp_path / "x.db"
    with Collection.open(database, name="other", encoder=ENCODER):
        dropped = Collection.open(database, encoder=ENCODER)
        dropped.upsert(rows(0, 3))
        dropped.drop()
        with Collection.open(database, encoder=ENCODER) as collection:
            collection.upsert(rows(0, 30))
            killed = shutil.copytree(database, tmp_path / "killed.db")
    with Collection.open(killed, create=False) as collection:
        assert collection.count() == 30


def test_a_client_of_the_program_goes_on(database: Path) -> None:
    client = MilvusClient(str(database))
    client.load_collection("ocelot")
    with Collection.open(database, encoder=ENCODER) as collection:
        collection.upsert(rows(30, 40))
    assert len(client.query("ocelot", filter='id > ""', output_fields=["id"], limit=100)) == 40
    client.close()
    server_manager_instance.release_server(str(database))
    with Collection.open(database, create=False) as collection:
        assert collection.count() == 40


def test_threads_open_one_database(database: Path) -> None:
    together = threading.Barrier(8)

    def count(_: int) -> int:
        together.wait()
        with Collection.open(database, encoder=ENCODER) as collection:
            return collection.count()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(count, range(8))) == 8 * [30]


@pytest.mark.parametrize("path", ["x\0.db", 300 * "x" + ".db", "~nobody-of-this-name/x.db"])
def test_a_path_that_cannot_be(path: str) -> None:
    for use in (Collection.open, repair):
        with pytest.raises(ConfigurationError, match="give another path"):
            use(path)


def test_only_a_database_is_repaired(tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFound, match="There is no database"):
        repair(str(tmp_path))
    assert not list(tmp_path.iterdir())


def test_a_collection_that_another_program_has_made_again(database: Path) -> None:
    client = MilvusClient(str(database))
    client.drop_collection("ocelot")
    client.create_collection("ocelot", dimension=4)
    client.insert("ocelot", [{"id": number, "vector": [1.0, 0, 0, 0]} for number in range(30)])
    client.close()
    server_manager_instance.release_server(str(database))
    with pytest.raises(DatabaseUnavailable, match="has changed"):
        Collection.open(database, create=False)
    (loss,) = repair(str(database)).losses
    assert loss.reason == "Another program has made it again."
    client = MilvusClient(str(database))
    client.load_collection("ocelot")
    assert len(client.query("ocelot", filter="id >= 0", output_fields=["vector"])) == 30
    client.close()
    server_manager_instance.release_server(str(database))
