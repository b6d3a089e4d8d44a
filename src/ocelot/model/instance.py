"""Fit the instance part of a picture's vector: what tells one design from another.

Fisher's linear discriminants (1936): directions of a block's mean channels along which pictures
differ most, compared with pictures of one group. A group shows one design in several colours, or
one thing in several views, so colour, crop and background count little.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.geometry import InstanceConfig, VisionConfig, channels
from ocelot.model.visualized_bge import Network, build, normalise

__all__ = ["Grouped", "default_part", "with_instance", "without_instance"]

_Matrix = np.ndarray[Any, np.dtype[np.float64]]

_SHRINKAGE = 0.03  # how far the scatter within groups is pulled towards an equal one everywhere
_WIDTH, _WEIGHT = 64, 0.7


class Grouped(NamedTuple):
    """Pictures of which some show the same.

    Attributes:
        pictures: In batches, 0 to 255, shape (batch, 3, size, size).
        groups: One for each picture, equal for those that show the same; None for a picture that
            shows what no other does.
    """

    pictures: Iterable[Tensor]
    groups: Sequence[Hashable | None]


def default_part(vision: VisionConfig) -> InstanceConfig | None:
    """The instance part that suits a vision tower; None if it cannot have one."""
    if not (known := channels(vision)):
        return None
    block = 2 * len(known) // 3  # later ones know kinds better than designs
    return InstanceConfig(block, min(_WIDTH, known[block]), _WEIGHT)


def with_instance(
    checkpoint: Checkpoint, sets: Sequence[Grouped], part: InstanceConfig
) -> Checkpoint:
    """Fit an instance part on sets of pictures, each of which counts equally.

    Raises:
        ConfigurationError: The vision tower cannot have this part, or a set has no group of two
            pictures.
    """
    geometry = replace(checkpoint.geometry, instance=part)
    try:
        geometry.check_instance()
    except ValueError as error:
        raise ConfigurationError(f"{checkpoint.name} cannot have this part: {error}.") from None
    network = build(without_instance(checkpoint))
    means, within, total = [], [], []
    for pictures, groups in sets:
        rows = _block_means(network, pictures, part.block)
        means.append(rows.mean(axis=0))
        within.append(_scatter_within(rows, groups))
        total.append(np.cov(rows, rowvar=False))
    matrix = _discriminants(np.mean(within, axis=0), np.mean(total, axis=0), part.width)
    bias = -matrix @ np.mean(means, axis=0)
    weights = {"instance.weight": matrix, "instance.bias": bias}
    state = {name: value.astype(np.float32) for name, value in weights.items()}
    return replace(checkpoint, geometry=geometry, state={**checkpoint.state, **state})


def without_instance(checkpoint: Checkpoint) -> Checkpoint:
    """The encoder's readings alone; the checkpoint itself if it has no instance part."""
    if checkpoint.geometry.instance is None:
        return checkpoint
    state = {name: v for name, v in checkpoint.state.items() if not name.startswith("instance.")}
    geometry = replace(checkpoint.geometry, instance=None)
    return replace(checkpoint, geometry=geometry, state=state)


@torch.inference_mode()
def _block_means(network: Network, pictures: Iterable[Tensor], block: int) -> _Matrix:
    """Mean channels of a block over each picture, shape (pictures, channels)."""
    tower: Any = network.vision.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    rows = [tower.tokens_and_mean(normalise(batch), block)[1].numpy() for batch in pictures]
    return np.concatenate(rows).astype(np.float64)


def _scatter_within(rows: _Matrix, groups: Sequence[Hashable | None]) -> _Matrix:
    """Covariance of pictures around the mean of their group."""
    members = defaultdict(list)
    for number, group in zip(range(len(rows)), groups, strict=True):
        if group is not None:
            members[group].append(number)
    scatter, freedom = np.zeros((rows.shape[1],) * 2), 0
    for numbers in members.values():
        apart = rows[numbers] - rows[numbers].mean(axis=0)
        scatter += apart.T @ apart
        freedom += len(numbers) - 1
    if not freedom:
        raise ConfigurationError("A set has no two pictures of the same: take another one.")
    return scatter / freedom


def _discriminants(within: _Matrix, total: _Matrix, width: int) -> _Matrix:
    """Return the first discriminants as rows, each with a deviation of 1 within groups."""
    size = len(within)
    level = np.trace(within) / size
    within = (1 - _SHRINKAGE) * within + _SHRINKAGE * level * np.eye(size)
    whiten = np.linalg.inv(np.linalg.cholesky(within))
    _, directions = np.linalg.eigh(whiten @ total @ whiten.T)
    matrix: _Matrix = directions[:, ::-1][:, :width].T @ whiten
    return matrix
