"""Edits against what is drawn, exact pixel positions, and complex numbers."""

from __future__ import annotations

import cmath
import math
import random
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from torch import Tensor

from ocelot.training.augment import Random, relight
from recipes.ocelot_tiny import edits
from recipes.ocelot_tiny.tests import made
from recipes.ocelot_tiny.tests.made import BLACK, BLUE, RED, RGB, WHITE


def numbers(seed: int = 0) -> Random:
    return Random(torch.Generator().manual_seed(seed), torch.device("cpu"))


def row(*values: float | Sequence[float]) -> Tensor:
    return torch.tensor([*values], dtype=torch.float32)


def tensors(colour: RGB, **options: RGB) -> tuple[Tensor, Tensor]:
    """A garment as pixels and mask, shapes (1, 3, 144, 144) and (1, 1, 144, 144)."""
    image, mask = made.garment(colour, **options)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    return pixels, torch.from_numpy(mask)[None, None].float()


def recolour(pixels: Tensor, mask: Tensor, main: RGB, target: RGB) -> Tensor:
    return edits.recolour(pixels, mask, row(main), row(40.0), row(target))


CHANGES = [(RED, BLUE), (WHITE, BLACK), (BLACK, WHITE)]


@pytest.mark.parametrize(("main", "target"), CHANGES)
def test_recolour_gives_the_article_the_colour_and_nothing_else(main: RGB, target: RGB) -> None:
    pixels, mask = tensors(main)
    changed = recolour(pixels, mask, main, target)
    inside = mask[0, 0] > 0
    mean = changed[0][:, inside].mean(dim=1)
    torch.testing.assert_close(mean, row(*target), atol=8, rtol=0)
    assert torch.equal(changed[0][:, ~inside], pixels[0][:, ~inside])
    assert changed.min() >= 0 and changed.max() <= 255


def test_recolour_keeps_lettering() -> None:
    plain, mask = tensors(RED)
    lettered, _ = tensors(RED, lettering=WHITE)
    letters = ((lettered - plain).abs().amax(dim=1) > 150)[0]
    assert letters.sum() > 40
    changed = recolour(lettered, mask, RED, BLUE)
    kept = (changed - lettered).abs().amax(dim=1)[0][letters]
    assert kept.mean() < 5
    around = changed[0][:, (mask[0, 0] > 0) & ~letters].mean(dim=1)
    torch.testing.assert_close(around, row(*BLUE), atol=10, rtol=0)


def test_print_on_follows_mask_and_folds() -> None:
    main = row((100, 80, 60))
    shade = torch.tensor([1.0, 0.8, 0.5, 0.0, 2.0])  # of the cloth's folds
    pixels = main[:, :, None, None] * shade[None, None, None]
    patch = torch.full((1, 3, 1, 5), 120.0)
    printed = edits.print_on(pixels, torch.ones(1, 1, 1, 5), main, patch)
    expected = torch.tensor([120.0, 96.0, 60.0, 54.0, 162.0]).expand(1, 3, 1, 5)
    torch.testing.assert_close(printed, expected)
    bare = edits.print_on(pixels, torch.zeros(1, 1, 1, 5), main, patch)
    assert torch.equal(bare, pixels)


def view(source: Tensor, side: int, **places: Tensor) -> Tensor:
    given = {
        "box": row((0, 0, 1, 1)),
        "size": row(1.0),
        "centre": row((0, 0)),
        "turn": row(0.0),
        "mirror": row(1.0),
    }
    return edits.warp(source, edits.place(**(given | places)), side, pad="zeros")


def noise(side: int = 32) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(1)) * 255


def test_a_box_that_fills_the_view_is_cut_out_exactly() -> None:
    picture = noise()
    near = {"atol": 0.02, "rtol": 0.0}
    torch.testing.assert_close(view(picture, 32), picture, **near)
    part = view(picture, 16, box=row((0.25, 0.5, 0.75, 1.0)))
    torch.testing.assert_close(part, picture[:, :, 16:, 8:24], **near)
    # A wide box fills the width; what is above and below comes with it.
    wide = view(picture, 16, box=row((0.25, 0.4, 0.75, 0.6)))
    torch.testing.assert_close(wide, picture[:, :, 8:24, 8:24], **near)


