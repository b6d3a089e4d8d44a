"""Backups that are taken while another process writes all the time, and their restoring."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.collection import Collection, EncoderIdentity, Row
from ocelot.encoders.base import Encoder
from ocelot.engine import Engine
from ocelot.errors import (
    CollectionNotFound,
    ConfigurationError,
    DatabaseUnavailable,
    InputError,
    StorageError,
)
from ocelot.images.store import ImageStore
from ocelot.maintenance.backup import backup, restore

ENCODER = EncoderIdentity("test", "0" * 64, 4)


def vector_of(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=4).astype(np.float32)


def rows(start: int, stop: int) -> list[Row]:
    return [Row(f"n{n}", {f"/{n}": 1}, 1, 1, 1, {"n": n}, vector_of(n)) for n in range(start, stop)]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A closed database of 30 rows, with a log that is not empty and a file of deletions."""
    with Collection.open(tmp_path / "shop.db", encoder=ENCODER) as collection:
        collection.upsert(rows(0, 30))
        collection.delete(["n3"])
    return tmp_path / "shop.db"


def state_of(collection: Collection) -> dict[str, tuple]:
    return {row.id: (row.metadata["n"], row.vector.tobytes()) for row in collection.iterate_whole()}


class Unit(Encoder):
    """Every picture's vector is made of its first pixel."""

    name, dimension, fingerprint = "unit", 4, "unit-1"

    def embed(self, batch):
        return np.stack([[*np.asarray(image)[0, 0], 1] for image, _ in batch]).astype(np.float32)


