"""The mean of two encoders' weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.visualized_bge import Network, build

__all__ = ["average"]


def average(
    first: Checkpoint, second: Checkpoint, weight: float, picture_share: float | None = None
) -> Network:
    """Return a network with the mean of the weights of two legs, of which one began at the other.

    It often does better on held-out data than both (model soups, arXiv 2203.05482). An instance
    part has no mean: fit it to the result.

    Args:
        weight: Of the second, from 0 to 1.
        picture_share: Of the new network; by default that of the second.

    Raises:
        ConfigurationError: Their networks or tokenizers are not of one build, or they have an
            instance part.
    """
    if first.geometry.instance or second.geometry.instance:
        raise ConfigurationError("An instance part has no mean: take encoders without, and fit it.")
    apart = replace(first.geometry, picture_share=0) != replace(second.geometry, picture_share=0)
    if apart or first.tokenizer.tokenizer.to_str() != second.tokenizer.tokenizer.to_str():
        raise ConfigurationError("The two encoders are not of one build, so they have no mean.")
    state = {
        name: (1 - weight) * value.astype(np.float32) + weight * second.state[name]
        if value.dtype.kind == "f"
        else second.state[name]
        for name, value in first.state.items()
    }
    network = build(replace(second, state=state))
    if picture_share is not None:
        network.geometry = replace(network.geometry, picture_share=picture_share)
    return network
