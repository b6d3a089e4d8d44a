from __future__ import annotations

import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ocelot.errors import ImageError, InputError
from ocelot.images.store import ImageStore
from ocelot.images.thumbnails import Thumbnails
from ocelot.rerankers.panorama.compose import compose_panorama, panorama_layout, panorama_of_hits
from ocelot.rerankers.panorama.tiles import fitted
from ocelot.types import Query
from tests.rerankers.chat_server import is_blue, is_red
from tests.rerankers.conftest import MakeHits

QUERY = Image.new("RGB", (80, 60), "olive")


def pixels(image: Image.Image, box: tuple[int, int, int, int] | None = None) -> np.ndarray:
    return np.asarray(image.crop(box) if box else image).astype(int)


def grid(count: int) -> tuple[int, int]:
    cells = panorama_layout(count).cells
    return len({left for left, *_ in cells}), len({top for _, top, *_ in cells})


def test_the_grid_fits_the_number_of_candidates() -> None:
    sizes = {1: (1, 1), 2: (2, 1), 4: (2, 2), 5: (3, 2), 9: (3, 3), 12: (4, 3), 25: (5, 5)}
    assert {count: grid(count) for count in sizes} == sizes


@pytest.mark.parametrize("count", range(1, 26))
def test_nothing_overlaps_and_all_is_inside(count: int) -> None:
    layout = panorama_layout(count, text_lines=6)
    taken = np.zeros((layout.size[1], layout.size[0]), int)
    for left, top, right, bottom in (layout.query, layout.text, *layout.cells):
        assert 0 <= left < right <= layout.size[0] and 0 <= top < bottom <= layout.size[1]
        taken[top:bottom, left:right] += 1
    assert taken.max() == 1
    assert max(layout.size) <= 2048


@pytest.mark.parametrize("count", [0, 26])
def test_a_number_that_does_not_fit_is_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"1 to 25 candidates, was: {count}"):
        compose_panorama(QUERY, [QUERY] * count)


def test_pictures_keep_their_shape() -> None:
    wide, tall = Image.new("RGB", (400, 100), "green"), Image.new("RGB", (50, 500), "green")
    panorama = compose_panorama(QUERY, [wide, tall])
    for picture, box in zip((wide, tall), panorama_layout(2).cells, strict=True):
        # The part without the number: a letterboxed picture is symmetric.
        green = (pixels(panorama, box) == (0, 128, 0)).all(axis=2)
        height, width = green.any(axis=1).sum(), green.any(axis=0).sum()
        assert width / height == pytest.approx(picture.width / picture.height, rel=0.05)
        assert max(width, height) >= 290


def test_the_query_has_a_blue_border_and_a_label_inside_the_canvas() -> None:
    panorama = compose_panorama(QUERY, [QUERY] * 4)
    layout = panorama_layout(4)
    left, top, right, bottom = layout.query
    for edge in (
        (left, top, right, top + 4),
        (left, bottom - 4, right, bottom),
        (left, top, left + 4, bottom),
        (right - 4, top, right, bottom),
    ):
        assert is_blue(pixels(panorama, edge)).all()
    label = pixels(panorama, (left, top, right, layout.picture[1]))
    assert (label > 240).all(axis=2).sum() > 200  # white letters
    assert (pixels(panorama, layout.picture) == (128, 128, 0)).all(axis=2).mean() > 0.7


@pytest.mark.parametrize("colour", ["black", "white", (215, 0, 20), (20, 70, 220), "gray"])
def test_numbers_can_be_read_on_any_colour(colour: str) -> None:
    panorama = compose_panorama(QUERY, [Image.new("RGB", (64, 64), colour)] * 25)
    plates = []
    for left, top, *_ in panorama_layout(25).cells:
        plate = pixels(panorama, (left + 12, top + 12, left + 44, top + 40))
        white, red = (plate > 235).all(axis=2).mean(), is_red(plate).mean()
        assert white > 0.3 and 0.08 < red < 0.7
        plates.append(is_red(plate))
    assert len({plate.tobytes() for plate in plates}) == 25  # all numbers differ


def test_a_missing_picture_is_a_grey_tile_with_words_and_number() -> None:
    panorama = compose_panorama(QUERY, [QUERY, None])
    tile = pixels(panorama, panorama_layout(2).cells[1])
    assert (tile == (225, 225, 225)).all(axis=2).mean() > 0.8
    middle = tile[130:170, 60:240]
    assert 100 < (middle < 80).all(axis=2).sum() < 2500  # dark letters
    assert is_red(tile[:60, :60]).sum() > 50


