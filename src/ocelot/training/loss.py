"""Contrastive loss with chosen negatives and without false ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["contrastive_loss"]


def contrastive_loss(
    queries: Tensor, candidates: Tensor, ignore: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE (arXiv 1807.03748, 2103.00020).

    Query i means candidate i; the further candidates are negatives for every query.

    Args:
        queries: Unit rows, shape (n, d).
        candidates: Unit rows, shape (m, d), m >= n.
        ignore: Bool, shape (n, m): pairs that fit each other although they are not the drawn
            pair, and so count neither way. Its diagonal is not read.
        scale: Inverse temperature, a scalar.

    Returns:
        The loss and the share of queries whose own candidate comes first, both scalars.
    """
    n = len(queries)
    own = torch.eye(n, candidates.shape[0], dtype=torch.bool, device=queries.device)
    logits = scale * queries @ candidates.T
    logits = logits.masked_fill(ignore & ~own, float("-inf"))
    labels = torch.arange(n, device=queries.device)
    loss = F.cross_entropy(logits, labels) + F.cross_entropy(logits[:, :n].T, labels)
    accuracy = (logits.argmax(dim=1) == labels).float().mean()
    return loss / 2, accuracy
