"""Pixels for the network: the shortest side resized (bicubic), the centre cropped."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

__all__ = ["CLIP_MEAN", "CLIP_STD", "DECODE_MARGIN", "Pixels", "to_pixels"]

# Of red, green and blue from 0 to 1, which the network subtracts and divides by.
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
# A JPEG may be decoded at a reduced size whose shortest side is at least so many times that of the
# network's input. The cosine with the embedding of the whole image is then at least 0.999: measured
# with ocelot-tiny, 0.99994 on mosaics of photographs and 0.99997 on drawings (with a margin of 2:
# 0.997 and 0.9998; with 1: 0.989 and 0.998).
DECODE_MARGIN = 3
_LONGEST = 16  # times the size, before it is cropped

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def to_pixels(image: Image.Image, size: int) -> Pixels:
    """Resize the shortest side of an RGB image to `size` and crop the centre, as CLIP does.

    Returns:
        uint8, shape (3, size, size), a view of (size, size, 3).
    """
    short, long = min(image.size), max(image.size)
    if size * long // short > _LONGEST * size:
        # Only the centre is kept, and the whole resized image would be huge.
        left, top = (max(0, (side - 4 * short) // 2) for side in image.size)
        image = image.crop((left, top, image.width - left, image.height - top))
    width, height = (int(size * side / short) for side in image.size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    resized = image.resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(resized.crop((left, top, left + size, top + size)))
    return pixels.transpose(2, 0, 1)
