"""Listing sources, and reading the pictures of a listed file; the URLs are those of fsspec."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ocelot.errors import InputError
from ocelot.images.store import ImageStore
from ocelot.indexing.cluster.sources import list_sources, pictures_of
from ocelot.indexing.scan import File, scan
from ocelot.types import Item
from tests.indexing.pictures import hash_file, picture

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.png", "sub/b.jpg", ".hidden/c.png", "d.txt.png")):
        picture(tmp_path / "shop" / name, number)
    (tmp_path / "shop" / "notes.txt").write_text("none")
    (tmp_path / "shop" / "metadata.csv").write_text("file_name,price\nsub/b.jpg,5\nx.png,1\n")
    return tmp_path / "shop"


@pytest.fixture
def bucket(folder: Path) -> Iterator[str]:
    """The same files in memory, as if in a bucket."""
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/bucket", recursive=True)
    yield "memory://bucket"
    memory.rm("/bucket", recursive=True)


def test_a_folder_is_listed_as_by_the_ordinary_run(folder: Path) -> None:
    for source in (str(folder), folder.as_uri()):
        listing = list_sources([source])
        assert listing.files == list(scan(folder))
        (tables,) = listing.tables
        assert tables.lines == {str(folder / "sub/b.jpg"): {"price": 5}}


def test_a_bucket_is_listed_like_a_folder(folder: Path, bucket: str) -> None:
    listing = list_sources([bucket])
    local = list_sources([str(folder)])
    base = f"{folder}/"
    assert [file.path for file in listing.files] == [
        f"memory:///bucket/{file.path.removeprefix(base)}" for file in local.files
    ]
    assert [file.size for file in listing.files] == [file.size for file in local.files]
    assert all(file.mtime_ns > 0 for file in listing.files)
    (tables,) = listing.tables
    assert tables.lines == {"memory:///bucket/sub/b.jpg": {"price": 5}}
    assert tables.used == {"memory:///bucket/metadata.csv": 1}
    (remark,) = tables.remarks
    assert remark.path == "memory:///bucket/metadata.csv"
    assert "x.png" in remark.reason
    assert [file.path for file in list_sources([f"{bucket}/*.png"]).files] == [
        "memory:///bucket/a.png", "memory:///bucket/d.txt.png"
    ]  # fmt: skip


def test_a_picture_of_a_bucket_is_shown(folder: Path, bucket: str) -> None:
    (file, *_) = list_sources([bucket]).files
    id = hash_file(folder / "a.png")
    (found,) = pictures_of(file)
    assert found.read() == (folder / "a.png").read_bytes()
    assert ImageStore().original(Item(id, (file.path,))).id == id


def test_urls_that_cannot_be_used() -> None:
    for url, said in (
        ("https://me:secret@shop.example/x/", "with a user, a password or a query"),
        ("s3://bucket/a.tar?token=secret", "with a user, a password or a query"),
        ("nosuch://bucket", r"cannot be listed \(ValueError\)"),
        ("memory://nosuch", "cannot be listed"),
    ):
        with pytest.raises(InputError, match=said) as caught:
            list_sources([url])
        assert "secret" not in str(caught.value)
    with pytest.raises(InputError, match="There is no /no/such"):
        list_sources(["/no/such"])


def write_tar(path: Path, members: dict[str, bytes]) -> File:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return File(str(path), path.stat().st_size, 7)


def test_samples_of_a_tar(tmp_path: Path) -> None:
    file = write_tar(
        tmp_path / "a.tar",
        {
            "x/1.jpg": b"one", "x/1.json": b'{"price": 5}', "x/1.txt": b" A mug \n",
            "x/2.png": b"two", "x/2.cls": b"3",
            "y/2.json": b"[broken", "y/2.left.png": b"three", "y/2.right.png": b"four",
        },
    )  # fmt: skip
    found = [
        (p.path.removeprefix(file.path), p.data, p.metadata, p.error) for p in pictures_of(file)
    ]
    assert found[0] == ("#x/1.jpg", b"one", {"price": 5, "text": "A mug"}, "")
    assert found[1] == ("#x/2.png", b"two", {}, "")
    assert found[2][0] == "#y/2.json"
    assert "its metadata cannot be read" in found[2][3]
    assert [one[:2] for one in found[3:]] == [
        ("#y/2.left.png", b"three"), ("#y/2.right.png", b"four")
    ]  # fmt: skip
    assert {one.mtime_ns for one in pictures_of(file) if one.data} == {7}


def test_rows_of_a_table(tmp_path: Path, folder: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"image": {"bytes": b"one", "path": "x.png"}, "price": 5},
        {"image": {"bytes": None, "path": "shop/a.png"}, "price": 6},
        {"image": {"bytes": None, "path": "http://user:secret@127.0.0.1:1/a.png"}, "price": 7},
        {"image": {"bytes": None, "path": "shop/none.png"}, "price": 8},
        {"image": None, "price": 9},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    file = File(str(tmp_path / "a.parquet"), 0, 7)
    found = list(pictures_of(file))
    assert found[0][:5] == (f"{file.path}#image=0", 7, 0, b"one", {"price": 5})
    assert (found[1].path, found[1].metadata) == (str(folder / "a.png"), {"price": 6})
    assert found[1].size == (folder / "a.png").stat().st_size
    assert found[1].read() == (folder / "a.png").read_bytes()
    assert [bool(one.error) for one in found] == [False, False, True, True, True]
    assert not any("secret" in str(one) for one in found)
    (none,) = pictures_of(file, "photo")
    assert none.error == "it has no column photo, but image, price (--image-column)"


def test_containers_that_are_none(tmp_path: Path) -> None:
    for name in ("text.tar", "text.parquet"):
        (tmp_path / name).write_text("This is neither.")
        (picture,) = pictures_of(File(str(tmp_path / name), 16, 0))
        assert picture.error == "it is damaged, or not of the format of its name"
