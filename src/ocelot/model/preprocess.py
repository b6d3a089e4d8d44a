"""RGB image to pixels: bicubic to the shortest side, centre crop; normalised on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

__all__ = ["CLIP_MEAN", "CLIP_STD", "Pixels", "normalise", "to_pixels"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def to_pixels(image: Image.Image, size: int) -> Pixels:
    """Resize the shortest side to `size` and cut the middle out.

    Args:
        image: RGB.

    Returns:
        uint8, shape (3, size, size).
    """
    width, height = image.size
    short = min(width, height)
    scaled = (int(size * width / short), int(size * height / short))
    if scaled != image.size:
        # A very long picture is cut first: only the middle is kept anyway.
        image = _cut_long(image) if max(scaled) > 16 * size else image
        width, height = image.size
        short = min(width, height)
        scaled = (int(size * width / short), int(size * height / short))
        image = image.resize(scaled, Image.Resampling.BICUBIC)
    left, top = round((image.width - size) / 2), round((image.height - size) / 2)
    image = image.crop((left, top, left + size, top + size))
    return np.ascontiguousarray(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1))


def _cut_long(image: Image.Image) -> Image.Image:
    side = 4 * min(image.size)
    left, top = max(0, (image.width - side) // 2), max(0, (image.height - side) // 2)
    return image.crop((left, top, min(image.width, left + side), min(image.height, top + side)))


def normalise(pixels: Sequence[Pixels] | Tensor, device: torch.device) -> Tensor:
    """Stack pixels on the device and normalise them.

    Returns:
        float32, shape (batch, 3, size, size).
    """
    batch = pixels if isinstance(pixels, Tensor) else torch.from_numpy(np.stack(pixels))
    values = batch.to(device).float() / 255
    mean = torch.tensor(CLIP_MEAN, device=device)[:, None, None]
    std = torch.tensor(CLIP_STD, device=device)[:, None, None]
    return (values - mean) / std
