"""An encoder with an instance part, against the same one without, and the parts put together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ocelot.assets import demo_shop
from ocelot.encoders.openvino.encoder import OpenVINOEncoder
from ocelot.encoders.vista import VistaEncoder
from ocelot.encoders.visualized_bge import VisualizedBGE
from ocelot.errors import CheckpointError, OcelotError
from ocelot.model.checkpoint import read_folder, write_like
from ocelot.model.geometry import InstanceConfig
from ocelot.model.instance import Grouped, with_instance
from ocelot.model.visualized_bge import build
from tests.encoders.copies import copied, load, readings_alone
from tests.training import made

TEXT = "in blue"


@pytest.mark.parametrize("kind", [VisualizedBGE, OpenVINOEncoder])
def test_it_follows_the_reading(
    kind: type[VistaEncoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    whole = load(kind, copied(tmp_path / "a"))
    plain = load(kind, readings_alone(tmp_path / "b", picture_share=None, share_by_words=None))
    instance, width = whole.geometry.instance, plain.dimension
    assert instance is not None and whole.dimension == width + instance.width
    picture = next((demo_shop() / "images").iterdir())
    inputs = [(picture, None), (None, TEXT), (picture, TEXT), (picture, " ")]
    alone, text, both, empty = whole.encode(inputs)
    readings = plain.encode(inputs)
    part = alone[width:] / np.linalg.norm(alone[width:])

    def joined(reading: np.ndarray, length: float) -> np.ndarray:
        return np.append(reading, length * part) / np.hypot(1, length)

    share = whole.geometry.picture_share * whole._part_of_share(
        whole.tokenizer(TEXT, whole.geometry.longest_caption)
    )
    np.testing.assert_allclose(alone, joined(readings[0], instance.weight), atol=2e-6)
    np.testing.assert_allclose(text, joined(readings[1], 0), atol=2e-6)
    np.testing.assert_allclose(both, joined(readings[2], share), atol=2e-6)
    np.testing.assert_allclose(empty, alone, atol=2e-6)


def test_a_tower_of_residual_blocks_can_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    plain = made.checkpoint(made.tokenizer(), convolution=True)
    pictures = torch.rand(40, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 255
    part = InstanceConfig(1, 8, 0.5)
    checkpoint = with_instance(plain, [Grouped([pictures], [n // 2 for n in range(40)])], part)
    folder = write_like(tmp_path / "micro", build(checkpoint), plain)
    shown = next((demo_shop() / "images").iterdir())
    inputs = [(shown, None), (shown, "navy"), (None, "navy")]
    ours, theirs = (load(kind, folder).encode(inputs) for kind in (VisualizedBGE, OpenVINOEncoder))
    assert ours.shape == (3, 16 + 8)
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value"),
    [("block", 99), ("block", 1.5), ("width", 0), ("width", "64"), ("weight", -1), ("weight", "1")],
)
def test_settings_that_make_no_sense_are_refused(name: str, value: object, tmp_path: Path) -> None:
    instance = {"block": 10, "width": 64, "weight": 0.7} | {name: value}
    with pytest.raises(CheckpointError, match=f"instance.{name} was {value!r}"):
        read_folder(copied(tmp_path / "a", instance=instance))


@pytest.mark.parametrize("instance", [{"block": 10}, ["block"], 7])
def test_settings_of_another_form_are_refused(instance: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not describe a network"):
        read_folder(copied(tmp_path / "a", instance=instance))


@pytest.mark.parametrize("kind", [VisualizedBGE, OpenVINOEncoder])
@pytest.mark.parametrize("width", [None, 32])
def test_weights_that_do_not_fit_are_refused(
    kind: type[VistaEncoder], width: int | None, tmp_path: Path
) -> None:
    instance = None if width is None else {"block": 10, "width": width, "weight": 0.7}
    with pytest.raises(OcelotError, match="instance"):
        load(kind, copied(tmp_path / "a", instance=instance))
