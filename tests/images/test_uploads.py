"""Uploads as files: named by content, written atomically, and only our own are removed."""

from __future__ import annotations

import io
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from ocelot.errors import ConfigurationError, ImageError, StorageError
from ocelot.images.decode import hash_bytes
from ocelot.images.file import ImageFile
from ocelot.images.uploads import UploadFolder


def picture(format: str = "PNG", colour: str = "red", size: tuple[int, int] = (8, 6)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, format)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("format", "suffix"), [("PNG", ".png"), ("JPEG", ".jpg"), ("WEBP", ".webp"), ("TIFF", ".tif")]
)
def test_a_file_is_named_by_its_content(tmp_path: Path, format: str, suffix: str) -> None:
    data = picture(format)
    path = UploadFolder(tmp_path).keep(ImageFile(data))
    assert path == tmp_path / hash_bytes(data)[:2] / f"{hash_bytes(data)}{suffix}"
    assert path.read_bytes() == data
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing left aside


def test_a_cut_file_is_written_again(tmp_path: Path) -> None:
    folder, data = UploadFolder(tmp_path), picture()
    path = folder.keep(ImageFile(data))
    path.write_bytes(data[:-5])
    assert folder.keep(ImageFile(data)).read_bytes() == data


def test_the_same_content_is_written_once(tmp_path: Path) -> None:
    folder, data = UploadFolder(tmp_path), picture()
    before = os.stat(folder.keep(ImageFile(data)))
    assert os.stat(folder.keep(ImageFile(data))).st_mtime_ns == before.st_mtime_ns


def test_what_is_no_picture_is_not_written(tmp_path: Path) -> None:
    folder = UploadFolder(tmp_path / "uploads")
    with pytest.raises(ImageError, match="not an image"):
        folder.keep(ImageFile(b"hello"))
    large = io.BytesIO()
    Image.new("1", (9440, 9440)).save(large, "PNG")
    with pytest.raises(ImageError, match="9440 x 9440 pixels are more than the limit"):
        folder.keep(ImageFile(large.getvalue()))
    assert not (tmp_path / "uploads").exists()


def test_a_disk_that_refuses_is_said(tmp_path: Path) -> None:
    folder, data = UploadFolder(tmp_path / "uploads"), picture()
    (tmp_path / "uploads").write_text("in the way since")
    with pytest.raises(StorageError, match="OCELOT_UPLOADS"):
        folder.keep(ImageFile(data))


def test_a_folder_that_cannot_be_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="--uploads"):
        UploadFolder(tmp_path / "file" / "uploads")


def test_what_was_interrupted_long_ago_is_swept(tmp_path: Path) -> None:
    path = UploadFolder(tmp_path).keep(ImageFile(picture()))
    old, new = path.parent / "a.part", path.parent / "b.part"
    for aside in (old, new):
        aside.write_bytes(b"half")
    os.utime(old, (0, 0))
    UploadFolder(tmp_path)
    assert sorted(path.parent.iterdir()) == sorted([path, new])


def test_only_own_files_are_forgotten(tmp_path: Path) -> None:
    folder, data = UploadFolder(tmp_path / "uploads"), picture()
    own = folder.keep(ImageFile(data))
    elsewhere = tmp_path / "shop" / "a.png"
    nested = tmp_path / "uploads" / "demo" / "images" / "b.png"
    for path in (elsewhere, nested):
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
    folder.forget([str(own), str(elsewhere), str(nested)])
    assert not own.exists()
    assert elsewhere.exists()
    assert nested.exists()


@pytest.mark.parametrize("id", ["sku 7/../../../etc", "\ud800"])
def test_items_of_other_ids_have_files_of_their_own(tmp_path: Path, id: str) -> None:
    folder, image = UploadFolder(tmp_path), ImageFile(picture())
    plain, named = folder.keep(image), folder.keep(image, id)
    assert plain != named and plain.parent == named.parent
    assert folder.keep(image, image.id) == plain
    folder.forget([str(named)])
    assert plain.exists() and not named.exists()


def test_a_folder_that_is_empty_is_removed(tmp_path: Path) -> None:
    folder, image = UploadFolder(tmp_path), ImageFile(picture())
    plain, named = folder.keep(image), folder.keep(image, "own")
    folder.forget([str(plain)])
    assert named.exists()
    folder.forget([str(named)])
    assert not named.parent.exists()


def test_folders_may_be_removed_while_files_come(tmp_path: Path) -> None:
    images = [ImageFile(picture(colour=f"#0000{number:02x}")) for number in range(40)]

    def come_and_go(folder: UploadFolder) -> None:
        for image in images:
            path = folder.keep(image)
            assert path.exists()
            folder.forget([str(path)])

    with ThreadPoolExecutor(4) as threads:
        folders = [UploadFolder(tmp_path, owner) for owner in ("", "a", "b", "c")]
        list(threads.map(come_and_go, folders))
    assert not list(tmp_path.rglob("*.png"))


def test_owners_of_one_folder_have_files_of_their_own(tmp_path: Path) -> None:
    image = ImageFile(picture())
    paths = [str(UploadFolder(tmp_path, owner).keep(image)) for owner in ("", "a", "b")]
    assert len(set(paths)) == 3
    folder = UploadFolder(tmp_path, "a")
    folder.abandon(paths)
    assert folder.unsettled(exclusive=True) == {paths[1]}


def test_a_file_is_unsettled_until_its_row_is_written(tmp_path: Path) -> None:
    folder, image = UploadFolder(tmp_path), ImageFile(picture())
    path = str(folder.keep(image))
    assert folder.is_pending(path)
    assert not folder.unsettled(exclusive=True)  # this process is at work on it
    folder.abandon([path])
    assert folder.unsettled(exclusive=True) == {path}
    assert not folder.unsettled(exclusive=False)  # perhaps another process is
    (mark,) = (tmp_path / "pending").iterdir()
    os.utime(mark, (0, 0))
    assert folder.unsettled(exclusive=False) == {path}
    assert str(folder.keep(image)) == path and folder.is_pending(path)  # taken over
    folder.settle([path])
    assert not folder.unsettled(exclusive=True) and not list((tmp_path / "pending").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_part_that_a_kill_left_goes_with_its_file(tmp_path: Path) -> None:
    folder = UploadFolder(tmp_path)
    path = folder.keep(ImageFile(picture()))
    path.rename(path.with_name(f".{path.name}.0123456789abcdef.part"))  # as if killed in between
    folder.abandon([str(path)])
    assert UploadFolder(tmp_path).unsettled(exclusive=True) == {str(path)}
    folder.forget([str(path)])
    assert not path.parent.exists()


def test_only_the_owner_may_read_uploads(tmp_path: Path) -> None:
    path = UploadFolder(tmp_path).keep(ImageFile(picture()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
