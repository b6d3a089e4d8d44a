from __future__ import annotations

import io
import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.images.thumbnails import Thumbnails


def stored(copies: Thumbnails, ids: Iterable[str]) -> dict[str, bytes]:
    found = {id: copies.get(id) for id in ids}
    return {id: jpeg for id, jpeg in found.items() if jpeg is not None}


def test_a_copy_keeps_shape_and_content() -> None:
    slope = np.linspace(0, 255, 1600, dtype=np.uint8)
    picture = Image.fromarray(np.broadcast_to(slope[None, :, None], (1200, 1600, 3)).copy())
    copy = Image.open(io.BytesIO(Thumbnails.make(picture)))
    assert (copy.format, copy.size) == ("JPEG", (400, 300))
    means = np.asarray(picture).reshape(300, 4, 400, 4, 3).mean((1, 3))
    assert np.abs(np.asarray(copy) - means).max() < 4


def test_a_copy_of_a_tall_and_thin_picture_has_both_sides() -> None:
    assert Image.open(io.BytesIO(Thumbnails.make(Image.new("RGB", (2, 4000))))).size == (1, 400)


def test_only_large_pictures_are_worth_a_copy(tmp_path: Path) -> None:
    copies = Thumbnails(tmp_path / "t.sqlite")
    assert copies.wants(4000, 3000)
    assert copies.wants(100, 3000)
    assert not copies.wants(450, 450)


def test_keeps_and_forgets(tmp_path: Path) -> None:
    path = tmp_path / "new" / "thumbnails.sqlite"
    kept = Thumbnails(path)
    assert kept.get("a") is None
    assert not path.exists()  # asking leaves no trace
    kept.put({})
    kept.put({"a": b"1", "b": b"2"})
    kept.put({"b": b"3"})
    assert stored(kept, iter(["a", "b", "c"])) == {"a": b"1", "b": b"3"}
    kept.close()
    again = Thumbnails(path)
    again.drop(iter(["a", "none"]))
    assert stored(again, ["a", "b"]) == {"b": b"3"}
    assert stored(kept, ["a", "b"]) == {"b": b"3"}  # closed is not the end
    again.close()
    kept.close()


def test_stands_in_the_cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    Thumbnails().put({"a": b"1"})
    assert (tmp_path / "cache" / "thumbnails.sqlite").is_file()
    assert Thumbnails().get("a") == b"1"


def test_the_oldest_make_room(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    kept = Thumbnails(path, max_bytes=400_000)
    ids = [f"{number:03}" for number in range(100)]
    for id in ids:
        kept.put({id: id.encode() * 5_000})  # 15 kB each: 26 of them are 400 kB
    left = sorted(stored(kept, ids))
    assert left == ids[-len(left) :]
    assert 20 <= len(left) <= 26
    assert path.stat().st_size < 500_000


def test_what_is_kept_again_is_new_again(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path / "t.sqlite", max_bytes=200_000)
    for number in range(50):
        kept.put({"favourite": b"f" * 9_000, str(number): b"o" * 9_000})
    assert kept.get("favourite") is not None
    assert kept.get("0") is None


def test_a_copy_too_large_for_the_limit_is_not_kept(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path / "t.sqlite", max_bytes=50_000)
    kept.put({"large": bytes(100_000)})
    assert kept.get("large") is None
    kept.put({"small": b"1"})
    assert kept.get("small") == b"1"


@pytest.mark.parametrize("damage", [b"no database at all" * 1000, b""])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "t.sqlite"
    path.write_bytes(damage)
    kept = Thumbnails(path)
    assert kept.get("a") is None
    kept.put({"a": b"1"})
    assert kept.get("a") == b"1"


def test_a_file_that_is_damaged_in_use_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    kept = Thumbnails(path)
    ids = [str(number) for number in range(50)]
    kept.put({id: bytes(9_000) for id in ids})
    kept.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    assert stored(kept, ids) == {}
    kept.put({"a": b"1"})
    assert kept.get("a") == b"1"


def test_another_kind_of_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("CREATE TABLE jpegs (something TEXT)")
        other.execute("INSERT INTO jpegs VALUES ('of mine')")
    kept = Thumbnails(path)
    kept.put({"a": b"1"})
    assert kept.get("a") is None
    kept.close()
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT * FROM jpegs").fetchall() == [("of mine",)]


def test_a_folder_that_cannot_be_made_is_an_empty_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for path in (tmp_path / "file" / "t.sqlite", tmp_path):
        kept = Thumbnails(path)
        kept.put({"a": b"1"})
        assert kept.get("a") is None
        kept.drop(["a"])
        kept.close()


def test_a_full_disk_keeps_what_there_is(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path / "t.sqlite")
    kept.put({"a": b"1"})
    # SQLite's own bound on a file gives the error of a full disk.
    assert kept._connection is not None
    kept._connection.execute("PRAGMA max_page_count = 20")
    kept.put({"b": bytes(500_000)})
    assert stored(kept, ["a", "b"]) == {"a": b"1"}
    kept.put({"c": b"3"})
    assert kept.get("c") == b"3"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_only_the_owner_may_read_copies(tmp_path: Path) -> None:
    path, common = tmp_path / "new" / "t.sqlite", tmp_path / "common.sqlite"
    common.touch(0o644)
    for file in (path, common):
        kept = Thumbnails(file)
        kept.put({"a": b"1"})
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        kept.close()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_dropped_copy_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    kept = Thumbnails(path)
    kept.put({"a": b"a face" * 5000, "b": b"b"})
    kept.drop(["a"])
    kept.close()
    assert b"a face" not in path.read_bytes()


def test_of_no_room_only_dropping_is_left(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    kept, none = Thumbnails(path), Thumbnails(path, max_bytes=0)
    kept.put({"a": b"1", "b": b"2"})
    none.put({"c": b"3"})
    assert (kept.wants(4000, 3000), none.wants(4000, 3000)) == (True, False)
    assert stored(none, ["a", "b", "c"]) == {}
    none.drop(["a"])
    assert stored(kept, ["a", "b", "c"]) == {"b": b"2"}
    kept.close()
    none.close()


def test_a_lock_is_no_lasting_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ocelot.images.thumbnails._BUSY_SECONDS", 0.01)
    path = tmp_path / "t.sqlite"
    Thumbnails(path).put({"a": b"1"})
    kept = Thumbnails(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        kept.put({"b": b"2"})
        assert kept.get("a") is None
        other.execute("ROLLBACK")
    kept.put({"c": b"3"})
    assert stored(kept, ["a", "b", "c"]) == {"a": b"1", "c": b"3"}
    kept.close()


def test_threads_share_one(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path / "t.sqlite")

    def work(thread: int) -> bool:
        for number in range(30):
            id = f"{thread}-{number}"
            kept.put({id: id.encode(), "shared": b"s"})
            if stored(kept, [id, "shared"]) != {id: id.encode(), "shared": b"s"}:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert len(stored(kept, [f"{t}-{n}" for t in range(8) for n in range(30)])) == 240


_PROCESS = """
import sys
from pathlib import Path
from ocelot.images.thumbnails import Thumbnails
kept = Thumbnails(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    kept.put({f"{sys.argv[2]}-{number}": sys.argv[2].encode() * 1000})
"""


def test_processes_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", _PROCESS, str(path), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:  # both are at it from here on, and make the file at once
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(60) for process in running] == [0, 0]
    for process in running:
        assert process.stdout is not None
        process.stdout.close()
    ids = [f"{name}-{number}" for name in "ab" for number in range(100)]
    found = stored(Thumbnails(path), ids)
    assert found == {id: id[0].encode() * 1000 for id in ids}
