"""A vision tower of inverted residuals (arXiv 1801.04381), as EfficientNet-Lite has it.

There are no batch norms: those of pretrained weights are folded into the convolutions, so that
training does not depend on what else a batch holds.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ocelot.model.geometry import MobileConfig

__all__ = ["MobileVision"]


class _Convolution(nn.Conv2d):
    """Each channel apart (`apart`) or all together.

    As TensorFlow pads, which pretrained weights are for: an odd padding has its larger half at the
    right and at the bottom.
    """

    def __init__(
        self, before: int, after: int, kernel: int, *, stride: int = 1, apart: bool = False
    ) -> None:
        first, last = (kernel - stride) // 2, (kernel - stride + 1) // 2
        even = first if first == last else 0
        super().__init__(before, after, kernel, stride, even, groups=before if apart else 1)
        self.pads = None if first == last else [first, last, first, last]

    def forward(self, input: Tensor) -> Tensor:
        """Shape: input (batch, channels, height, width)."""
        return super().forward(F.pad(input, self.pads) if self.pads else input)


class _InvertedResidual(nn.Module):
    def __init__(self, before: int, after: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = before * expansion
        self.expand = _Convolution(before, inner, 1) if expansion > 1 else None
        self.depthwise = _Convolution(inner, inner, kernel, stride=stride, apart=True)
        self.project = _Convolution(inner, after, 1)
        self.residual = before == after and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (batch, channels, height, width)."""
        inner = x if self.expand is None else F.relu6(self.expand(x))
        inner = self.project(F.relu6(self.depthwise(inner)))
        return x + inner if self.residual else inner


class MobileVision(nn.Module):
    """Pixels to one token per cell of the last feature map."""

    def __init__(self, config: MobileConfig) -> None:
        super().__init__()
        self.stem = _Convolution(3, config.stem, 3, stride=2)
        blocks: list[nn.Module] = []
        before = config.stem
        for width, kernel, stride, expansion in config.blocks:
            blocks.append(_InvertedResidual(before, width, kernel, stride, expansion))
            before = width
        self.blocks: Any = nn.Sequential(*blocks)
        self.head = _Convolution(before, config.width, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Shape: pixels (batch, 3, size, size), normalised -> (batch, tokens, width)."""
        return self._tokens(self.blocks(F.relu6(self.stem(pixels))))

    def tokens_and_mean(self, pixels: Tensor, block: int) -> tuple[Tensor, Tensor]:
        """Return the tokens, and the mean of a block's channels, shape (batch, channels)."""
        seen = self.blocks[: block + 1](F.relu6(self.stem(pixels)))
        return self._tokens(self.blocks[block + 1 :](seen)), seen.mean(dim=(2, 3))

    def _tokens(self, x: Tensor) -> Tensor:
        return F.relu6(self.head(x)).flatten(2).transpose(1, 2)
