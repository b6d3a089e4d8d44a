"""Pictures of earlier steps as further negatives: cross-batch memory (arXiv 1912.06798).

Weights move little from one step to the next, so that embeddings of some steps ago still serve
as negatives: thousands of them, for the price of keeping them.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ocelot.training.triplets import NONE, Traits

__all__ = ["Memory"]


class Memory:
    """The last pictures seen, in a ring.

    Args:
        capacity: How many; 0 remembers nothing.
        dimension: Of the embeddings.
    """

    def __init__(self, capacity: int, dimension: int, device: torch.device) -> None:
        self.capacity = capacity
        self.embeddings = torch.zeros(capacity, dimension, device=device)
        self.traits = torch.full((capacity, len(Traits._fields)), NONE, device=device)
        self.count = 0

    def recall(self) -> tuple[Tensor, Tensor]:
        """Embeddings, shape (k, d), and traits, shape (k, traits), of all that is remembered."""
        filled = min(self.count, self.capacity)
        return self.embeddings[:filled], self.traits[:filled]

    def remember(self, embeddings: Tensor, traits: Tensor) -> None:
        """Take in a step's pictures, over the oldest."""
        if not self.capacity:
            return
        embeddings, traits = embeddings[-self.capacity :], traits[-self.capacity :]
        places = (self.count + torch.arange(len(traits), device=traits.device)) % self.capacity
        self.embeddings[places] = embeddings.detach().to(self.embeddings.dtype)
        self.traits[places] = traits
        self.count += len(traits)

    def state_dict(self) -> dict[str, Tensor | int]:
        """For `load_state_dict`."""
        return {"embeddings": self.embeddings, "traits": self.traits, "count": self.count}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Continue from what `state_dict` gave."""
        embeddings, traits, count = state["embeddings"], state["traits"], state["count"]
        assert isinstance(embeddings, Tensor) and isinstance(traits, Tensor)
        self.embeddings.copy_(embeddings)
        self.traits.copy_(traits)
        self.count = int(count)
