"""A small residual convolutional vision tower (arXiv 1512.03385).

With little training data, convolutions learn shape and texture several times faster than
patches do. The bundled encoder uses this tower instead of EVA02, with the same text tower.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ocelot.model.geometry import ConvolutionConfig

__all__ = ["ConvolutionVision"]


class _Residual(nn.Module):
    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(after)
        self.skip = (
            nn.Identity()
            if before == after and stride == 1
            else nn.Sequential(
                nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (batch, channels, height, width)."""
        inner = self.norm2(self.conv2(F.relu_(self.norm1(self.conv1(x)))))
        return F.relu_(inner + self.skip(x))


class ConvolutionVision(nn.Module):
    """Pixels to one token per cell of the last feature map."""

    def __init__(self, config: ConvolutionConfig) -> None:
        super().__init__()
        first = config.widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3, first, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
        )
        blocks: list[nn.Module] = []
        before = first
        for width, depth in zip(config.widths, config.depths, strict=True):
            for place in range(depth):
                blocks.append(_Residual(before, width, stride=2 if place == 0 else 1))
                before = width
        self.blocks: Any = nn.Sequential(*blocks)

    def forward(self, pixels: Tensor) -> Tensor:
        """Shape: pixels (batch, 3, size, size), normalised -> (batch, tokens, width)."""
        return self.blocks(self.stem(pixels)).flatten(2).transpose(1, 2)

    def tokens_and_mean(self, pixels: Tensor, block: int) -> tuple[Tensor, Tensor]:
        """Return the tokens, and the mean of a block's channels, shape (batch, channels)."""
        seen = self.blocks[: block + 1](self.stem(pixels))
        return self.blocks[block + 1 :](seen).flatten(2).transpose(1, 2), seen.mean(dim=(2, 3))
