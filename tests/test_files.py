"""Files are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ocelot.files import atomic_path, write_atomic


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_written_and_replaced(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    for data in (b"one", b"two"):
        write_atomic(path, data, durable=durable)
        assert path.read_bytes() == data
        assert os.listdir(path.parent) == ["file.bin"]


def test_others_may_read_it(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_atomic(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_error_leaves_the_old_content(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file", b"old")
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "file") as partial:
        partial.write_bytes(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "file").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_is_put_in_place_whole(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "folder") as partial:
        partial.mkdir()
        (partial / "file").write_bytes(b"whole")
        assert not (tmp_path / "folder").exists()
    assert (tmp_path / "folder" / "file").read_bytes() == b"whole"
    with pytest.raises(OSError), atomic_path(tmp_path / "folder") as partial:
        partial.mkdir()
    assert os.listdir(tmp_path) == ["folder"]
