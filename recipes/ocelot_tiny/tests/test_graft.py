"""EfficientNet-Lite0 as a vision tower: folded batch norms, what it sees, what the text reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ocelot.errors import ConfigurationError
from ocelot.model.geometry import ConvolutionConfig
from ocelot.model.mobile import MobileVision
from ocelot.model.visualized_bge import build, normalise
from recipes.ocelot_tiny.graft import (
    LITE0,
    folded,
    grafted,
    published_weights,
    read_pictures,
    tower_weights,
)
from tests.training import made

PHOTOGRAPHS = Path(__file__).parents[3] / "tests/data/photographs"
# Numbers of classes of ImageNet.
CLASSES = {"Granny-Smith": 948, "Bell-Pepper": 945}


@pytest.fixture(scope="module")
def published() -> Mapping[str, Tensor]:
    return published_weights()


def test_a_folded_convolution_does_what_it_and_its_norm_did() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(4, 6, 3, bias=False)
    norm = nn.BatchNorm2d(6, eps=1e-3)
    for value in (norm.weight, norm.bias, norm.running_mean):
        nn.init.normal_(value)
    nn.init.uniform_(norm.running_var, 0.001, 2)
    kernel, bias = folded(convolution.weight, norm.state_dict())
    x = torch.randn(2, 4, 8, 8)
    expected = norm.eval()(convolution(x))
    torch.testing.assert_close(nn.functional.conv2d(x, kernel, bias), expected)


@pytest.mark.parametrize("name", CLASSES)
def test_the_tower_sees_what_imagenet_names(published: Mapping[str, Tensor], name: str) -> None:
    tower = MobileVision(LITE0)
    tower.load_state_dict(tower_weights(published))
    pixels = torch.cat([*read_pictures(PHOTOGRAPHS, 1000, f"*{name}*")])
    assert len(pixels) >= 6
    with torch.no_grad():
        tokens = tower(normalise(pixels))
    assert tokens.shape == (len(pixels), 16, 1280)
    scores = tokens.mean(dim=1) @ published["_fc.weight"].T + published["_fc.bias"]
    right = (scores.topk(5).indices == CLASSES[name]).any(dim=1)
    assert right.float().mean() > 0.6, "among the first five of 1,000"


def test_the_projection_is_the_ridge_regression_of_the_former_tokens(
    published: Mapping[str, Tensor],
) -> None:
    tower = ConvolutionConfig(128, (8, 8, 8, 8), (1, 1, 1, 1))
    initial = made.checkpoint(made.tokenizer(), vision=tower)
    former = build(initial)
    batches = [*read_pictures(PHOTOGRAPHS, 30, "*.jpg")]
    network = grafted(initial, published, batches)
    with torch.no_grad():
        pixels = normalise(torch.cat(batches))
        wanted = former.projection(former.vision(pixels)).flatten(0, 1)
        tokens = network.vision(pixels).flatten(0, 1)
        fitted = network.projection(tokens)
    # The oracle: least squares with a row for each penalised weight; the bias has none.
    penalty = np.sqrt(0.01 * float(tokens.square().sum(dim=0).mean()))
    rows = np.vstack([tokens, penalty * np.eye(1280)])
    rows = np.hstack([rows, np.repeat([1.0, 0.0], [len(tokens), 1280])[:, None]])
    solution, *_ = np.linalg.lstsq(rows, np.vstack([wanted, np.zeros((1280, 16))]), rcond=None)
    expected = tokens.numpy() @ solution[:-1] + solution[-1]
    assert np.abs(fitted.numpy() - expected).max() < 1e-3
    assert network.geometry.text == former.geometry.text


def test_other_weights_and_towers_are_refused(published: Mapping[str, Tensor]) -> None:
    with pytest.raises(ConfigurationError, match="not weights of EfficientNet-Lite0"):
        tower_weights({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)})
    with pytest.raises(ConfigurationError, match="made must have 16 image tokens"):
        grafted(made.checkpoint(made.tokenizer()), published, [])
