"""Pictures of items: from a small copy or from a file with the right content, at one size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.errors import ConfigurationError, ImageError, ItemNotFound
from ocelot.images.file import ImageFile
from ocelot.images.store import ImageStore
from ocelot.images.thumbnails import Thumbnails
from ocelot.types import Item


def item_of(path: Path, *paths: str) -> Item:
    return Item(ImageFile.of(path).id, paths or (str(path),))


@pytest.fixture
def red(tmp_path: Path) -> Path:
    path = tmp_path / "red.jpg"
    Image.new("RGB", (1200, 900), "red").save(path)
    return path


@pytest.fixture
def copies(tmp_path: Path) -> Thumbnails:
    return Thumbnails(tmp_path / "thumbnails.sqlite")


def is_near(image: Image.Image, colour: tuple[int, int, int]) -> bool:
    return bool(np.abs(np.asarray(image).astype(int) - colour).max() < 6)


@pytest.mark.parametrize(
    ("size", "expected"), [(64, (64, 48)), (300, (300, 225)), (5000, (1200, 900))]
)
def test_the_longer_side_is_at_most_the_size(
    red: Path, size: int, expected: tuple[int, int]
) -> None:
    picture = ImageStore().picture(item_of(red), size)
    assert (picture.mode, picture.size) == ("RGB", expected)
    assert is_near(picture, (254, 0, 0))


@pytest.mark.parametrize("shape", [(3000, 2), (1, 900)])
def test_very_long_pictures_have_both_sides(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = tmp_path / "long.png"
    Image.new("RGB", shape).save(path)
    picture = ImageStore().picture(item_of(path), 100)
    assert max(picture.size) == 100 and min(picture.size) == 1


def test_the_first_file_with_the_right_content_counts(red: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.new("RGB", (9, 9), "blue").save(other)
    item = item_of(red, "/not/here.jpg", str(other), str(red))
    assert ImageStore().original(item).name == str(red)
    assert is_near(ImageStore().picture(item, 30), (254, 0, 0))


def test_a_file_with_other_content_does_not_count(red: Path) -> None:
    item = item_of(red)
    Image.new("RGB", (9, 9), "blue").save(red)
    with pytest.raises(ItemNotFound, match=rf"{item.id}.*content has changed"):
        ImageStore().picture(item, 30)


def test_an_item_with_an_id_of_its_own_is_found_by_its_content(red: Path) -> None:
    item = Item("sku-7", (str(red),), sha256=ImageFile.of(red).id)
    assert ImageStore().original(item).data == red.read_bytes()


def test_no_file_is_left(tmp_path: Path) -> None:
    with pytest.raises(ItemNotFound, match="no such file"):
        ImageStore().picture(Item("a" * 64, (str(tmp_path / "gone.jpg"),)), 30)


def test_a_damaged_file_is_an_image_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"\xff\xd8\xff nonsense")
    with pytest.raises(ImageError):
        ImageStore().picture(item_of(path), 30)


def test_a_small_copy_is_used_where_it_is_large_enough(red: Path, copies: Thumbnails) -> None:
    item, images = item_of(red), ImageStore(copies)
    copies.put({item.sha256: Thumbnails.make(Image.new("RGB", (1200, 900), "lime"))})
    assert is_near(images.picture(item, 100), (0, 255, 0))
    assert is_near(images.picture(item, Thumbnails.SIDE), (0, 255, 0))
    assert is_near(images.picture(item, Thumbnails.SIDE + 1), (254, 0, 0))
    red.unlink()
    assert images.picture(item, 100).size == (100, 75)


def test_a_damaged_small_copy_is_not_used(red: Path, copies: Thumbnails) -> None:
    item = item_of(red)
    copies.put({item.sha256: b"damaged"})
    assert is_near(ImageStore(copies).picture(item, 100), (254, 0, 0))


def test_each_picture_belongs_to_the_caller(red: Path) -> None:
    images, item = ImageStore(), item_of(red)
    images.picture(item, 50).putpixel((0, 0), (1, 2, 3))
    assert is_near(images.picture(item, 50), (254, 0, 0))


def test_deleted_items_leave_nothing(red: Path, copies: Thumbnails, tmp_path: Path) -> None:
    images = ImageStore(copies, tmp_path / "uploads")
    image = ImageFile.of(red)
    kept = images.uploads.keep(image)
    copies.put({image.id: b"1", "other": b"2"})
    images.forget([Item(image.id, (str(kept), str(red)))])
    assert (copies.get(image.id), copies.get("other")) == (None, b"2")
    assert not kept.exists() and red.exists()


def test_nothing_is_made_before_the_first_upload(red: Path, tmp_path: Path) -> None:
    images = ImageStore(None, tmp_path / "uploads")
    images.picture(item_of(red), 50)
    images.forget([item_of(red)])
    images.close()
    assert not (tmp_path / "uploads").exists()
    assert images.uploads.keep(ImageFile.of(red)).exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    images = ImageStore(None, tmp_path / "file")
    with pytest.raises(ConfigurationError, match="--uploads"):
        images.uploads  # noqa: B018
