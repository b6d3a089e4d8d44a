"""A micro run: it learns, it can be killed, and it resumes with the same data."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ocelot.errors import ConfigurationError
from ocelot.training.config import (
    DataConfig,
    NetworkConfig,
    OptimiserConfig,
    TrainConfig,
    read_config,
)
from ocelot.training.loop import train
from ocelot.training.optimiser import schedule
from ocelot.training.pictures import augment


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in a fixed order: two runs can be compared to the last bit."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


REPOSITORY = Path(__file__).parents[2]

MICRO = TrainConfig(
    name="micro",
    seed=3,
    network=NetworkConfig(
        image_size=32, vision_widths=(16, 32, 32), vision_depths=(1, 1, 1),
        width=32, hidden=64, layers=2, heads=2, positions=48,
    ),
    data=DataConfig(views=0, vocabulary=900, augmentation=0.5),
    optimiser=OptimiserConfig(
        steps=40, batch=16, learning_rate=4e-3, warmup=5, average=0.8, bf16=False,
        save_every=7, evaluate_every=0,
    ),
)  # fmt: skip


def metrics(folder: Path) -> list[dict[str, str]]:
    with open(folder / "metrics.csv", newline="") as stream:
        return list(csv.DictReader(stream))


def test_it_learns_and_writes_an_encoder_that_loads(tmp_path: Path) -> None:
    from ocelot.encoders import VisualizedBGE

    reports = []
    folder = train(MICRO, tmp_path, progress=reports.append)
    assert [report.step for report in reports] == [20, 40]
    # Chance is 1 in some 30 candidates: a loss of about 3.4.
    assert reports[-1].loss < reports[0].loss < 3.5
    assert [int(row["step"]) for row in metrics(tmp_path)] == [20, 40]
    encoder = VisualizedBGE.load(folder)
    assert encoder.name == "micro"
    vectors = encoder.encode([(None, "a blue kettle"), (None, "leopard phone case")])
    assert vectors.shape == (2, 32)
    assert (vectors[0] != vectors[1]).any()


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    short = replace(MICRO, optimiser=replace(MICRO.optimiser, steps=8, save_every=3))
    tokenizer = tmp_path / "whole" / "tokenizer.json"
    run(short, tmp_path / "whole", stop_after=1)
    (tmp_path / "killed").mkdir()
    (tmp_path / "killed" / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    (tmp_path / "whole" / "state.pt").unlink()
    whole = torch.load(run(short, tmp_path / "whole") / "state.pt", weights_only=True)
    run(short, tmp_path / "killed", stop_after=5)
    (tmp_path / "killed" / "state.part").write_bytes(b"a kill while saving leaves this")
    resumed = torch.load(run(short, tmp_path / "killed") / "state.pt", weights_only=True)
    assert resumed["step"] == whole["step"] == 8
    for name, value in whole["network"].items():
        torch.testing.assert_close(resumed["network"][name], value, msg=name)


def run(config: TrainConfig, folder: Path, **options: int) -> Path:
    train(config, folder, **options)
    return folder


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "state.pt").write_bytes(b"not a state")
    with pytest.raises(ConfigurationError, match=r"state\.pt is damaged"):
        train(MICRO, tmp_path)


def test_batches_of_one_train_with_and_without_a_reference(tmp_path: Path) -> None:
    train(replace(MICRO, optimiser=replace(MICRO.optimiser, steps=12, batch=1)), tmp_path)


def test_another_configuration_does_not_resume(tmp_path: Path) -> None:
    short = replace(MICRO, optimiser=replace(MICRO.optimiser, steps=2, batch=8))
    train(short, tmp_path)
    with pytest.raises(ConfigurationError, match="another configuration"):
        train(replace(short, seed=4), tmp_path)


def test_schedule_warms_up_and_decays() -> None:
    options = OptimiserConfig(steps=100, learning_rate=1.0, warmup=10)
    rates = [schedule(step, options) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.02


def test_augmentation_keeps_shape_and_range_and_does_nothing_at_strength_0() -> None:
    pixels = torch.from_numpy(
        np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), dtype=np.uint8)
    )
    moved = augment(pixels, torch.Generator().manual_seed(0))
    assert moved.shape == pixels.shape
    assert moved.min() >= 0 and moved.max() <= 255
    assert (moved.round() != pixels).any()
    still = augment(pixels, torch.Generator().manual_seed(0), strength=0.0)
    torch.testing.assert_close(still, pixels.float(), atol=0.01, rtol=0)


@pytest.mark.parametrize("file", sorted((REPOSITORY / "configs").glob("*.toml")), ids=str)
def test_the_recipes_can_be_read(file: Path) -> None:
    assert read_config(file).name == "ocelot-tiny"


NETWORK = """
[network]
image_size = 32
vision_widths = [16, 32, 32]
vision_depths = [1, 1, 1]
width = 32
hidden = 64
layers = 2
heads = 2
positions = 48
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[network", "is not TOML"),
        ("[network]\nimage_size = 32", "lacks vision_widths"),
        ("[optimiser]\nspeed = 3", "no setting 'speed'"),
        ("[optimiser]\nlearning_rate = 1e-3", "lacks steps"),
        ("[optimiser]\nsteps = 'ten'", "steps must be a whole number"),
        ("[optimiser]\nsteps = 1\nbatch = 0", "at least 1"),
        ("[optimiser]\nsteps = 1\n[optimizer]", "no setting or section 'optimizer'"),
        ("seed = 'x'\n[optimiser]\nsteps = 1", "seed must be"),
        ("data = 3\n[optimiser]\nsteps = 1", "data must be a section"),
        (NETWORK.replace("[1, 1, 1]", "[1]"), "same length"),
        (NETWORK.replace("heads = 2", "heads = 5"), "multiple of heads"),
        (NETWORK.replace("positions = 48", "positions = 9"), "positions must leave room"),
        (NETWORK.replace("[1, 1, 1]", "[1, 1, true]"), "must be a whole number"),
    ],
)
def test_a_bad_config_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_config(file)
    assert str(file) in str(caught.value)


def test_a_run_can_start_from_a_checkpoint(tmp_path: Path) -> None:
    from ocelot.model.checkpoint import read_folder

    short = replace(MICRO, optimiser=replace(MICRO.optimiser, steps=2, batch=8))
    first = read_folder(train(short, tmp_path / "first"))
    slow = replace(short.optimiser, learning_rate=1e-7)
    second = read_folder(
        train(replace(short, network=None, optimiser=slow), tmp_path / "second", initial=first)
    )
    assert second.geometry == first.geometry
    assert second.tokenizer.tokenizer.to_str() == first.tokenizer.tokenizer.to_str()
    for name in ("projection.weight", "encoder.layers.0.out.weight"):
        torch.testing.assert_close(second.state[name], first.state[name], atol=1e-3, rtol=0)


def test_a_run_needs_a_network_or_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--initial"):
        train(replace(MICRO, network=None), tmp_path)
