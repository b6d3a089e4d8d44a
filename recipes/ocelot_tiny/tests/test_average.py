"""The mean of two encoders' weights, against the mean computed by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.instance import without_instance
from recipes.ocelot_tiny.average import average


@pytest.fixture
def leg(bundled: Checkpoint) -> Checkpoint:
    """The bundled encoder before its instance part was fitted."""
    return without_instance(bundled)


def test_each_weight_lies_between_the_two(leg: Checkpoint) -> None:
    other = {name: np.zeros_like(value) for name, value in leg.state.items()}
    network = average(leg, replace(leg, state=other), 0.25, picture_share=0.3)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value, torch.from_numpy(leg.state[name]).float() * 0.75)
    assert network.geometry == replace(leg.geometry, picture_share=0.3)


def test_encoders_of_another_build_have_no_mean(leg: Checkpoint, bundled: Checkpoint) -> None:
    wider = replace(leg.geometry, text=replace(leg.geometry.text, width=64))
    with pytest.raises(ConfigurationError, match="not of one build"):
        average(leg, replace(leg, geometry=wider), 0.5)
    with pytest.raises(ConfigurationError, match="An instance part has no mean"):
        average(leg, bundled, 0.5)
