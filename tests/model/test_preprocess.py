"""Pixels for the network: the fast resizing compared with Pillow, and the normalisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from ocelot.model.preprocess import CLIP_MEAN, CLIP_STD, normalise, stack, to_pixels


def noise(width: int, height: int) -> Image.Image:
    """The worst there is to resize: every pixel is another."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


SIZES = [(453, 320), (320, 453), (64, 64), (40, 30), (1200, 801), (5000, 20)]


@pytest.mark.parametrize("size", SIZES)
def test_the_quick_resizing_follows_pillows(size: tuple[int, int]) -> None:
    exact, quick = (to_pixels(noise(*size), 64, exact=exact) for exact in (True, False))
    assert exact.shape == quick.shape == (3, 64, 64)
    apart = np.abs(exact.astype(int) - quick.astype(int))
    assert apart.max() <= 2
    assert (apart > 0).mean() < 0.05


def test_pixels_are_those_of_a_bicubic_centre_crop() -> None:
    image = noise(300, 200)
    expected = image.resize((96, 64), Image.Resampling.BICUBIC).crop((16, 0, 80, 64))
    np.testing.assert_array_equal(to_pixels(image, 64).transpose(1, 2, 0), np.asarray(expected))


def test_normalised_pixels_are_floats_in_units_of_deviations() -> None:
    pixels = to_pixels(noise(64, 64), 64)
    found = normalise(stack([pixels, pixels]), torch.device("cpu"))
    mean, std = (np.array(numbers)[:, None, None] for numbers in (CLIP_MEAN, CLIP_STD))
    expected = (pixels / 255 - mean) / std
    assert found.shape == (2, 3, 64, 64) and found.dtype == torch.float32
    assert found.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(found[1].numpy(), expected, atol=1e-5)
    given = torch.from_numpy(expected * 255)[None]
    kept = given.clone()
    normalise(given, torch.device("cpu"))
    assert torch.equal(given, kept)
