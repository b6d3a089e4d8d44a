"""Photographs drawn here, so that what is cut out and measured is known."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
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
    [(RED, None, None), (BLACK, WHITE, None), (WHITE, BLUE, None), (BLUE, None, WHITE)],
)
def test_an_article_is_cut_out(
    kind: str, colour: RGB, lettering: RGB | None, stripes: RGB | None
) -> None:
    image, mask = made.garment(colour, kind, lettering=lettering, stripes=stripes)
    cut = cut_out(np.asarray(image))
    assert cut.dtype == np.uint8 and cut.shape == mask.shape
    assert overlap(cut, mask) > 0.9


def test_cutting_out_knows_no_chance_and_no_side() -> None:
    image, mask = made.garment(GREEN, size=(90, 144))
    assert overlap(cut_out(np.asarray(image)), mask) > 0.9
    assert (cut_out(np.asarray(image)) == cut_out(np.asarray(image))).all()


@pytest.mark.parametrize("shape", [(1, 1), (2, 60), (3, 3), (1, 144)])
def test_specks_and_lines_are_not_cut_out_but_no_error(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert cut_out(picture).shape == shape


@pytest.mark.parametrize("colour", NAMES)
def test_plain_articles_have_a_colour(colour: RGB) -> None:
    lettering = BLACK if colour == WHITE else WHITE
    image, mask = made.garment(colour, lettering=lettering)
    main, reach, name = measure_colour(np.asarray(image), mask * np.uint8(255))
    np.testing.assert_allclose(main, colour, atol=6)
    assert name == NAMES[colour]
    assert reach == 40


@pytest.mark.parametrize(("colour", "stripes"), [(RED, WHITE), (BLUE, BLACK), (GREEN, RED)])
def test_striped_articles_have_no_colour(colour: RGB, stripes: RGB) -> None:
    image, mask = made.garment(colour, stripes=stripes)
    main, _, name = measure_colour(np.asarray(image), mask * np.uint8(255))
    assert name is None
    nearest = min(np.abs(np.subtract(main, one)).max() for one in (colour, stripes))
    assert nearest < 12  # the main colour is one of the two, not their mixture


def test_a_motley_article_is_recoloured_further() -> None:
    colours = np.array([RED, BLUE, GREEN, WHITE, BLACK], np.uint8)
    motley = np.repeat(colours, 4, axis=0)[None].repeat(20, axis=0)
    everything = np.full(motley.shape[:2], 255, np.uint8)
    _, reach, name = measure_colour(motley, everything)
    assert name is None and 40 < reach <= 110


@pytest.mark.parametrize(("grey", "name"), [(128, "grey"), (84, None), (180, None)])
def test_grey_is_only_the_middle(grey: int, name: str | None) -> None:
    picture = np.full((30, 30, 3), grey, np.uint8)
    assert measure_colour(picture, np.full((30, 30), 255, np.uint8))[2] == name


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


def test_a_photo_set_cuts_articles_out(photos: PhotoSet) -> None:
    _, mask = made.garment(RED, seed=0)
    assert overlap(photos.pixels[0][3], mask) > 0.9
    shirt = photos.photographs[0]
    assert shirt.box == (0.0, 0.0, 1.0, 1.0)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    expected = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
    np.testing.assert_allclose(np.multiply(shirt.object_box, SIDE), expected, atol=3)


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


def test_a_photograph_that_is_named_twice_is_read_once(folder: Path) -> None:
    made.write_metadata(folder, [ROWS[1], ROWS[0], ROWS[1]])
    photos = read(folder)
    assert names(photos) == ["grocery/0.png", "clothing/t-shirt-0.png"]
    assert len(photos.pixels) == 2


def test_held_out_photographs_are_not_even_opened(folder: Path) -> None:
    (folder / "grocery/0.png").write_bytes(b"not read")
    photos = read(folder, without=frozenset({"grocery/0.png", "gone.png"}))
    assert names(photos) == ["clothing/t-shirt-0.png", "grocery/1.png"]
    assert [one.sort for one in photos.photographs] == ["t-shirt", "pear"]


def test_only_some_are_read(folder: Path) -> None:
    assert names(read(folder, only=frozenset({"grocery/1.png"}))) == ["grocery/1.png"]


def test_prepared_photographs_are_not_read_again(folder: Path) -> None:
    first = read(folder)
    for name, _, _ in ROWS:
        (folder / name).unlink()
    again = read(folder)
    assert again.photographs == first.photographs
    assert np.array_equal(again.pixels, first.pixels)


CHANGED: list[Sequence[tuple[str, str, str]]] = [
    ROWS[:2],
    [ROWS[1], ROWS[0], ROWS[2]],
    [ROWS[0], ("grocery/0.png", "Apple", "conference"), ROWS[2]],
]


@pytest.mark.parametrize("rows", CHANGED)
def test_another_list_is_prepared_anew(folder: Path, rows: list[tuple[str, str, str]]) -> None:
    read(folder)
    made.write_metadata(folder, rows)
    photos = read(folder)
    fresh = read_photo_set(folder, folder.parent / "fresh.npy", articles="clothing/", workers=1)
    assert photos.photographs == fresh.photographs
    assert [(one.file_name, one.kind) for one in photos.photographs] == [
        (name, kind.lower()) for name, kind, _ in rows
    ]
    assert np.array_equal(photos.pixels, fresh.pixels)


def test_a_kill_leaves_nothing_that_misleads(folder: Path) -> None:
    """After the pictures are in place and before their list is: the earlier list must be gone."""
    first = np.array(read(folder).pixels)
    kept = folder.parent / "kept"
    made.write_metadata(folder, ROWS[:2])
    (folder / "grocery/0.png").write_bytes(b"stops the preparation")
    with pytest.raises(ConfigurationError):
        read(folder)
    assert not (kept / "photos.json").exists()
    np.save(kept / "photos.npy", first[:2])
    shutil.copy(folder / "grocery/1.png", folder / "grocery/0.png")
    photos = read(folder)
    assert len(photos.pixels) == 2
    assert np.array_equal(photos.pixels[1], first[2])


@pytest.mark.parametrize("data", [b"", b"text", made.grocery(0).tobytes()[:500]])
def test_an_unreadable_photograph_is_named(folder: Path, data: bytes) -> None:
    (folder / "grocery/1.png").write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"grocery/1\.png"):
        read(folder)


def test_truncated_and_missing_photographs_are_named(folder: Path) -> None:
    file = folder / "grocery/1.png"
    file.write_bytes(file.read_bytes()[:900])
    with pytest.raises(ConfigurationError, match=r"grocery/1\.png: it is damaged"):
        read(folder)
    file.unlink()
    with pytest.raises(ConfigurationError, match=r"grocery/1\.png: there is no such file"):
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
