"""The BERT / XLM-RoBERTa text tower (arXiv 1810.04805, 1911.02116); it also reads image tokens.

Only the first row of the last layer is computed, as nothing else of it is used.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ocelot.model.geometry import TextConfig

__all__ = ["TextEmbeddings", "TextEncoder"]


def _table(rows: int, width: int) -> nn.Embedding:
    # Initialising a table on the meta device would import torch's compiler, which takes a second.
    table = nn.Embedding(rows, width, _weight=torch.empty(rows, width))
    if not table.weight.is_meta:
        table.reset_parameters()
    return table


class TextEmbeddings(nn.Module):
    """Word + position + token-type embeddings, then layer norm."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.words = _table(config.vocabulary, config.width)
        self.positions = _table(config.positions, config.width)
        self.types = _table(config.token_types, config.width)
        self.norm = nn.LayerNorm(config.width, eps=config.eps)

    def forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Shape: ids (batch, tokens), positions (tokens,) -> (batch, tokens, width)."""
        # A text is one segment, so all its tokens have type 0.
        return self.norm(self.words(ids) + self.positions(positions) + self.types.weight[0])

    def place(self, tokens: Tensor) -> Tensor:
        """Return image tokens at the positions 1 to n, normalised; they have no token type.

        Shape: tokens (batch, n, width) -> the same.
        """
        return self.norm(tokens + self.positions.weight[1 : 1 + tokens.shape[1]])


class _Layer(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        width = config.width
        self.heads = config.heads
        self.qkv = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.attention_norm = nn.LayerNorm(width, eps=config.eps)
        self.hidden = nn.Linear(width, config.hidden)
        self.out = nn.Linear(config.hidden, width)
        self.norm = nn.LayerNorm(width, eps=config.eps)

    def forward(self, x: Tensor, mask: Tensor | None, *, first_row_only: bool) -> Tensor:
        """Shape: x (batch, tokens, width), mask (batch, 1, 1, tokens), True where to look."""
        if first_row_only:
            width, bias, first = x.shape[-1], self.qkv.bias, x[:, :1]
            q = self._heads(F.linear(first, self.qkv.weight[:width], bias[:width]))
            k, v = self._heads(F.linear(x, self.qkv.weight[width:], bias[width:])).chunk(2, 1)
            x = first
        else:
            q, k, v = self._heads(self.qkv(x)).chunk(3, 1)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = self.attention_norm(x + self.attention_out(mixed.transpose(1, 2).flatten(2)))
        return self.norm(x + self.out(F.gelu(self.hidden(x))))

    def _heads(self, x: Tensor) -> Tensor:
        """Shape: x (batch, tokens, k * width) -> (batch, k * heads, tokens, head size)."""
        parts = x.shape[-1] // self.out.out_features * self.heads
        return x.reshape(*x.shape[:2], parts, -1).transpose(1, 2)


class TextEncoder(nn.Module):
    """Embedded tokens to the output of the first one."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Shape: x (batch, tokens, width), mask (batch, tokens) bool -> (batch, width)."""
        if mask is not None:
            mask = mask[:, None, None, :]
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            x = layer(x, mask, first_row_only=number == last)
        return torch.select(x, 1, 0)
