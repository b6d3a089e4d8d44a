"""Tables of product photographs and named things, and their pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from ocelot.errors import ConfigurationError
from recipes.ocelot_tiny.batch_plan import Subjects
from recipes.ocelot_tiny.listings import (
    plain_background,
    read_listings,
    themed_pairs,
)
from recipes.ocelot_tiny.photographs import PhotoSet, read_listing_set
from recipes.ocelot_tiny.tests import made


def test_a_shop_is_read_without_what_is_held_out(tmp_path: Path) -> None:
    shop, *_ = made.tables(tmp_path)
    trained, kept = read_listings(shop), read_listings(shop, held_out=True)
    assert len(trained) == 11 and [one.title for one in kept] == [
        "acme wallet red",
        "acme wallet blue",
    ]
    shirt = trained[0]
    assert (shirt.kind, shirt.sort, shirt.colour) == ("t-shirt", "tshirts", "red")
    assert shirt.keywords == ("gift", "new") and shirt.variant
    assert len({one.item for one in trained}) == 2 + 3 + 2  # two designs, every other picture
    assert not {one.item for one in trained} & {one.item for one in kept}


def test_named_things_are_known_by_their_names(tmp_path: Path) -> None:
    _, things, surfaces = made.tables(tmp_path)
    panda, star = read_listings(things, without={"owl"})
    assert (panda.kind, panda.sort, star.title) == ("panda", "panda", "star")
    assert not panda.surface and all(one.surface for one in read_listings(surfaces))


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "Cannot read .*No such file"), ("title,kind\na,b\n", "no table .*file_name")],
)
def test_a_table_that_cannot_be_read_is_named(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "metadata.csv").write_text(content)
    with pytest.raises(ConfigurationError, match=said):
        read_listings(tmp_path)


def test_a_plain_background_is_found_from_the_border() -> None:
    picture = Image.new("RGB", (120, 90), (250, 249, 246))
    pen = ImageDraw.Draw(picture)
    pen.ellipse((20, 15, 100, 75), fill=(180, 40, 40))
    pen.ellipse((50, 35, 70, 55), fill=(250, 249, 246))  # a white emblem is no background
    mask = plain_background(np.asarray(picture))
    truth = Image.new("L", (120, 90))
    ImageDraw.Draw(truth).ellipse((20, 15, 100, 75), fill=255)
    assert mask is not None
    inside, expected = mask > 127, np.asarray(truth) > 127
    assert (inside & expected).sum() / (inside | expected).sum() > 0.97


def test_themes_are_told_by_titles(tmp_path: Path) -> None:
    shop, things, _ = made.tables(tmp_path)
    listings = dict(enumerate([*read_listings(shop), *read_listings(things)]))
    names = {number: one.title for number, one in listings.items()}
    pairs = themed_pairs(listings, [n for n, one in listings.items() if one.folder == things])
    said = {(names[a], names[b]) for a, b in pairs}
    case = "solimo designer {} 3d printed hard back case mobile cover"
    assert said == {
        ("panda", case.format("panda pattern")),
        (case.format("dark night"), case.format("dark night")),
    }


def test_pictures_of_tables_join_photographs(tmp_path: Path, photos: PhotoSet) -> None:
    folders = made.tables(tmp_path / "tables")
    listings = [one for folder in folders for one in read_listings(folder)]
    tables = read_listing_set(listings, tmp_path / "listings.npy", workers=1)
    both = photos + tables
    first = len(photos.photographs)
    assert len(both.pixels) == len(both.photographs) == first + len(listings)
    rows = [first + 1, 0, first]
    expected = [tables.pixels[[1]][0], photos.pixels[[0]][0], tables.pixels[[0]][0]]
    assert np.array_equal(both.pixels[rows], expected)
    shirt, surface = both.photographs[first], both.photographs[-1]
    assert shirt.article and shirt.recolourable and shirt.colour == "red"
    assert not surface.article and surface.listing is not None
    again = read_listing_set(listings, tmp_path / "listings.npy", workers=1)
    assert again.photographs == tables.photographs

    subjects = Subjects(both.photographs)
    assert sorted(map(len, subjects.designs)) == [3, 3]
    assert len(subjects.concepts) == 3 and len(subjects.surfaces) == 2
    assert set(subjects.printable) >= {"phone case", "t-shirt", "bag"}
    assert len(subjects.themed) == 3
