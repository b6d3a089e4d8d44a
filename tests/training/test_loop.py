"""Micro runs on made photographs: they learn, can be killed, and resume with the same data."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ocelot.encoders import VisualizedBGE
from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import read_folder
from ocelot.training import report
from ocelot.training.config import (
    DataConfig,
    GroupsConfig,
    NetworkConfig,
    OptimiserConfig,
    TrainConfig,
)
from ocelot.training.loop import train
from ocelot.training.photographs import Album
from ocelot.training.pictures import StencilPool

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def micro(photographs: Path) -> TrainConfig:
    return TrainConfig(
        name="micro",
        seed=3,
        network=NetworkConfig(
            image_size=32, vision_widths=(8, 16, 32), vision_depths=(1, 1, 1),
            width=32, hidden=64, layers=2, heads=2, positions=80,
        ),
        data=DataConfig(
            photographs=str(photographs), articles="clothing/", vocabulary=900, stencil_views=1,
            augmentation=0.5,
        ),
        groups=GroupsConfig(recolourings=3, views=3, prints=2, words=4),
        optimiser=OptimiserConfig(
            steps=6, learning_rate=3e-3, warmup=5, average=0.8, memory=20, bf16=False,
            save_every=2, evaluate_every=0,
        ),
    )  # fmt: skip


@pytest.fixture
def prepared(tmp_path: Path, photographs: Path, album: Album, stencils: StencilPool) -> Path:
    """A folder for runs in which photographs and stencils lie ready."""
    folder = tmp_path / "prepared"
    folder.mkdir()
    for name, kept in (("prepared", "photographs"), ("stencils", "stencils")):
        for file in photographs.parent.glob(f"{name}.*"):
            shutil.copy(file, folder / f"{kept}{file.suffix}")
    return folder


def longer(config: TrainConfig, steps: int, **options: int) -> TrainConfig:
    return replace(config, optimiser=replace(config.optimiser, steps=steps, **options))


def test_it_learns_and_writes_an_encoder_that_loads(micro: TrainConfig, tmp_path: Path) -> None:
    (tmp_path / "held_out.txt").write_text("clothing/t-shirt-4.png\ngrocery/4.png\n")
    data = replace(micro.data, held_out=str(tmp_path / "held_out.txt"), augmentation=0.3)
    groups = GroupsConfig(recolourings=2, views=6, prints=1, words=6)
    config = longer(replace(micro, data=data, groups=groups), 40, memory=0, evaluate_every=40)
    reports: list[report.StepReport] = []
    folder = train(config, tmp_path / "run", progress=reports.append, device="cpu")
    assert [line.step for line in reports] == [20, 40]
    # Chance is 1 in some 18 candidates.
    assert reports[-1].loss + 0.15 < reports[0].loss < 3
    assert reports[-1].accuracy > reports[0].accuracy
    assert list(reports[-1].held_out) == ["recolourings", "views", "prints"]
    assert report.read(tmp_path / "run") == reports
    encoder = VisualizedBGE.load(folder, device="cpu")
    assert encoder.name == "micro"
    vectors = encoder.encode([(None, "a blue shirt"), (None, "leopard phone case")])
    assert vectors.shape == (2, 32)
    assert (vectors[0] != vectors[1]).any()


def test_a_killed_run_resumes_to_the_same_weights(
    micro: TrainConfig, prepared: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        shutil.copytree(prepared, folder)
    train(micro, whole, device="cpu")
    train(micro, killed, stop_after=3, device="cpu")
    (killed / "state.part").write_bytes(b"a kill while saving leaves this")
    train(micro, killed, device="cpu")
    expected, resumed = (
        torch.load(folder / "state.pt", weights_only=True) for folder in (whole, killed)
    )
    assert resumed["step"] == expected["step"] == 6
    for part in ("network", "average", "memory"):
        for name, value in expected[part].items():
            torch.testing.assert_close(resumed[part][name], value, rtol=0, atol=0, msg=name)
    assert (whole / "encoder" / "model.safetensors").read_bytes() == (
        killed / "encoder" / "model.safetensors"
    ).read_bytes()


def test_a_run_can_start_from_a_checkpoint_with_other_words_and_pictures(
    micro: TrainConfig, prepared: Path, tmp_path: Path
) -> None:
    (prepared / "stencils.npy").unlink()
    config = replace(longer(micro, 2), groups=GroupsConfig(recolourings=2))
    shutil.copytree(prepared, tmp_path / "first")
    first = read_folder(train(config, tmp_path / "first", device="cpu"))
    slow = replace(config.optimiser, learning_rate=1e-7)
    data = replace(config.data, vocabulary=1000, image_size=48)
    second = replace(config, network=None, data=data, optimiser=slow)
    shutil.copytree(prepared, tmp_path / "second")
    later = read_folder(train(second, tmp_path / "second", initial=first, device="cpu"))
    assert later.geometry.vision.image_size == 48
    assert later.geometry.text.vocabulary == 1000
    assert later.tokenizer.tokenizer.get_vocab_size() == 1000
    for name in ("projection.weight", "encoder.layers.0.out.weight"):
        torch.testing.assert_close(later.state[name], first.state[name], atol=1e-3, rtol=0)
    with pytest.raises(ConfigurationError, match="another configuration"):
        train(config, tmp_path / "second", device="cpu")


def test_what_cannot_be_trained_is_said(micro: TrainConfig, prepared: Path) -> None:
    with pytest.raises(ConfigurationError, match="--initial"):
        train(replace(micro, network=None), prepared, device="cpu")
    (prepared / "state.pt").write_bytes(b"not a state")
    with pytest.raises(ConfigurationError, match=r"state\.pt is damaged"):
        train(micro, prepared, device="cpu")


def test_articles_that_are_not_there_are_missed(
    micro: TrainConfig, photographs: Path, tmp_path: Path
) -> None:
    data = replace(micro.data, photographs=str(photographs), articles="shoes/")
    with pytest.raises(ConfigurationError, match="cut out"):
        train(replace(micro, data=data), tmp_path, device="cpu")
