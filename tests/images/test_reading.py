"""Pictures read from their places."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ocelot.errors import ImageError, ImageTooLarge
from ocelot.images.places import file_of
from ocelot.images.reading import read_picture
from tests.indexing.pictures import picture


@pytest.fixture
def files(tmp_path: Path) -> list[bytes]:
    return [picture(tmp_path / f"{number}.png", number).read_bytes() for number in range(5)]


def test_a_file_named_like_a_place_is_that_file(tmp_path: Path, files: list[bytes]) -> None:
    odd = tmp_path / "a.tar#b.png"
    odd.write_bytes(files[0])
    assert read_picture(str(odd)).data == files[0]


def test_a_member_of_a_tar(tmp_path: Path, files: list[bytes]) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for number, data in enumerate(files):
            member = tarfile.TarInfo(f"folder/{number}.png")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    assert read_picture(f"{path}#folder/3.png").data == files[3]
    with pytest.raises(ImageError, match=r"a\.tar: it cannot be read"):
        read_picture(f"{path}#folder/9.png")


def test_a_row_of_a_table(tmp_path: Path, files: list[bytes]) -> None:
    path = tmp_path / "a.parquet"
    cells = [{"bytes": data, "path": None} for data in files]
    pq.write_table(pa.table({"image": cells}), path, row_group_size=2)
    assert [read_picture(f"{path}#image={n}").data for n in range(5)] == files
    with pytest.raises(ImageError, match="no such row"):
        read_picture(f"{path}#image=5")


@pytest.mark.parametrize("place", ["a.tar#1.png", "a.parquet#image=0"])
def test_a_picture_that_is_too_large_is_refused_and_not_cut(
    place: str, tmp_path: Path, files: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "1.png", "1.png")
    pq.write_table(pa.table({"image": files}), tmp_path / "a.parquet")
    monkeypatch.setattr("ocelot.images.reading.MAX_BYTES", len(files[0]) - 100)
    with pytest.raises(ImageTooLarge):
        read_picture(str(tmp_path / place))


def test_urls_are_read_by_fsspec_and_keep_their_secrets(tmp_path: Path, files: list[bytes]) -> None:
    assert read_picture((tmp_path / "1.png").as_uri()).data == files[1]
    with pytest.raises(ImageError) as caught:
        read_picture("s3fake://user:secret@bucket/a.png")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("/a/b.png", "/a/b.png"),
        ("/a/b.tar#c/d.jpg", "/a/b.tar"),
        ("s3://a/b.parquet#image=12", "s3://a/b.parquet"),
        ("/a/b.MP4#t=1.5&by=scene", "/a/b.MP4"),
        ("/a/b.mp4#t=x&by=scene", "/a/b.mp4#t=x&by=scene"),
    ],
)
def test_the_file_that_a_picture_is_in(path: str, file: str) -> None:
    assert file_of(path) == file
