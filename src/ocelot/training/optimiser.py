"""AdamW, its schedule, and the moving average of the weights, which becomes the encoder."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ocelot.model.visualized_bge import Network
from ocelot.training.config import OptimiserConfig

__all__ = ["moving_average", "new_optimiser", "schedule"]


def moving_average(decay: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Return the rule by which an average takes in the next value; it forgets faster at first."""

    def mix(average: Tensor, value: Tensor, count: Tensor | int) -> Tensor:
        if not average.is_floating_point():
            return value
        keep = min(decay, (1 + int(count)) / (10 + int(count)))
        return average.lerp(value, 1 - keep)

    return mix


def schedule(step: int, options: OptimiserConfig) -> float:
    """Learning rate at a step: linear warm-up, then half a cosine down to the final share."""
    if step < options.warmup:
        return options.learning_rate * (step + 1) / options.warmup
    done = (step - options.warmup) / max(1, options.steps - options.warmup)
    left = options.final + (1 - options.final) * 0.5 * (1 + math.cos(math.pi * done))
    return options.learning_rate * left


def new_optimiser(
    network: Network, log_scale: nn.Parameter, options: OptimiserConfig
) -> torch.optim.Optimizer:
    """AdamW; weight decay is for matrices alone."""
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    return torch.optim.AdamW(
        [
            {"params": matrices, "weight_decay": options.weight_decay},
            {"params": [*others, log_scale], "weight_decay": 0.0},
        ],
        lr=options.learning_rate,
        betas=(0.9, 0.98),
    )
