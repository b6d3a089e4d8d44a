"""Attention, by the way that is quickest where it runs."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["attend"]

_LONGEST = 1024  # tokens; beyond that the scores of all pairs outgrow a processor's caches


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """softmax(q k^T / sqrt(d)) v (arXiv 1706.03762).

    On a processor in bf16, whose matrix unit torch's fused kernel leaves idle, the products
    written out take half the time.

    Shape: q (batch, heads, rows, d), k and v (batch, heads, tokens, d), mask (batch, 1, 1,
    tokens), true where to look -> (batch, heads, rows, d).
    """
    if q.device.type != "cpu" or q.dtype is not torch.bfloat16 or k.shape[-2] > _LONGEST:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    mixed: Tensor = scores.softmax(-1) @ v
    return mixed