@pytest.mark.parametrize("seed", range(4))
def test_a_dot_lands_where_complex_numbers_say(seed: int) -> None:
    """In the view a point stands to the centre as in the source to the box's middle, turned."""
    rng = random.Random(seed)
    left, top = rng.uniform(0.1, 0.4), rng.uniform(0.1, 0.4)
    wide, high = rng.uniform(0.2, 0.5), rng.uniform(0.2, 0.5)
    size, turn, mirror = rng.uniform(0.5, 0.9), rng.uniform(-0.6, 0.6), rng.choice((-1, 1))
    centre = complex(rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2))
    middle = complex(left + wide / 2, top + high / 2) * 2 - (1 + 1j)
    dot = middle + complex(rng.uniform(-0.15, 0.15), rng.uniform(-0.15, 0.15))
    axis = (torch.arange(96) + 0.5) / 48 - 1
    spot = torch.exp(-((axis - dot.real) ** 2 + (axis[:, None] - dot.imag) ** 2) / 0.004)
    shown = view(
        spot[None, None],
        96,
        box=row((left, top, left + wide, top + high)),
        size=row(size),
        centre=row((centre.real, centre.imag)),
        turn=row(turn),
        mirror=row(float(mirror)),
    )[0, 0]
    offset = dot - middle
    offset = complex(mirror * offset.real, offset.imag) * cmath.exp(-1j * turn)
    expected = centre + offset * size / max(wide, high)
    total = shown.sum()
    found = complex((shown.sum(0) * axis).sum() / total, (shown.sum(1) * axis).sum() / total)
    assert abs(found - expected) < 0.01


def test_an_even_bend_moves_the_picture() -> None:
    picture = noise()
    whole = edits.place(row((0, 0, 1, 1)), row(1.0), row((0, 0)), row(0.0), row(1.0))
    bend = torch.zeros(1, 2, 4, 4)
    torch.testing.assert_close(edits.warp(picture, whole, 32, bend), edits.warp(picture, whole, 32))
    bend[:, 0] = 2 / 32 * 3  # three pixels to the right in the source
    moved = edits.warp(picture, whole, 32, bend)
    torch.testing.assert_close(moved[..., :-3], picture[..., 3:], atol=0.02, rtol=0)
    uneven = edits.warp(picture, whole, 32, numbers().normal(1, 2, 4, 4) * 0.05)
    assert (uneven - picture).abs().mean() > 5


def test_relight_does_as_much_as_its_strength() -> None:
    grey = torch.full((200, 3, 6, 6), 128.0)
    torch.testing.assert_close(relight(numbers(), grey, 0.0), grey)
    means = relight(numbers(), grey, 1.0).mean(dim=(2, 3))
    # At most 20 % of light, a tint of 10 % and an offset of 12.
    assert means.min() >= 128 * math.exp(-0.2) * 0.9 - 12
    assert means.max() <= 128 * math.exp(0.2) * 1.1 + 12
    assert means.std() > 8
    strong = relight(numbers(), noise().expand(200, -1, -1, -1), 2.0)
    assert strong.min() >= 0 and strong.max() <= 255 and strong.isfinite().all()


def test_a_figure_stands_around_the_box_and_nowhere_else() -> None:
    behind = edits.backdrop(numbers(), 30, 96)
    box = row((-0.3, -0.3, 0.3, 0.3)).expand(30, 4)
    worn = edits.add_figure(numbers(1), behind, box)
    assert worn.isfinite().all() and worn.min() >= 0 and worn.max() <= 255
    changed = (worn - behind).abs().amax(dim=1)
    axis = torch.linspace(-1, 1, 96)
    assert changed[:, :, axis.abs() > 0.65].max() < 1
    assert changed[:, axis < -0.95].max() < 1
    head = changed[:, (axis > -0.6) & (axis < -0.4)][:, :, axis.abs() < 0.05]
    assert (head.mean(dim=(1, 2)) > 2).float().mean() > 0.9
    legs = changed[:, axis > 0.5][:, :, axis.abs() < 0.3]
    assert (legs.mean(dim=(1, 2)) > 2).float().mean() > 0.9
