"""Attention, computed in the way that is fastest on the device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["attend"]

_LONGEST = 1024  # tokens; the scores of more pairs do not fit in a CPU's caches


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v (arXiv 1706.03762).

    Torch's fused kernel does not use a CPU's matrix unit for bf16; two plain matrix products do,
    and take half the time.

    Shape: q (batch, heads, rows, d), k and v (batch, heads, tokens, d), mask (batch, 1, 1,
    tokens), True where to look -> (batch, heads, rows, d).
    """
    if q.device.type != "cpu" or q.dtype is not torch.bfloat16 or k.shape[-2] > _LONGEST:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ v
