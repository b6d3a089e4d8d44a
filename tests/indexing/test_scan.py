"""Which files a scan finds."""

from __future__ import annotations

import os
import sys

import pytest

from ocelot.errors import InputError
from ocelot.indexing import File, scan
from ocelot.types import Failure


def names(found, folder):
    return [os.path.relpath(one.path, folder) for one in found]


def touch(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_sorted_recursive_by_suffix_without_the_hidden(tmp_path):
    kept = ["B.JPG", "a.png", "a/2.webp", "a/b/1.TIFF", "z.Avif"]
    left = [".hidden.jpg", ".git/x.jpg", "notes.txt", "a/metadata.csv", "jpg"]
    touch(*(tmp_path / name for name in kept + left))
    found = list(scan(tmp_path))
    assert names(found, tmp_path) == ["B.JPG", "a/2.webp", "a/b/1.TIFF", "a.png", "z.Avif"]
    status = (tmp_path / "a.png").stat()
    assert found[3] == File(str(tmp_path / "a.png"), status.st_size, status.st_mtime_ns)


def test_links_to_files_are_followed_and_loops_are_not(tmp_path):
    touch(tmp_path / "d" / "a.jpg")
    (tmp_path / "b.jpg").symlink_to(tmp_path / "d" / "a.jpg")
    (tmp_path / "d" / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    found = list(scan(tmp_path))
    assert names(found, tmp_path) == ["b.jpg", "d/a.jpg", "gone.jpg"]
    assert [type(one) for one in found] == [File, File, Failure]


def test_files_and_several_roots_each_once(tmp_path, monkeypatch):
    touch(tmp_path / "a" / "1.jpg", tmp_path / "b" / "odd.bin", tmp_path / "dir.jpg" / "2.png")
    monkeypatch.chdir(tmp_path)
    found = list(scan(["b/odd.bin", "a", "a/1.jpg", "dir.jpg", "missing.jpg"]))
    assert names(found, tmp_path) == ["b/odd.bin", "a/1.jpg", "dir.jpg/2.png", "missing.jpg"]
    assert isinstance(found[-1], Failure)
    assert all(os.path.isabs(one.path) for one in found)


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match="missing"):
        list(scan(tmp_path / "missing"))
    with pytest.raises(InputError, match="nothing"):
        list(scan([]))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_not_utf8_are_reported(tmp_path):
    touch(tmp_path / "good.jpg")
    with open(os.fsencode(tmp_path) + b"/bad\xff.jpg", "wb"):
        pass
    bad, good = scan(tmp_path)
    assert isinstance(bad, Failure)
    assert "UTF-8" in bad.reason
    bad.path.encode()
    assert isinstance(good, File)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_unreadable_folders_are_reported(tmp_path):
    touch(tmp_path / "a" / "1.jpg", tmp_path / "b.jpg")
    (tmp_path / "a").chmod(0)
    found = list(scan(tmp_path))
    (tmp_path / "a").chmod(0o700)
    assert [type(one) for one in found] == [Failure, File]
