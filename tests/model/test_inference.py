"""Changes of a network for speed do not change what it computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ocelot.encoders.runtime import PackedLinear, build_for_inference, can_pack, pack
from ocelot.encoders.weights import load_checkpoint
from ocelot.model.attention import attend
from ocelot.model.visualized_bge import build

CPU = torch.device("cpu")


@torch.inference_mode()
def test_a_folded_tower_computes_the_same() -> None:
    checkpoint = load_checkpoint("ocelot-tiny")
    pixels = torch.rand(3, 3, 128, 128, generator=torch.Generator().manual_seed(0)) * 4 - 2
    ids = torch.tensor([[2, 9, 3]] * 3)
    plain, folded = build(checkpoint), build_for_inference(checkpoint, CPU, torch.float32)
    assert not [part for part in folded.modules() if isinstance(part, nn.BatchNorm2d)]
    assert (folded(pixels, ids, None) - plain(pixels, ids, None)).abs().max() < 1e-5


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_is_a_softmax_of_products(dtype: torch.dtype, masked: bool) -> None:
    generator = np.random.default_rng(0)
    q, k, v = (generator.normal(size=(2, 3, rows, 8)) for rows in (4, 9, 9))
    mask = np.ones((2, 1, 1, 9), dtype=bool)
    if masked:
        mask[1, ..., 5:] = False
    scores = np.where(mask, q @ k.swapaxes(-1, -2) / 8**0.5, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    expected = weights / weights.sum(-1, keepdims=True) @ v
    given = (torch.from_numpy(x).to(dtype) for x in (q, k, v))
    found = attend(*given, torch.from_numpy(mask) if masked else None)
    assert found.dtype is dtype
    tolerance = 1e-5 if dtype is torch.float32 else 0.04
    np.testing.assert_allclose(found.double().numpy(), expected, atol=tolerance)


@pytest.mark.skipif(not can_pack(), reason="this torch has no packed products")
@torch.inference_mode()
def test_packed_layers_compute_the_same() -> None:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(96, 192), nn.Sequential(nn.GELU(), nn.Linear(192, 32, False)))
    packed = nn.Sequential(nn.Linear(96, 192), nn.Sequential(nn.GELU(), nn.Linear(192, 32, False)))
    packed.load_state_dict(plain.state_dict())
    packed.bfloat16()
    pack(packed)
    assert sum(isinstance(part, PackedLinear) for part in packed.modules()) == 2
    for shape in [(1, 96), (5, 96), (2, 7, 96)]:
        x = torch.randn(shape)
        found = packed(x.bfloat16())
        assert found.shape == (*shape[:-1], 32)
        assert (found.float() - plain(x)).abs().max() < 0.02


def test_looking_for_packed_products_draws_no_random_numbers() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    can_pack.cache_clear()
    can_pack()
    assert torch.equal(torch.rand(4), expected)
