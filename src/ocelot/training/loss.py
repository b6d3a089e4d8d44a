"""Contrastive loss that leaves out false negatives."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ocelot.training.batch import WILDCARD

__all__ = ["accepts", "contrastive_loss"]


def accepts(wanted: Tensor, labels: Tensor) -> Tensor:
    """Compute which pictures answer which queries; see `ocelot.training.batch.Batch`.

    Args:
        wanted: What queries ask for, shape (n, k).
        labels: What pictures show, shape (m, k).

    Returns:
        Bool, shape (n, m).
    """
    asked, shown = wanted[:, None], labels[None]
    return ((asked == shown) | (asked == WILDCARD) | (shown == WILDCARD)).all(dim=2)


def contrastive_loss(
    queries: Tensor, candidates: Tensor, targets: Tensor, ignore: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE (arXiv 1807.03748, 2103.00020).

    Args:
        queries: Unit rows, shape (n, d).
        candidates: Unit rows, shape (m, d).
        targets: The candidate that answers each query, shape (n,).
        ignore: Bool, shape (n, m): pairs that fit although the candidate is not the query's
            target; they count neither way. The values at the targets are not read.
        scale: Inverse temperature, a scalar.

    Returns:
        The loss and the share of queries whose own candidate comes first, both scalars.
    """
    n = len(queries)
    rows = torch.arange(n, device=queries.device)
    own = torch.zeros_like(ignore)
    own[rows, targets] = True
    logits = (scale * queries @ candidates.T).masked_fill(ignore & ~own, float("-inf"))
    # From each target back to the queries: other queries that it answers do not count.
    back = logits[:, targets].T
    shared = own[:, targets].T & ~torch.eye(n, dtype=torch.bool, device=queries.device)
    back = back.masked_fill(shared, float("-inf"))
    loss = F.cross_entropy(logits, targets) + F.cross_entropy(back, rows)
    accuracy = (logits.argmax(dim=1) == targets).float().mean()
    return loss / 2, accuracy
