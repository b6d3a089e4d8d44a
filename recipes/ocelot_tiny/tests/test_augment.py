"""Shots to pixels, looked at: where nothing moves, a picture is what was asked for."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor

from recipes.ocelot_tiny.augment import Augmenter
from recipes.ocelot_tiny.batch_plan import PictureSpec, Subjects, Traits
from recipes.ocelot_tiny.catalogue.vocabulary import KINDS, Product
from recipes.ocelot_tiny.photographs import SIDE, PhotoSet
from recipes.ocelot_tiny.pools import StencilPool
from recipes.ocelot_tiny.samplers import sample_plan

BLUE = (44.0, 88.0, 178.0)


def spec(number: int, setting: str = "own", **options: object) -> PictureSpec:
    return PictureSpec("photograph", number, Traits(), setting, **options)  # type: ignore[arg-type]


def render(augmenter: Augmenter, *specs: PictureSpec, seed: int = 0) -> Tensor:
    return augmenter.render(specs, random.Random(seed))


@pytest.fixture
def still(photos: PhotoSet, stencils: StencilPool) -> Augmenter:
    """Nothing is cropped, turned or lit."""
    return Augmenter(SIDE, photos=photos, stencils=stencils, strength=0.0)


def sheet(photos: PhotoSet, number: int) -> tuple[Tensor, Tensor]:
    """Pixels and mask as they are kept."""
    kept = torch.from_numpy(np.array(photos.pixels[number])).float()
    return kept[:3], kept[3] / 255


def test_without_strength_a_photograph_is_shown_as_it_is(
    still: Augmenter, photos: PhotoSet
) -> None:
    made_up = render(still, spec(0), spec(3))
    for picture, number in zip(made_up, (0, 3), strict=True):
        torch.testing.assert_close(picture, sheet(photos, number)[0], atol=0.1, rtol=0)


def test_a_recoloured_article_stands_before_its_own_background(
    still: Augmenter, photos: PhotoSet
) -> None:
    picture = render(still, spec(0, colour=BLUE))[0]
    pixels, mask = sheet(photos, 0)
    torch.testing.assert_close(picture[:, mask == 0], pixels[:, mask == 0], atol=0.1, rtol=0)
    inside = picture[:, mask == 1].mean(dim=1)
    assert (inside - torch.tensor(BLUE)).abs().max() < 15


def test_elsewhere_is_another_background(still: Augmenter, photos: PhotoSet) -> None:
    pictures = render(still, *[spec(2, "elsewhere") for _ in range(6)])
    pixels, _ = sheet(photos, 2)
    blue = pixels[2] - pixels[0]
    for picture in pictures:
        assert (picture - pixels).abs()[:, :6].mean() > 8  # the frame of the photograph
        shown = ((picture[2] - picture[0]) > 80).float().mean()
        assert shown >= 0.8 * (blue > 80).float().mean()  # all of the garment, perhaps larger


def test_a_print_lies_on_the_article(still: Augmenter, photos: PhotoSet) -> None:
    plain, printed = (render(still, spec(6, printed=theme))[0] for theme in (None, 12))
    _, mask = sheet(photos, 6)
    changed = (plain - printed).abs().amax(dim=0)
    assert changed[mask == 0].max() < 0.1
    assert changed[mask == 1].mean() > 30


def test_a_print_lies_on_the_product(still: Augmenter, stencils: StencilPool) -> None:
    numbers = [n for n, (kind, _) in enumerate(stencils.products) if kind == "mug"]
    specs = [PictureSpec("stencil", numbers[0], Traits(), printed=theme) for theme in (11, 12)]
    one, other = render(still, *specs)
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


def test_each_shot_is_in_its_row(photos: PhotoSet, stencils: StencilPool) -> None:
    augmenter = Augmenter(
        SIDE,
        photos=photos,
        stencils=stencils,
        drawings=Numbered(),
        strength=0.0,  # type: ignore[arg-type]
    )
    names = list(KINDS)
    drawn = [
        PictureSpec("drawing", Product(names[n], 0, "plain", "red"), Traits()) for n in (5, 0, 9)
    ]
    stencil = PictureSpec("stencil", 4, Traits(), printed=11)
    pictures = render(augmenter, drawn[0], spec(1), drawn[1], stencil, spec(3), drawn[2])
    assert pictures.shape == (6, 3, SIDE, SIDE) and pictures.dtype == torch.float32
    for row, grey in ((0, 50), (2, 0), (5, 90)):
        torch.testing.assert_close(
            pictures[row], torch.full_like(pictures[row], grey), atol=0.01, rtol=0
        )
    for row, number in ((1, 1), (4, 3)):
        torch.testing.assert_close(pictures[row], sheet(photos, number)[0], atol=0.1, rtol=0)


def test_whole_plans_depend_on_the_seed_alone(photos: PhotoSet, stencils: StencilPool) -> None:
    augmenter = Augmenter(24, photos=photos, stencils=stencils)
    source = Subjects(photos.photographs, stencils.products)
    shares = {"recolourings": 4, "views": 4, "prints": 4}
    specs = sample_plan(random.Random(1), source, shares).pictures
    assert {one.setting for one in specs} == {"own", "elsewhere", "close"}
    one, same, other = (render(augmenter, *specs, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert one.shape == (len(specs), 3, 24, 24)
    assert one.min() >= 0 and one.max() <= 255 and one.isfinite().all()
    # No picture stays as it was, and none is lost.
    assert ((one - other).abs().mean(dim=(1, 2, 3)) > 1).all()
    assert (one.std(dim=(2, 3)).amax(dim=1) > 4).all()
