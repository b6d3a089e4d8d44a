"""Shots to pixels, looked at: where nothing moves, a picture is what was asked for."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor

from ocelot.catalogue.vocabulary import KINDS, Product
from ocelot.training.colours import SHADES
from ocelot.training.makers import draw_draft
from ocelot.training.photographs import SIDE, Album
from ocelot.training.pictures import StencilPool
from ocelot.training.studio import Studio
from ocelot.training.triplets import Shot, Source, Traits

BLUE = (44.0, 88.0, 178.0)


def shot(number: int, setting: str = "own", **options: object) -> Shot:
    return Shot("photograph", number, Traits(), setting, **options)  # type: ignore[arg-type]


def develop(studio: Studio, *shots: Shot, seed: int = 0) -> Tensor:
    return studio.develop(shots, random.Random(seed))


@pytest.fixture
def still(album: Album, stencils: StencilPool) -> Studio:
    """Nothing is cropped, turned or lit."""
    return Studio(SIDE, album=album, stencils=stencils, strength=0.0)


def sheet(album: Album, number: int) -> tuple[Tensor, Tensor]:
    """Pixels and mask as they are kept."""
    kept = torch.from_numpy(np.array(album.pixels[number])).float()
    return kept[:3], kept[3] / 255


def test_without_strength_a_photograph_is_shown_as_it_is(still: Studio, album: Album) -> None:
    made_up = develop(still, shot(0), shot(3))
    for picture, number in zip(made_up, (0, 3), strict=True):
        torch.testing.assert_close(picture, sheet(album, number)[0], atol=0.1, rtol=0)


def test_a_long_photograph_is_seen_through_a_square_in_its_middle(
    still: Studio, album: Album
) -> None:
    picture = develop(still, shot(11))[0]
    part = sheet(album, 11)[0][None, :, 24:120, 24:120]
    expected = torch.nn.functional.interpolate(part, SIDE, mode="bilinear")[0]
    torch.testing.assert_close(picture[:, 2:-2, 2:-2], expected[:, 2:-2, 2:-2], atol=0.2, rtol=0)


def test_a_recoloured_article_stands_before_its_own_background(still: Studio, album: Album) -> None:
    picture = develop(still, shot(0, colour=BLUE))[0]
    pixels, mask = sheet(album, 0)
    torch.testing.assert_close(picture[:, mask == 0], pixels[:, mask == 0], atol=0.1, rtol=0)
    inside = picture[:, mask == 1].mean(dim=1)
    assert (inside - torch.tensor(BLUE)).abs().max() < 15


def test_elsewhere_is_another_background(still: Studio, album: Album) -> None:
    pictures = develop(still, *[shot(2, "elsewhere") for _ in range(6)])
    pixels, _ = sheet(album, 2)
    blue = pixels[2] - pixels[0]
    for picture in pictures:
        assert (picture - pixels).abs()[:, :6].mean() > 8  # the frame of the photograph
        shown = ((picture[2] - picture[0]) > 80).float().mean()
        assert shown >= 0.8 * (blue > 80).float().mean()  # all of the garment, perhaps larger


def test_close_is_a_part(still: Studio, album: Album) -> None:
    _, mask = sheet(album, 0)
    for picture in develop(still, *[shot(0, "close") for _ in range(4)]):
        red = (picture[0] - picture[1]) > 80
        assert red.float().mean() > mask.mean() + 0.05


def test_a_print_lies_on_the_article(still: Studio, album: Album) -> None:
    plain, printed = (develop(still, shot(6, printed=theme))[0] for theme in (None, 12))
    _, mask = sheet(album, 6)
    changed = (plain - printed).abs().amax(dim=0)
    assert changed[mask == 0].max() < 0.1
    assert changed[mask == 1].mean() > 30


def test_a_print_lies_on_the_product(still: Studio, stencils: StencilPool) -> None:
    numbers = [n for n, (kind, _) in enumerate(stencils.products) if kind == "mug"]
    shots = [Shot("stencil", numbers[0], Traits(), printed=theme) for theme in (11, 12)]
    one, other = develop(still, *shots)
    layers = torch.from_numpy(np.array(stencils.pixels[numbers[0]])).float()[None]
    gain = torch.nn.functional.interpolate(layers[:, 3:4], SIDE, mode="bilinear")[0, 0]
    changed = (one - other).abs().amax(dim=0)
    assert changed[gain == 0].max() < 0.1
    assert changed[gain > 120].mean() > 10


class Numbered:
    """A pool of drawings, each of one grey that tells its number."""

    pixels = np.arange(0, 250, 10, dtype=np.uint8)[:, None, None, None].repeat(3, 1) + np.zeros(
        (1, 1, 8, 8), np.uint8
    )

    def choose(self, rng: random.Random, subject: Product) -> int:
        return list(KINDS).index(subject.kind)


def test_each_shot_is_in_its_row(album: Album, stencils: StencilPool) -> None:
    studio = Studio(
        SIDE,
        album=album,
        stencils=stencils,
        drawings=Numbered(),
        strength=0.0,  # type: ignore[arg-type]
    )
    names = list(KINDS)
    drawn = [Shot("drawing", Product(names[n], 0, "plain", "red"), Traits()) for n in (5, 0, 9)]
    stencil = Shot("stencil", 4, Traits(), printed=11)
    pictures = develop(studio, drawn[0], shot(1), drawn[1], stencil, shot(3), drawn[2])
    assert pictures.shape == (6, 3, SIDE, SIDE) and pictures.dtype == torch.float32
    for row, grey in ((0, 50), (2, 0), (5, 90)):
        torch.testing.assert_close(
            pictures[row], torch.full_like(pictures[row], grey), atol=0.01, rtol=0
        )
    for row, number in ((1, 1), (4, 3)):
        torch.testing.assert_close(pictures[row], sheet(album, number)[0], atol=0.1, rtol=0)


def test_whole_drafts_depend_on_the_seed_alone(album: Album, stencils: StencilPool) -> None:
    studio = Studio(24, album=album, stencils=stencils)
    source = Source(album.photographs, stencils.products)
    shares = {"recolourings": 4, "views": 4, "prints": 4}
    shots = draw_draft(random.Random(1), source, shares).shots
    assert {one.setting for one in shots} == {"own", "elsewhere", "close"}
    one, same, other = (develop(studio, *shots, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert one.shape == (len(shots), 3, 24, 24)
    assert one.min() >= 0 and one.max() <= 255 and one.isfinite().all()
    # No picture stays as it was, and none is lost.
    assert ((one - other).abs().mean(dim=(1, 2, 3)) > 1).all()
    assert (one.std(dim=(2, 3)).amax(dim=1) > 4).all()


def test_a_recoloured_garment_is_seen_in_its_colour(album: Album) -> None:
    """With crops, turns, bends, another background and other light."""
    studio = Studio(48, album=album)
    red = tuple(map(float, SHADES["red"]["red"]))
    shots = [shot(n, "elsewhere", colour=red) for n in range(10)] * 2
    pictures = develop(studio, *shots)
    reddish = (pictures[:, 0] - pictures[:, 1:3].amax(dim=1)) > 50
    assert (reddish.float().mean(dim=(1, 2)) > 0.08).float().mean() > 0.9


def test_a_source_that_is_not_there_is_named(album: Album) -> None:
    with pytest.raises(ValueError, match="no pictures of that source"):
        develop(Studio(24), shot(0))
    with pytest.raises(ValueError, match="no pictures of that source"):
        develop(Studio(24, album=album), Shot("stencil", 0, Traits(), printed=0))
    with pytest.raises(TypeError, match="not a number within a pool"):
        develop(
            Studio(24, album=album), Shot("photograph", Product("mug", 0, "plain", "red"), Traits())
        )