def picture(number: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (number % 256, number // 256 % 256, 7)).save(file, "PNG")
    return file.getvalue()


# Each step is one acknowledged change, so the state after k steps is known.
def step(engine: Engine, number: int) -> None:
    kind = number % 6
    if kind < 2:
        engine.collection.upsert(rows(number, number + 1))
    elif kind == 2:
        engine.add(picture(number), id=f"u{number}", metadata={"n": number})
    elif kind == 3:
        engine.update(f"n{number - 2}", {"n": -number})
    elif kind == 4:
        engine.delete(f"n{number - 4}")
    elif number > 30:
        engine.delete(f"u{number - 33}")
    if number % 20 == 19:
        engine.collection.flush()  # which makes data files, and these are merged


def states(steps: int) -> list[dict[str, int]]:
    """The `n` of each id after 0, 1, … steps."""
    found: list[dict[str, int]] = [{}]
    for number in range(steps):
        state, kind = dict(found[-1]), number % 6
        if kind < 2:
            state[f"n{number}"] = number
        elif kind == 2:
            state[f"u{number}"] = number
        elif kind == 3:
            state[f"n{number - 2}"] = -number
        elif kind == 4:
            del state[f"n{number - 4}"]
        elif number > 30:
            del state[f"u{number - 33}"]
        found.append(state)
    return found


def write_forever(database: str, progress: str) -> None:
    """Run in another process: note the number of acknowledged steps in a file."""
    collection = Collection.open(database, encoder=EncoderIdentity.of(Unit()))
    images = ImageStore(uploads=database.removesuffix(".db") + "-uploads")
    engine = Engine(Unit(), collection, images=images)
    with open(progress, "r+b") as file, mmap.mmap(file.fileno(), 8) as noted:
        for number in range(10**6):
            step(engine, number)
            noted[:] = struct.pack("q", number + 1)
            print(number + 1, flush=True)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks between processes")
def test_backups_while_a_process_writes(tmp_path: Path) -> None:
    """Each is the state after some step, between those done before and after it was taken."""
    database, progress = tmp_path / "shop.db", tmp_path / "progress"
    progress.write_bytes(bytes(8))
    code = "import sys; from tests.maintenance.test_backup import *; write_forever(*sys.argv[1:])"
    command = [sys.executable, "-c", code, str(database), str(progress)]
    writer = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def done() -> int:
        return int(struct.unpack("q", progress.read_bytes())[0])

    def wait_for(steps: int) -> None:
        while int(writer.stdout.readline()) < steps:  # no number if the writer has failed
            pass

    taken = []
    with writer:
        try:
            wait_for(80)
            for number in range(10):
                before = done()
                report = backup(database, tmp_path / f"{number}.tar")
                taken.append((report, before, done()))
                wait_for(taken[-1][2] + 10)
        finally:
            writer.kill()
    known = states(done() + 1)
    for report, before, after in taken:
        copy = report.file.with_suffix(".db")
        restored = restore(report.file, copy)  # which checks the seal
        with Collection.open(copy, create=False) as collection:
            assert collection.identity.name == "unit"
            found = list(collection.iterate_whole())
        assert {row.id: row.metadata["n"] for row in found} in known[before : after + 2]
        assert restored.rows == {"ocelot": len(found)}
        uploads = [row for row in found if row.id.startswith("u")]
        assert uploads and restored.uploads >= len(uploads)
        for row in found:
            number = int(row.id[1:])
            if row in uploads:
                (path,) = row.paths
                assert Path(path).parent.parent == tmp_path / f"{copy.stem}-uploads"
                assert Path(path).read_bytes() == picture(number)
                np.testing.assert_allclose(
                    row.vector * np.linalg.norm([number % 256, number // 256 % 256, 7, 1]),
                    [number % 256, number // 256 % 256, 7, 1],
                    rtol=1e-5,
                )
            else:
                assert row.vector.tobytes() == vector_of(number).tobytes()


def test_a_backup_is_restored_whole(tmp_path: Path, database: Path) -> None:
    with Collection.open(database, name="toys", encoder=ENCODER) as toys:
        toys.upsert(rows(100, 105))
    with Collection.open(database, create=False) as collection:
        before = state_of(collection)
        collection._client.create_alias("toys", "games")
        report = backup(database, tmp_path / "new" / "a.tar")  # while it is open here
    assert (report.collections, report.uploads) == (("ocelot", "toys"), 0)
    assert report.bytes == report.file.stat().st_size
    (tmp_path / "folder").mkdir()
    named = backup(database, tmp_path / "folder").file
    assert named.parent.name == "folder" and named.name.startswith("shop-20")
    restored = restore(report.file, tmp_path / "b" / "c.db")
    assert restored.rows == {"ocelot": 29, "toys": 5}
    with Collection.open(restored.database, create=False) as collection:
        assert state_of(collection) == before
        described = collection._client.describe_alias("games")
        assert described["collection_name"] == "toys"
        collection.upsert(rows(200, 201))  # it is no read-only copy
        assert collection.count() == 30
    with Collection.open(database, create=False) as collection:
        assert state_of(collection) == before
    held = sorted(restored.database.rglob("*"))
    with pytest.raises(ConfigurationError, match=r"c\.db exists already"):
        restore(report.file, restored.database)
    assert sorted(restored.database.rglob("*")) == held
    assert [file for file in tmp_path.rglob("*") if file.suffix == ".part"] == []


def test_uploads_come_along(tmp_path: Path) -> None:
    with Collection.open(tmp_path / "shop.db", encoder=EncoderIdentity.of(Unit())) as collection:
        engine = Engine(Unit(), collection, images=ImageStore(uploads=tmp_path / "shop-uploads"))
        item = engine.add(picture(1), metadata={"n": 1})
        other = tmp_path / "other.png"
        other.write_bytes(picture(2))
        engine.add(other)
    (tmp_path / "shop-uploads" / "notes.txt").write_text("not an upload")
    (tmp_path / "shop-uploads" / "pending").mkdir(exist_ok=True)
    (tmp_path / "shop-uploads" / "pending" / "x.png.pending").touch()
    assert backup(tmp_path / "shop.db", tmp_path / "a.tar").uploads == 1
    shutil.rmtree(tmp_path / "shop-uploads")
    same = restore(tmp_path / "a.tar", tmp_path / "same.db", tmp_path / "shop-uploads")
    assert same.uploads == 1 and Path(item.path).read_bytes() == picture(1)
    assert not (tmp_path / "shop-uploads" / "notes.txt").exists()
    assert (tmp_path / "shop-uploads" / "pending" / "x.png.pending").exists()
    restore(tmp_path / "a.tar", tmp_path / "moved.db")
    for name, folder in (("same", "shop-uploads"), ("moved", "moved-uploads")):
        with Collection.open(tmp_path / f"{name}.db", create=False) as collection:
            paths = {path for row in collection.iterate() for path in row.paths}
            (row,) = collection.get([item.id])
        assert str(other) in paths and len(paths) == 2
        (path,) = row.paths
        assert Path(path).is_relative_to(tmp_path / folder)
        assert Path(path).read_bytes() == picture(1) and row.metadata == {"n": 1}
        vector = row.vector
        np.testing.assert_array_equal(vector, Unit().encode([(picture(1), None)])[0])


def test_data_files_that_are_merged_meanwhile(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first copy is of files that are no longer the database, so that it is made again."""
    from ocelot.collection.lite import snapshot

    calls = []
    with Collection.open(database, create=False) as collection:

        def link(source: Path, target: Path) -> None:
            if not calls:  # as Milvus Lite does it in the background, without our lock
                client = collection._client
                entity = client.query("ocelot", filter='id == "n0"', output_fields=["*"])[0]
                client.upsert("ocelot", [{**entity, "id": "late"}])
                client.flush("ocelot")
            calls.append(source)
            snapshot_link(source, target)

        snapshot_link = snapshot.link_or_copy
        monkeypatch.setattr(snapshot, "link_or_copy", link)
        backup(database, tmp_path / "a.tar")
        expected = state_of(collection)
    assert "late" in expected
    with Collection.open(restore(tmp_path / "a.tar", tmp_path / "b.db").database) as collection:
        assert state_of(collection) == expected


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no locks between processes")
def test_writes_and_copies_exclude_each_other(tmp_path: Path, database: Path) -> None:
    import fcntl

    from ocelot.collection.lite.snapshot import snapshot

    def is_free(kind: int) -> bool:
        with open(database / "WRITE", "rb+") as file:
            try:
                fcntl.flock(file, kind | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    with Collection.open(database, create=False) as collection:
        upsert, seen = collection._client.upsert, []

        def watched(*arguments: object, **options: object) -> None:
            seen.append(is_free(fcntl.LOCK_SH))
            upsert(*arguments, **options)

        collection._client.upsert = watched
        collection.upsert(rows(50, 51))
        assert seen == [False] and is_free(fcntl.LOCK_EX)
        with snapshot(database, tmp_path / "copy"):
            assert not is_free(fcntl.LOCK_EX)
            assert collection.count() == 30  # reads go on
        assert is_free(fcntl.LOCK_EX)


def rewritten(file: Path, target: Path, change) -> Path:
    """A copy of a tar file whose members' contents went through `change(name, content)`."""
    with tarfile.open(file) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = change(member.name, old.extractfile(member).read())
            if content is not None:
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
    return target


def test_backups_that_are_not_whole(tmp_path: Path, database: Path) -> None:
    uploads = tmp_path / "shop-uploads"
    name = hashlib.sha256(picture(1)).hexdigest()
    (uploads / name[:2]).mkdir(parents=True)
    (uploads / name[:2] / f"{name}.png").write_bytes(picture(1))
    good = backup(database, tmp_path / "good.tar").file
    bad = tmp_path / "bad"
    bad.mkdir()

    def with_member(file: str, **options: object) -> Path:
        shutil.copy(good, bad / file)
        with tarfile.open(bad / file, "a") as tar:
            member = tarfile.TarInfo(str(options.pop("name")))
            vars_of = dict(options)
            for key, value in vars_of.items():
                setattr(member, key, value)
            tar.addfile(member, io.BytesIO())
        return bad / file

    def flipped(name: str, content: bytes) -> bytes:
        return content[:40] + bytes([content[40] ^ 1]) + content[41:]

    whole = good.read_bytes()
    (bad / "cut.tar").write_bytes(whole[: len(whole) // 2])
    (bad / "text.tar").write_text("no tar")
    files = [
        bad / "none.tar",
        bad / "cut.tar",
        bad / "text.tar",
        rewritten(good, bad / "less.tar", lambda n, c: None if n.endswith(".png") else c),
        rewritten(good, bad / "1.tar", lambda n, c: flipped(n, c) if "parquet" in n else c),
        rewritten(good, bad / "2.tar", lambda n, c: flipped(n, c) if n.endswith(".png") else c),
        rewritten(good, bad / "3.tar", lambda n, c: None if n == "backup.json" else c),
        rewritten(good, bad / "4.tar", lambda n, c: b"[]" if n == "backup.json" else c),
        rewritten(
            good,
            bad / "5.tar",
            lambda n, c: (
                json.dumps(json.loads(c) | {"format": 9}).encode() if n == "backup.json" else c
            ),
        ),
        rewritten(
            good,
            bad / "11.tar",
            lambda n, c: c.replace(b'"ocelot"', b'"../evil"') if n == "backup.json" else c,
        ),
        with_member("6.tar", name="../evil"),
        with_member("7.tar", name="/evil"),
        with_member("8.tar", name="uploads/../../evil"),
        with_member("9.tar", name="database/x", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        with_member("10.tar", name="evil"),
        with_member("12.tar", name="backup.json"),
        with_member("13.tar", name="backup.json/x"),
        with_member("14.tar", name="database/x", pax_headers={"mtime": "inf"}),
        with_member(
            "15.tar",
            name="database/x",
            pax_headers={"GNU.sparse.map": "0,0", "GNU.sparse.size": "9000000000"},
        ),
    ]
    for number, change in enumerate(
        [{"made": 5}, {"files": None}, {"uploads": None}, {"uploads": {"ocelot": [1]}}], 20
    ):

        def changed(name: str, content: bytes, change: dict = change) -> bytes:
            note = name == "backup.json"
            return json.dumps(json.loads(content) | change).encode() if note else content

        files.append(rewritten(good, bad / f"{number}.tar", changed))
    (bad / "bomb.tar").write_bytes(gzip.compress(bytes(10_000_000)))
    files.append(bad / "bomb.tar")
    for file in files:
        with pytest.raises(InputError, match=file.name):
            restore(file, tmp_path / "new" / "b.db")
        assert not any((tmp_path / "new").iterdir()), file
    assert restore(good, tmp_path / "new" / "b.db").uploads == 1
    assert not list(tmp_path.rglob("evil"))


def test_what_cannot_be_backed_up(tmp_path: Path, database: Path) -> None:
    with pytest.raises(ConfigurationError, match="milvus-backup") as raised:
        backup("http://root:secret@host:19530", tmp_path / "a.tar")
    assert "secret" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="inside the database"):
        backup(database, database)
    with pytest.raises(CollectionNotFound, match=r"none\.db"):
        backup(tmp_path / "none.db", tmp_path / "a.tar")
    with pytest.raises(ConfigurationError, match=r"\.db"):
        restore(tmp_path / "a.tar", tmp_path / "folder")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        backup(database, tmp_path / "file" / "a.tar")
    (segment,) = (database / "collections/ocelot/partitions/_default/data").iterdir()
    segment.unlink()
    with pytest.raises(DatabaseUnavailable, match=r"a data file is missing"):
        backup(database, tmp_path / "a.tar")
    manifest = database / "collections/ocelot/manifest.json"
    manifest.write_text("{}")
    with pytest.raises(DatabaseUnavailable, match=r"manifest\.json"):
        backup(database, tmp_path / "a.tar")
    assert not (tmp_path / "a.tar").exists()
    assert [file for file in tmp_path.rglob("*") if file.suffix == ".part"] == []
    assert os.path.isdir(database)
