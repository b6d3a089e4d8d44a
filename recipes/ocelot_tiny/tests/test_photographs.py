"""Photographs drawn here, so that what is cut out and measured is known."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ocelot.errors import ConfigurationError
from recipes.ocelot_tiny.colours import measure_colour
from recipes.ocelot_tiny.photographs import SIDE, PhotoSet, cut_out, read_photo_set
from recipes.ocelot_tiny.tests import made
from recipes.ocelot_tiny.tests.made import BLACK, BLUE, GREEN, RED, RGB, WHITE

NAMES = {RED: "red", BLUE: "blue", GREEN: "green", WHITE: "white", BLACK: "black"}


def overlap(cut: np.ndarray[Any, Any], mask: np.ndarray[Any, Any]) -> float:
    """Intersection over union."""
    inside = cut > 127
    return float((inside & mask).sum() / (inside | mask).sum())


@pytest.mark.parametrize("kind", made.OUTLINES)
@pytest.mark.parametrize(
    ("colour", "lettering", "stripes"),
    [(WHITE, BLUE, None), (BLUE, None, WHITE)],
)
def test_an_article_is_cut_out(
    kind: str, colour: RGB, lettering: RGB | None, stripes: RGB | None
) -> None:
    image, mask = made.garment(colour, kind, lettering=lettering, stripes=stripes)
    cut = cut_out(np.asarray(image))
    assert cut.dtype == np.uint8 and cut.shape == mask.shape
    assert overlap(cut, mask) > 0.9


@pytest.mark.parametrize("colour", NAMES)
def test_plain_articles_have_a_colour(colour: RGB) -> None:
    lettering = BLACK if colour == WHITE else WHITE
    image, mask = made.garment(colour, lettering=lettering)
    main, reach, name = measure_colour(np.asarray(image), mask * np.uint8(255))
    np.testing.assert_allclose(main, colour, atol=6)
    assert name == NAMES[colour]
    assert reach == 40


def test_a_photo_set_tells_what_its_photographs_show(photos: PhotoSet) -> None:
    assert photos.pixels.shape == (16, 4, SIDE, SIDE) and photos.pixels.dtype == np.uint8
    by_name = {one.file_name: one for one in photos.photographs}
    shirt, dress = by_name["clothing/t-shirt-0.png"], by_name["clothing/dress-1.png"]
    assert (shirt.kind, shirt.sort, shirt.article, shirt.colour) == (
        "t-shirt", "t-shirt", True, "red",
    )  # fmt: skip
    assert dress.kind == "dress" and dress.colour == "blue"
    assert by_name["clothing/t-shirt-5.png"].colour is None  # it has stripes
    fruit = by_name["grocery/3.png"]
    assert (fruit.kind, fruit.sort) == ("soy-milk", "sort 3")
    assert not fruit.article and fruit.colour is None


def test_other_photographs_lie_whole_in_their_square(photos: PhotoSet, photographs: Path) -> None:
    number = 11
    fruit, pixels = photos.photographs[number], photos.pixels[number]
    assert fruit.file_name == "grocery/0.png"
    top, bottom = 24, 120  # 180 x 120 pixels, now 144 x 96
    assert fruit.box == fruit.object_box == (0.0, top / SIDE, 1.0, bottom / SIDE)
    assert (pixels[3, top:bottom] == 255).all()
    assert pixels[3, :top].max() == pixels[3, bottom:].max() == 0
    small = Image.open(photographs / "grocery/0.png").resize((144, 96), Image.Resampling.BICUBIC)
    expected = np.asarray(small, float).transpose(2, 0, 1)
    assert np.abs(pixels[:3, top:bottom] - expected).mean() < 1
    assert (pixels[:3, :top] == pixels[:3, top : top + 1]).all()  # the edge goes on


ROWS = [
    ("clothing/t-shirt-0.png", "T-Shirt", "t-shirt"),
    ("grocery/0.png", "Pear", "conference"),
    ("grocery/1.png", "Pear", ""),
]


@pytest.fixture
def folder(tmp_path: Path, photographs: Path) -> Path:
    """A copy of three of the photographs, to be damaged."""
    copy = tmp_path / "copy"
    for name, _, _ in ROWS:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(photographs / name, copy / name)
    made.write_metadata(copy, ROWS)
    return copy


def read(folder: Path, **options: Any) -> PhotoSet:
    cache = folder.parent / "kept" / "photos.npy"
    return read_photo_set(folder, cache, articles="clothing/", workers=1, **options)


def names(photos: PhotoSet) -> list[str]:
    return [photograph.file_name for photograph in photos.photographs]


def test_held_out_photographs_are_not_even_opened(folder: Path) -> None:
    (folder / "grocery/0.png").write_bytes(b"not read")
    photos = read(folder, without=frozenset({"grocery/0.png", "gone.png"}))
    assert names(photos) == ["clothing/t-shirt-0.png", "grocery/1.png"]
    assert [one.sort for one in photos.photographs] == ["t-shirt", "pear"]


def test_prepared_photographs_are_not_read_again(folder: Path) -> None:
    first = read(folder)
    for name, _, _ in ROWS:
        (folder / name).unlink()
    again = read(folder)
    assert again.photographs == first.photographs
    assert np.array_equal(again.pixels, first.pixels)


def test_another_list_is_prepared_anew(folder: Path) -> None:
    read(folder)
    rows = [ROWS[1], ("clothing/t-shirt-0.png", "Blouse", "")]
    made.write_metadata(folder, rows)
    photos = read(folder)
    fresh = read_photo_set(folder, folder.parent / "fresh.npy", articles="clothing/", workers=1)
    assert photos.photographs == fresh.photographs
    assert [(one.file_name, one.kind) for one in photos.photographs] == [
        (name, kind.lower()) for name, kind, _ in rows
    ]
    assert np.array_equal(photos.pixels, fresh.pixels)


@pytest.mark.parametrize("data", [b"", b"text"])
def test_an_unreadable_photograph_is_named(folder: Path, data: bytes) -> None:
    (folder / "grocery/1.png").write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"grocery/1\.png"):
        read(folder)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "Cannot read .*: No such file"),
        (b"", "names no photograph"),
        (b"file_name,category\n", "names no photograph"),
        (b"name,category\na.png,Pear\n", "line 2: a photograph needs file_name and category"),
        (b"file_name,category\na.png,Pear\nb.png,\n", "line 3: a photograph needs"),
        (b"file_name,category\n\xff\xfe,Pear\n", "Cannot read"),
    ],
)
def test_bad_metadata_is_named(tmp_path: Path, data: bytes | None, message: str) -> None:
    file = tmp_path / "metadata.csv"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read(tmp_path)
    assert str(file) in str(caught.value)
