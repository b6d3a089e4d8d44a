"""Pictures from every kind of source: the same bytes, id and pixels wherever they come from."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.errors import ImageError, InputError
from ocelot.images.decode import Decoded, decode, hash_bytes
from ocelot.images.file import ImageFile


def waves(width: int, height: int) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width]
    planes = (x / width, y / height, 0.5 + 0.5 * np.sin(x / 9))
    return Image.fromarray((np.stack(planes, axis=-1) * 255).astype(np.uint8))


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


PNG = encoded(waves(40, 30), "PNG")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.png").write_bytes(PNG)
    return tmp_path / "a.png"


def test_a_path_gives_the_bytes_of_the_file(path: Path) -> None:
    for source in (path, str(path)):
        image = ImageFile.of(source)
        assert (image.data, image.name, image.id) == (PNG, str(path), hash_bytes(PNG))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_the_file(kind: Any) -> None:
    image = ImageFile.of(kind(PNG))
    assert (image.data, type(image.data), image.name) == (PNG, bytes, "the image")


def test_an_image_file_stays_itself() -> None:
    image = ImageFile(PNG)
    assert ImageFile.of(image) is image


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_an_opened_pil_image_is_its_own_file(tmp_path: Path, format: str) -> None:
    path = tmp_path / "a.file"
    path.write_bytes(encoded(waves(40, 30), format))
    with Image.open(path) as opened:
        assert ImageFile.of(opened) == ImageFile(path.read_bytes(), str(path))


def test_a_pil_image_with_an_orientation_is_still_its_own_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    waves(40, 30).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as opened:
        assert ImageFile.of(opened).data == (tmp_path / "a.jpg").read_bytes()
        assert opened.size == (40, 30)  # the caller's image is not changed


def test_a_pil_image_that_was_changed_is_no_longer_its_file(path: Path) -> None:
    with Image.open(path) as opened:
        opened.putpixel((0, 0), (1, 2, 3))
        image = ImageFile.of(opened)
    assert image.data != PNG and image.name == "the image"
    assert image.rgb().getpixel((0, 0)) == (1, 2, 3)


def test_a_pil_image_may_outlive_its_file(path: Path) -> None:
    opened = Image.open(path)
    opened.load()
    path.write_bytes(encoded(waves(9, 9), "PNG"))
    assert np.array_equal(ImageFile.of(opened).rgb(), waves(40, 30))
    path.unlink()
    assert np.array_equal(ImageFile.of(opened).rgb(), waves(40, 30))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1", "CMYK", "I;16"])
def test_a_pil_image_without_a_file_becomes_a_png(mode: str) -> None:
    given = Image.new(mode, (4, 3))
    image = ImageFile.of(given)
    assert image.probe() == ("PNG", 4, 3) and image.rgb().mode == "RGB"
    assert given.mode == mode
    assert ImageFile.of(given).id == image.id


def test_the_same_pixels_have_the_same_id_whatever_they_came_with() -> None:
    plain = waves(20, 20)
    noted = plain.copy()
    noted.info.update(comment="hello", icc_profile=b"profile", dpi=(72, 72))
    assert ImageFile.of(noted).id == ImageFile.of(plain).id == ImageFile.of(np.array(plain)).id


def test_an_array_keeps_its_pixels() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    assert np.array_equal(ImageFile.of(pixels).rgb(), pixels)
    assert np.array_equal(ImageFile.of(pixels[::-1, ::2]).rgb(), pixels[::-1, ::2])


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)],
)
def test_other_arrays_are_refused(array: Any) -> None:
    with pytest.raises(InputError, match=r"\(height, width, 3\).*uint8, was: "):
        ImageFile.of(array)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3)])
def test_an_array_without_pixels_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match="no pixels"):
        ImageFile.of(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("source", [3, ["a.jpg"], object(), 1.5])
def test_other_types_are_refused(source: Any) -> None:
    with pytest.raises(InputError, match=f"was: {type(source).__name__}"):
        ImageFile.of(source)


@pytest.mark.parametrize("source", ["/not/here.jpg", Path("/not/here.jpg"), "a\0b.jpg"])
def test_a_file_that_cannot_be_read_is_named(source: Any) -> None:
    with pytest.raises(ImageError) as caught:
        ImageFile.of(source)
    assert caught.value.name == str(source)


def test_a_damaged_pil_image_is_an_image_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG[:100])
    with Image.open(tmp_path / "a.png") as opened, pytest.raises(ImageError, match="damaged"):
        ImageFile.of(opened)


SIDES = (None, 301, 200, 120, 50, 1)


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
@pytest.mark.parametrize("limit", [2**21, 50_000])  # above it, pictures are not kept
def test_what_was_asked_before_changes_nothing(
    format: str, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ocelot.images.file._KEPT_PIXELS", limit)
    data = encoded(waves(400, 300), format)
    alone = {side: np.asarray(ImageFile(data).rgb(side)) for side in SIDES}
    for before in SIDES:
        image = ImageFile(data)
        image.decoded(before, keep=True)
        for side in (*SIDES, *reversed(SIDES)):
            assert np.array_equal(image.rgb(side), alone[side]), (before, side)
            assert image.decoded(side).size == (400, 300)


def test_a_picture_is_decoded_once() -> None:
    image = ImageFile(PNG)
    first = image.rgb()
    assert image.rgb() is first and image.rgb(10) is first
    assert image.without_pixels().rgb() is not first
    large = ImageFile(encoded(Image.new("L", (3000, 1000)), "PNG"))
    assert large.rgb() is not large.rgb()
    kept = large.decoded(keep=True).image
    assert large.rgb() is kept


def test_the_file_of_a_large_pil_image_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[bytes] = []

    def counted(data: bytes, **options: Any) -> Decoded:
        calls.append(data)
        return decode(data, **options)

    monkeypatch.setattr("ocelot.images.file.decode", counted)
    Image.new("L", (3000, 1000)).save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as opened:
        assert ImageFile.of(opened).data == (tmp_path / "a.png").read_bytes()
    assert len(calls) == 1


def test_the_id_and_the_pixels_are_no_part_of_the_value() -> None:
    one, other = ImageFile(PNG, "a"), ImageFile(PNG, "a")
    assert one.id and one.rgb()
    assert one == other and hash(one) == hash(other)
    assert repr(one) == "ImageFile(name='a')"
    assert replace(one, name="b").id == one.id


@pytest.mark.parametrize("data", [b"", b"hello", PNG[:100]])
def test_bad_bytes_are_named(data: bytes) -> None:
    image = ImageFile(data, "query.png")
    with pytest.raises(ImageError, match=r"Cannot use query\.png: "):
        image.rgb()
