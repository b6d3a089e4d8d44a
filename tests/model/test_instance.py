"""The fit of the instance part, against random directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.geometry import ConvolutionConfig, InstanceConfig
from ocelot.model.instance import Grouped, default_part, with_instance
from ocelot.model.visualized_bge import Network, build, normalise
from tests.training import made

PART = InstanceConfig(block=2, width=3, weight=0.5)


def checkpoint() -> Checkpoint:
    return made.checkpoint(made.tokenizer(), "micro", vision=made.MOBILE)


def fitted(*sets: Grouped, part: InstanceConfig = PART) -> Network:
    return build(with_instance(checkpoint(), sets, part))


def pictures(count: int, seed: int) -> torch.Tensor:
    """Of a group of two each: one pattern, in two colours."""
    draw = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count // 2, 1, 4, 4, generator=draw).repeat_interleave(2, dim=0)
    patterns = torch.nn.functional.interpolate(coarse, size=(16, 16), mode="bilinear")
    return 255 * patterns * torch.rand(count, 3, 1, 1, generator=draw)


def test_no_other_direction_tells_groups_apart_better() -> None:
    shown, groups = pictures(60, 0), [n // 2 for n in range(60)]
    network = fitted(Grouped(shown.split(16), groups))
    with torch.inference_mode():
        _, means = network.vision.tokens_and_mean(normalise(shown), PART.block)
        own = network.instance(means).numpy()
    rows, matrix = means.double().numpy(), network.instance.weight.double().numpy()
    assert np.abs(own.mean(axis=0)).max() < 1e-3
    # Two pictures of a group differ by a deviation of 1 along each direction, but for 3 %.
    halves = (rows[::2] - rows[1::2]) / np.sqrt(2)
    within = halves.T @ halves / len(halves)
    within = 0.97 * within + 0.03 * np.trace(within) / len(within) * np.eye(len(within))
    np.testing.assert_allclose(matrix @ within @ matrix.T, np.eye(3), atol=1e-3)
    total = np.cov(rows, rowvar=False)
    ratios = np.diag(matrix @ total @ matrix.T)
    assert (np.diff(ratios) < 0).all()
    others = np.random.default_rng(0).normal(size=(2000, len(total)))
    found = ((others @ total) * others).sum(axis=1) / ((others @ within) * others).sum(axis=1)
    assert ratios[0] > found.max()


def test_a_vector_has_a_reading_and_a_part_of_length_1() -> None:
    network = fitted(Grouped([pictures(60, 1)], [n // 2 for n in range(60)]))
    ids = torch.tensor([[2, 3]]).expand(4, -1)
    with torch.inference_mode():
        vectors, words = network(normalise(pictures(4, 2)), ids, None), network(None, ids, None)
    assert vectors.shape == words.shape == (4, 16 + 3)
    for one in (vectors[:, :16], vectors[:, 16:], words[:, :16]):
        torch.testing.assert_close(one.norm(dim=1), torch.ones(4))
    assert not words[:, 16:].any()


def test_sets_count_equally_however_large() -> None:
    first, second = pictures(60, 3), pictures(40, 4)
    groups = [n // 2 for n in range(60)]
    once = fitted(Grouped([first], groups), Grouped([second], groups[:40]))
    far = [*groups, *(n + 100 for n in groups)]
    again = fitted(Grouped([first, first], far), Grouped([second], groups[:40]))
    one, other = once.instance.weight, again.instance.weight
    assert torch.allclose(one.abs(), other.abs(), rtol=0.05, atol=0.05)


def test_a_part_is_fitted_anew() -> None:
    sets = [Grouped([pictures(60, 0)], [n // 2 for n in range(60)])]
    once = with_instance(checkpoint(), sets, PART)
    again = with_instance(once, sets, PART)
    assert (again.state["instance.weight"] == once.state["instance.weight"]).all()


def test_towers_of_convolutions_can_have_one() -> None:
    assert default_part(made.EVA) is None
    assert default_part(made.MOBILE) == InstanceConfig(3, 6, 0.7)
    assert default_part(ConvolutionConfig(16, (8, 96), (1, 2))) == InstanceConfig(2, 64, 0.7)


@pytest.mark.parametrize(
    ("groups", "part", "message"),
    [
        ([None] * 4, PART, "no two pictures of the same"),
        ([0, 0, 1, 1], replace(PART, block=9), "micro cannot have this part: instance.block was 9"),
        ([0, 0, 1, 1], replace(PART, block=-1), "instance.block was -1"),
        ([0, 0, 1, 1], replace(PART, width=7), "instance.width was 7"),
        ([0, 0, 1, 1], replace(PART, weight=0), "instance.weight was 0"),
    ],
)
def test_what_cannot_be_fitted_is_said(
    groups: list[int | None], part: InstanceConfig, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        fitted(Grouped([pictures(4, 5)], groups), part=part)
