"""The mean of two encoders' weights, against the mean computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint
from recipes.ocelot_tiny.average import average


def test_each_weight_lies_between_the_two(bundled: Checkpoint) -> None:
    other = {name: np.zeros_like(value) for name, value in bundled.state.items()}
    network = average(bundled, replace(bundled, state=other), 0.25, picture_share=0.3)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.from_numpy(bundled.state[name]).float() * 0.75)
    assert network.geometry == replace(bundled.geometry, picture_share=0.3)


def test_encoders_of_another_build_have_no_mean(bundled: Checkpoint) -> None:
    wider = replace(bundled.geometry, text=replace(bundled.geometry.text, width=64))
    with pytest.raises(ConfigurationError, match="not of one build"):
        average(bundled, replace(bundled, geometry=wider), 0.5)