def test_a_query_of_words_is_written_into_its_tile() -> None:
    layout = panorama_layout(4)
    blank = compose_panorama(None, [QUERY] * 4)
    words = compose_panorama(None, [QUERY] * 4, text="a red car " * 9)
    more = compose_panorama(None, [QUERY] * 4, text="a red car " * 90)
    ink = [(pixels(p, layout.picture) < 80).all(axis=2).sum() for p in (blank, words, more)]
    assert 0 < ink[0] < ink[1] < ink[2]
    assert (pixels(more, layout.cells[0]) == pixels(blank, layout.cells[0])).all()


def test_words_under_the_query_add_no_more_than_six_lines() -> None:
    def height(text: str | None) -> int:
        return compose_panorama(QUERY, [QUERY], text=text).height

    heights = [height(None), height("short"), height("w" * 300), height("word " * 3000)]
    assert heights == sorted(heights) and heights[2] == heights[3]
    assert heights[0] < heights[1] < heights[2]
    # Letters the font lacks: not half a sentence, none of it.
    assert height("手机壳 with this theme") == height(None)
    assert height("Café \u2014 “crème”") == height("short")


@pytest.mark.parametrize("size", [(1, 1), (5000, 1), (1, 5000), (3, 2000)])
def test_pictures_of_any_shape(size: tuple[int, int]) -> None:
    picture = Image.new("RGB", size)
    panorama = compose_panorama(picture, [picture, None], text="x")
    assert panorama.mode == "RGB"
    assert panorama.size == panorama_layout(2, 1).size


def test_a_panorama_of_hits_is_that_of_their_files(make_hits: MakeHits) -> None:
    hits = make_hits(["red", "blue", "green"])
    hits[1] = replace(hits[1], paths=("/not/here.png",))
    pictures = [Image.new("RGB", (60, 40), "red"), None, Image.new("RGB", (60, 40), "green")]
    drawn = panorama_of_hits(Query(QUERY, "blue"), hits, ImageStore())
    assert drawn == compose_panorama(QUERY, pictures, text="blue")
    with pytest.raises(ImageError, match="not an image"):
        panorama_of_hits(Query(b"no image"), hits, ImageStore())


def test_small_copies_take_the_files_place(make_hits: MakeHits, tmp_path: Path) -> None:
    hits = make_hits(["red", "blue", "green"])
    copies = Thumbnails(tmp_path / "t.sqlite")
    copies.put({hits[0].id: copies.make(Image.new("RGB", (400, 300), "yellow"))})
    copies.put({hits[1].id: b"damaged"})
    hits[0] = replace(hits[0], paths=("/not/here.png",))
    panorama = panorama_of_hits(Query(QUERY), hits, ImageStore(copies))
    middles = []
    for left, top, right, bottom in panorama_layout(3).cells:
        middles.append(panorama.getpixel(((left + right) // 2, (top + bottom) // 2)))
    for seen, colour in zip(middles, [(255, 255, 0), (0, 0, 255), (0, 128, 0)], strict=True):
        assert np.abs(np.subtract(seen, colour)).max() < 5


def test_many_hits_keep_their_order(make_hits: MakeHits) -> None:
    greys = [f"#{10 * n:02x}{10 * n:02x}{10 * n:02x}" for n in range(25)]
    panorama = panorama_of_hits(Query(text="grey"), make_hits(greys), ImageStore())
    for n, (_, _, right, bottom) in enumerate(panorama_layout(25).cells):
        assert panorama.getpixel((right - 60, bottom - 90)) == (10 * n,) * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_fork_draws_too(make_hits: MakeHits) -> None:
    hits, context = make_hits(["red", "blue"]), multiprocessing.get_context("fork")
    here = panorama_of_hits(Query(text="a"), hits, ImageStore())  # threads run from here on
    with context.Pool(1) as pool:
        drawn = pool.apply_async(panorama_of_hits, (Query(text="a"), hits, ImageStore()))
        assert drawn.get(60) == here


@pytest.mark.parametrize("size", [(450, 450), (90, 60), (300, 700), (3, 900), (1201, 899)])
def test_tiles_fill_their_room(size: tuple[int, int]) -> None:
    tile = fitted(Image.new("RGB", size), (300, 300))
    assert max(tile.size) == 300 and min(tile.size) >= 1
    assert tile.width / tile.height == pytest.approx(size[0] / size[1], rel=0.02, abs=0.004)
