"""Pixels for the network, compared with whole images that Pillow resizes."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ocelot.model.preprocess import to_pixels


def noise(width: int, height: int) -> Image.Image:
    """The worst there is to resize: every pixel is another."""
    values = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_pixels_are_those_of_a_bicubic_centre_crop() -> None:
    image = noise(300, 200)
    expected = image.resize((96, 64), Image.Resampling.BICUBIC).crop((16, 0, 80, 64))
    np.testing.assert_array_equal(to_pixels(image, 64).transpose(1, 2, 0), np.asarray(expected))


def test_of_a_very_long_image_the_centre_is_kept() -> None:
    image = noise(3000, 20)
    whole = image.resize((9600, 64), Image.Resampling.BICUBIC).crop((4768, 0, 4832, 64))
    found = to_pixels(image, 64).transpose(1, 2, 0)
    np.testing.assert_allclose(found.astype(int), np.asarray(whole).astype(int), atol=1)
