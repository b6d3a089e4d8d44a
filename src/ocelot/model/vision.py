"""The EVA02-CLIP vision tower (arXiv 2303.11331; rotary embedding from arXiv 2104.09864)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocelot.model.geometry import EvaConfig

__all__ = ["EvaVision"]

_EPS = 1e-6


def _rotary_tables(grid: int, head_size: int) -> tuple[Tensor, Tensor]:
    """Return cosines and sines of the two-dimensional rotary embedding.

    Half of each head rotates with the row, half with the column. Positions are scaled to the
    grid of the pre-training resolution (16). Shape: (grid * grid, head_size) each, float32.
    """
    half = head_size // 2
    rates = 10000.0 ** -(torch.arange(0, half, 2).float() / half)
    places = torch.arange(grid).float() / grid * 16
    angles = torch.outer(places, rates).repeat_interleave(2, dim=-1)
    rows = angles[:, None, :].expand(grid, grid, half)
    columns = angles[None, :, :].expand(grid, grid, half)
    both = torch.cat([rows, columns], dim=-1).reshape(grid * grid, head_size)
    return both.cos(), both.sin()


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate pairs of neighbouring channels; `sin` is negated in the even ones.

    Shape: x (..., head size), cos and sin are broadcast to it.
    """
    swapped = torch.stack((x[..., 1::2], x[..., ::2]), dim=-1).flatten(-2)
    return x * cos + swapped * sin


class _Attention(nn.Module):
    def __init__(self, config: EvaConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.norm = nn.LayerNorm(width, eps=_EPS)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Shape: x (batch, 1 + patches, width), cos and sin (1 + patches, 1, 1, head size)."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias)
        qkv = qkv.reshape(*x.shape[:2], 3, self.heads, -1)
        q, k = _rotate(qkv[:, :, :2], cos, sin).permute(2, 0, 3, 1, 4)
        out = F.scaled_dot_product_attention(q, k, qkv[:, :, 2].transpose(1, 2))
        return self.proj(self.norm(out.transpose(1, 2).flatten(2)))


class _SwiGLU(nn.Module):
    def __init__(self, config: EvaConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(config.width, config.hidden)
        self.value = nn.Linear(config.width, config.hidden)
        self.norm = nn.LayerNorm(config.hidden, eps=_EPS)
        self.out = nn.Linear(config.hidden, config.width)

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (batch, tokens, width)."""
        return self.out(self.norm(F.silu(self.gate(x)) * self.value(x)))


class _Block(nn.Module):
    def __init__(self, config: EvaConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=_EPS)
        self.attention = _Attention(config)
        self.norm2 = nn.LayerNorm(config.width, eps=_EPS)
        self.mlp = _SwiGLU(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x), cos, sin)
        return x + self.mlp(self.norm2(x))


class EvaVision(nn.Module):
    """Pixels to patch tokens: after the last block, before any norm, without the class token."""

    cos: Tensor
    sin: Tensor

    def __init__(self, config: EvaConfig) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, config.width, config.patch_size, stride=config.patch_size)
        self.cls = nn.Parameter(torch.zeros(config.width))
        self.positions = nn.Parameter(torch.zeros(1 + config.tokens, config.width))
        self.blocks: Any = nn.ModuleList(_Block(config) for _ in range(config.layers))
        cos, sin = _rotary_tables(config.grid, config.head_size)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)

    def forward(self, pixels: Tensor) -> Tensor:
        """Shape: pixels (batch, 3, size, size), normalised -> (batch, patches, width)."""
        patches = self.patches(pixels).flatten(2).transpose(1, 2)
        cls = self.cls.expand(patches.shape[0], 1, -1)
        x = torch.cat([cls, patches], dim=1) + self.positions
        cos, sin = self._tables(x.dtype)
        for block in self.blocks:
            x = block(x, cos, sin)
        return x[:, 1:]

    def _tables(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """cos and sin for `_rotate`, with a first row for the class token, which is not rotated.

        Made here, as the buffers belong to checkpoints. Shape: (1 + patches, 1, 1, head size) each.
        """
        sin = self.sin.clone()
        sin[:, ::2] *= -1
        cos, sin = (
            F.pad(table, (0, 0, 1, 0), value=first)[:, None, None].to(dtype)
            for table, first in ((self.cos, 1.0), (sin, 0.0))
        )
        return cos, sin
