"""RGB image to pixels: bicubic to the shortest side, centre crop; normalised on the device."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["CLIP_MEAN", "CLIP_STD", "DECODE_MARGIN", "Pixels", "normalise", "stack", "to_pixels"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
# A JPEG may be decoded smaller than it is as long as its shortest side keeps so many times what
# the network looks at. The embedding's cosine with that of the whole picture is then at least
# 0.999: measured with ocelot-tiny 0.99994 on mosaics of photographs and 0.99997 on drawings (with
# a margin of 2 they are 0.997 and 0.9998, with 1 0.989 and 0.998).
DECODE_MARGIN = 3

Pixels = np.ndarray[Any, np.dtype[np.uint8]]


def to_pixels(image: Image.Image, size: int, *, exact: bool = True) -> Pixels:
    """Resize the shortest side to `size` and cut the middle out.

    Args:
        image: RGB.
        exact: Whether to resize as the published models were trained, with Pillow. Torch's
            bicubic of bytes follows it in a third of the time: of a thousand values two are
            another by 1 of 255, and one in a million by 2.

    Returns:
        uint8, shape (3, size, size), a view of (size, size, 3).
    """
    width, height = _scaled(image, size)
    if max(width, height) > 16 * size:
        # A very long picture is cut first: only the middle is kept anyway.
        image = _cut_long(image)
        width, height = _scaled(image, size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    if (width, height) == image.size or exact:
        resized = image.resize((width, height), Image.Resampling.BICUBIC)
        pixels = np.asarray(resized.crop((left, top, left + size, top + size)))
    else:
        import torch  # where it is used: importing it takes a second
        import torch.nn.functional as F

        whole = torch.from_numpy(np.array(image))[None].permute(0, 3, 1, 2)  # known as by pixel
        there = F.interpolate(whole, (height, width), mode="bicubic", antialias=True)[0]
        middle = there[:, top : top + size, left : left + size]
        pixels = middle.permute(1, 2, 0).contiguous().numpy()
    planes: Pixels = pixels.transpose(2, 0, 1)
    return planes


def _scaled(image: Image.Image, size: int) -> tuple[int, int]:
    """Width and height with the shortest side `size`."""
    short = min(image.size)
    return int(size * image.width / short), int(size * image.height / short)


def _cut_long(image: Image.Image) -> Image.Image:
    side = 4 * min(image.size)
    left, top = max(0, (image.width - side) // 2), max(0, (image.height - side) // 2)
    return image.crop((left, top, min(image.width, left + side), min(image.height, top + side)))


def normalise(pixels: Sequence[Pixels] | Tensor, device: torch.device) -> Tensor:
    """Stack pixels on the device and normalise them.

    Returns:
        float32, shape (batch, 3, size, size), in memory by pixel (`channels_last`).
    """
    import torch

    batch = stack(pixels) if isinstance(pixels, Sequence) else pixels
    mean, scale = _constants(device, batch.shape[-1])
    # By rows of pixels: loops over three channels at a time take five times as long.
    rows = batch.to(device).movedim(1, -1).flatten(2).to(torch.float32, copy=True)
    rows.sub_(mean).mul_(scale)
    return rows.reshape(*rows.shape[:2], -1, 3).movedim(-1, 1)


def stack(pixels: Sequence[Pixels]) -> Tensor:
    """Pixels as one batch, uint8, shape (batch, 3, size, size), in memory by pixel."""
    import torch

    rows = np.stack([one.transpose(1, 2, 0) for one in pixels])
    return torch.from_numpy(rows).permute(0, 3, 1, 2)


@cache  # copied to a device once, as a copy waits for all that the device has still to do
def _constants(device: torch.device, width: int) -> tuple[Tensor, Tensor]:
    """255 times the means, and 1 / (255 times the deviations), for a row; shape (3 * width,)."""
    import torch

    with torch.inference_mode(False):
        mean = torch.tensor(CLIP_MEAN, device=device).repeat(width) * 255
        deviation = torch.tensor(CLIP_STD, device=device).repeat(width) * 255
        return mean, 1 / deviation
