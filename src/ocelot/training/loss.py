"""Contrastive loss with chosen negatives and without false ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ocelot.training.triplets import ANY

__all__ = ["accepts", "contrastive_loss"]


def accepts(wanted: Tensor, traits: Tensor) -> Tensor:
    """Which pictures answer which queries, though they need not be the drawn pair.

    Args:
        wanted: What queries ask for, shape (n, traits); see `ocelot.training.triplets.Traits`.
        traits: What pictures show, shape (m, traits).

    Returns:
        Bool, shape (n, m).
    """
    asked, shown = wanted[:, None], traits[None]
    return ((asked == shown) | (asked == ANY) | (shown == ANY)).all(dim=2)


def contrastive_loss(
    queries: Tensor, candidates: Tensor, targets: Tensor, ignore: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Symmetric InfoNCE (arXiv 1807.03748, 2103.00020).

    Args:
        queries: Unit rows, shape (n, d).
        candidates: Unit rows, shape (m, d).
        targets: The candidate that each query means, shape (n,).
        ignore: Bool, shape (n, m): pairs that fit each other although they are not the drawn
            pair, and so count neither way. The drawn pairs are not read.
        scale: Inverse temperature, a scalar.

    Returns:
        The loss and the share of queries whose own candidate comes first, both scalars.
    """
    n = len(queries)
    rows = torch.arange(n, device=queries.device)
    own = torch.zeros_like(ignore)
    own[rows, targets] = True
    logits = (scale * queries @ candidates.T).masked_fill(ignore & ~own, float("-inf"))
    # From each meant candidate back to the queries: another query that it answers does not count.
    back = logits[:, targets].T
    shared = own[:, targets].T & ~torch.eye(n, dtype=torch.bool, device=queries.device)
    back = back.masked_fill(shared, float("-inf"))
    loss = F.cross_entropy(logits, targets) + F.cross_entropy(back, rows)
    accuracy = (logits.argmax(dim=1) == targets).float().mean()
    return loss / 2, accuracy
