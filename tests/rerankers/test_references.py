from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.errors import ImageError
from ocelot.images.store import ImageStore
from ocelot.rerankers.panorama.compose import compose_panorama, panorama_layout, panorama_of_hits
from ocelot.rerankers.panorama.tiles import contact_sheet, query_picture
from ocelot.types import MAX_REFERENCES, Query
from tests.rerankers.conftest import MakeHits

COLOURS = [
    (255, 0, 0), (0, 128, 0), (0, 0, 255), (200, 180, 0),
    (128, 0, 128), (0, 160, 160), (20, 20, 20), (250, 120, 20),
]  # fmt: skip

Box = tuple[int, int, int, int]


def place(sheet: Image.Image, colour: tuple[int, int, int]) -> Box:
    """Where a picture of one colour lies; it must be a full rectangle."""
    mask = (np.asarray(sheet) == colour).all(axis=2)
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1)
    assert mask.sum() == (box[2] - box[0]) * (box[3] - box[1])
    return box


def flat(number: int, size: tuple[int, int] = (60, 60)) -> Image.Image:
    return Image.new("RGB", size, COLOURS[number])


def test_a_query_without_or_with_one_picture_is_shown_as_it_is(tmp_path: Path) -> None:
    assert query_picture(Query(text="a")) is None
    flat(0, (90, 30)).save(tmp_path / "a.png")
    shown = query_picture(Query(tmp_path / "a.png", "a"))
    assert (np.asarray(shown) == np.asarray(flat(0, (90, 30)))).all()


@pytest.mark.parametrize(
    ("count", "rows"),
    [(2, [2]), (3, [2, 1]), (4, [2, 2]), (5, [3, 2]), (6, [3, 3]), (7, [3, 3, 1]), (8, [3, 3, 2])],
)
def test_pictures_stand_in_rows_in_order(count: int, rows: list[int]) -> None:
    assert count <= MAX_REFERENCES
    sheet = contact_sheet([flat(number) for number in range(count)])
    assert sheet.mode == "RGB" and sheet.width == sheet.height
    places = [place(sheet, COLOURS[number]) for number in range(count)]
    start = bottom = 0
    for length in rows:
        row = places[start : start + length]
        assert len({(top, low) for _, top, _, low in row}) == 1
        assert start == 0 or row[0][1] >= bottom + 10  # under the row before, with a gap
        for (_, _, right, _), (left, *_) in pairwise(row):
            assert (np.asarray(sheet)[row[0][1] : row[0][3], right + 4 : left - 4] == 255).all()
            assert left >= right + 10
        assert abs(row[0][0] - (sheet.width - row[-1][2])) <= 3  # in the middle
        start, bottom = start + length, row[0][3]
    assert min(right - left for left, _, right, _ in places) >= sheet.width / 3 - 20


def test_each_picture_keeps_its_shape_and_fills_its_place() -> None:
    shapes = [(300, 100), (100, 300), (640, 640)]
    sheet = contact_sheet([flat(number, shape) for number, shape in enumerate(shapes)])
    for number, (width, height) in enumerate(shapes):
        left, top, right, bottom = place(sheet, COLOURS[number])
        assert (right - left) / (bottom - top) == pytest.approx(width / height, rel=0.02)
        assert max(right - left, bottom - top) == pytest.approx(sheet.width / 2, abs=11)


def test_a_white_picture_can_be_told_from_the_paper() -> None:
    sheet = contact_sheet([Image.new("RGB", (50, 50), "white")] * 2)
    grey = (np.asarray(sheet).max(axis=2) < 200).sum(axis=0)
    middle = sheet.width // 2
    inner = np.flatnonzero(grey > sheet.width // 3)  # upright lines on both sides of the gap
    assert (inner < middle).any() and (inner > middle).any()


@pytest.mark.parametrize("mode", ["RGBA", "L", "P", "CMYK", "I;16"])
def test_pictures_of_any_mode_and_shape(mode: str) -> None:
    given = (Image.new(mode, (3, 2)), Image.new(mode, (4000, 1)), Image.new(mode, (1, 900)))
    sheet = query_picture(Query(list(given)))
    assert sheet is not None and sheet.mode == "RGB"
    assert given[1].size == (4000, 1)  # the caller's picture is left as it is


def test_a_panorama_shows_all_of_them_in_the_tile_of_the_query(
    make_hits: MakeHits, tmp_path: Path
) -> None:
    flat(1).save(tmp_path / "a.png")
    query = Query([flat(0), tmp_path / "a.png", flat(2)], "in blue")
    hits = make_hits(["gray", "gray", "gray"])
    assert query_picture(query) == contact_sheet([flat(number) for number in range(3)])
    panorama = panorama_of_hits(query, hits, ImageStore())
    layout = panorama_layout(3, text_lines=1)
    assert panorama.size == layout.size
    tile = np.asarray(panorama.crop(layout.picture)).astype(int)
    for number in range(3):
        near = np.abs(tile - COLOURS[number]).max(axis=2) < 6
        assert near.mean() > 0.2  # each takes nearly a quarter
    outside = np.asarray(panorama.crop((layout.query[2], 0, *layout.size))).astype(int)
    assert not (np.abs(outside - COLOURS[1]).max(axis=2) < 6).any()
    grey = [Image.new("RGB", (60, 40), "gray")] * 3
    assert panorama == compose_panorama(query_picture(query), grey, text="in blue")


def test_a_further_picture_that_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"b\.png"):
        query_picture(Query([flat(0), tmp_path / "b.png"]))
