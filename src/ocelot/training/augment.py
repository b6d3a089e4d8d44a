"""Random changes of pictures, as batched tensor operations: crops and light.

Pixels are float32 from 0 to 255, shape (n, 3, height, width), on any device. Random numbers are
drawn on the CPU, so that a seed gives the same changes on every device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Random", "crop", "relight"]


@dataclass(frozen=True)
class Random:
    """Random tensors from one generator, on a device."""

    generator: torch.Generator
    device: torch.device

    def uniform(self, low: float, high: float, *shape: int) -> Tensor:
        """Return a tensor of this shape, uniform from `low` to `high`."""
        return (low + (high - low) * torch.rand(shape, generator=self.generator)).to(self.device)

    def normal(self, *shape: int) -> Tensor:
        """Return a tensor of this shape, with mean 0 and deviation 1."""
        return torch.randn(shape, generator=self.generator).to(self.device)


def crop(random: Random, pixels: Tensor, strength: float) -> Tensor:
    """Crop up to 20 % of each side (at strength 1) away, and scale back to the same size.

    Nothing is rotated or mirrored, as texts may speak of left and right, or of letters.
    """
    n = len(pixels)
    share = 1 - 0.2 * min(strength, 2) * random.uniform(0, 1, n, 1)
    shift = (1 - share) * random.uniform(-1, 1, n, 2)
    matrix = torch.cat([torch.diag_embed(share.expand(n, 2)), shift[:, :, None]], dim=2)
    grid = F.affine_grid(matrix, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, padding_mode="border", align_corners=False)


def relight(random: Random, pixels: Tensor, strength: float) -> Tensor:
    """Change brightness, tint, contrast and blur, as with another lamp and camera."""
    n = len(pixels)

    def each(value: Tensor) -> Tensor:
        return value[:, None, None, None]

    gain = torch.exp(each(random.uniform(-0.2, 0.2, n)) * strength)
    tint = 1 + 0.05 * strength * random.normal(n, 3, 1, 1).clamp(-2, 2)
    contrast = torch.exp(each(random.uniform(-0.18, 0.18, n)) * strength)
    offset = each(random.uniform(-12, 12, n)) * strength
    lit = ((pixels - 128) * contrast + 128) * gain * tint + offset
    blurred = _box_blur(lit)
    lit = lit.lerp(blurred, each(random.uniform(-0.6, 1, n).clamp(min=0)) * strength)
    return lit.clamp(0, 255)


def _box_blur(pixels: Tensor) -> Tensor:
    """Means of 3 x 3 pixels, of fewer at the border.

    Sums of shifted pictures are several times as fast as `avg_pool2d`.
    """
    padded = F.pad(pixels, (1, 1, 1, 1))
    rows = padded[..., :-2, :] + padded[..., 1:-1, :] + padded[..., 2:, :]
    sums = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    down, across = (_neighbours(side, pixels.device) for side in pixels.shape[-2:])
    return sums / (down[:, None] * across)


def _neighbours(side: int, device: torch.device) -> Tensor:
    """How many of 3 pixels in a line lie inside, at each place."""
    counts = torch.full((side,), 3.0, device=device)
    counts[0] -= 1
    counts[-1] -= 1
    return counts
