"""Short runs on made pictures: they learn, can be killed, and resume with the same data."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from ocelot.encoders import VisualizedBGE
from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import read_folder
from ocelot.model.tokenizer import TextTokenizer
from ocelot.training import report
from ocelot.training.batch import Batch, Query, collate
from ocelot.training.config import DataConfig, NetworkConfig, OptimiserConfig, TrainConfig
from ocelot.training.distributed import ProcessGroup
from ocelot.training.loop import train

pytestmark = pytest.mark.usefixtures("one_thread")

COLOURS = {"red": 0, "green": 1, "blue": 2}


class Squares:
    """A `BatchSource` of squares with a band; each is asked for in every colour."""

    fingerprint = "squares"

    def texts(self) -> Iterable[str]:
        return [f"the same in {colour}" for colour in COLOURS]

    def further_words(self) -> Iterable[str]:
        return ["never trained on"]

    def open(self, size: int, tokenizer: TextTokenizer, group: ProcessGroup) -> None:
        self.size, self.tokenizer = size, tokenizer

    def batch(self, step: int, rank: int) -> Batch:
        rng = random.Random(f"{step}/{rank}")
        generator = torch.Generator().manual_seed(rng.getrandbits(60))
        pixels = 60 * torch.rand(12, 3, self.size, self.size, generator=generator)
        labels = [(number // 3, number % 3) for number in range(12)]
        for number, (item, colour) in enumerate(labels):
            pixels[number, colour] += 150
            pixels[number, :, item * self.size // 4 : (item + 1) * self.size // 4] = 255
        queries = [
            Query((number // 3) * 3 + rng.randrange(3), f"the same in {name}", number, label)
            for number, label in enumerate(labels)
            for name, colour in COLOURS.items()
            if colour == label[1]
        ]
        return collate(pixels, labels, queries, self.tokenizer)

    def held_out(self) -> Mapping[str, Batch]:
        return {"squares": self.batch(-1, 0)}


@pytest.fixture
def micro() -> TrainConfig:
    return TrainConfig(
        name="micro",
        seed=3,
        network=NetworkConfig(
            image_size=16, vision_widths=(8, 16), vision_depths=(1, 1),
            width=32, hidden=64, layers=2, heads=2, positions=80,
        ),
        data=DataConfig(vocabulary=400),
        optimiser=OptimiserConfig(
            steps=6, learning_rate=3e-3, warmup=5, average=0.8, memory=20, bf16=False,
            save_every=2, evaluate_every=0,
        ),
    )  # fmt: skip


def with_optimiser(config: TrainConfig, **options: float) -> TrainConfig:
    optimiser = config.optimiser.model_copy(update=options)
    return config.model_copy(update={"optimiser": optimiser})


def test_it_learns_and_writes_an_encoder_that_loads(micro: TrainConfig, tmp_path: Path) -> None:
    config = with_optimiser(micro, steps=40, memory=0, evaluate_every=40, learning_rate=5e-3)
    reports: list[report.StepReport] = []
    folder = train(config, Squares(), tmp_path / "run", progress=reports.append, device="cpu")
    assert [line.step for line in reports] == [20, 40]
    assert reports[-1].loss + 0.15 < reports[0].loss < 3
    assert reports[-1].accuracy > reports[0].accuracy
    # By chance one query in 11 finds its target.
    assert list(reports[-1].held_out) == ["squares"] and reports[-1].held_out["squares"] > 0.2
    assert report.read(tmp_path / "run") == reports
    assert (tmp_path / "run" / "metrics.png").is_file()
    encoder = VisualizedBGE.load(folder, device="cpu")
    assert encoder.name == "micro"
    vectors = encoder.encode([(None, "in blue"), (None, "in red")])
    assert vectors.shape == (2, 32)
    assert (vectors[0] != vectors[1]).any()


def test_a_killed_run_resumes_to_the_same_weights(micro: TrainConfig, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    train(micro, Squares(), whole, device="cpu")
    train(with_optimiser(micro, stop=3), Squares(), killed, device="cpu")
    (killed / "state.part").write_bytes(b"a kill while saving leaves this")
    train(micro, Squares(), killed, device="cpu")
    expected, resumed = (
        torch.load(folder / "state.pt", weights_only=True) for folder in (whole, killed)
    )
    assert resumed["step"] == expected["step"] == 6
    for part in ("network", "averaged", "memory"):
        for name, value in expected[part].items():
            torch.testing.assert_close(resumed[part][name], value, rtol=0, atol=0, msg=name)
    assert (whole / "encoder" / "model.safetensors").read_bytes() == (
        killed / "encoder" / "model.safetensors"
    ).read_bytes()


def test_a_run_can_start_from_a_checkpoint_with_other_words_and_pictures(
    micro: TrainConfig, tmp_path: Path
) -> None:
    config = with_optimiser(micro, steps=1)
    first = read_folder(train(config, Squares(), tmp_path / "first", device="cpu"))
    data = config.data.model_copy(update={"vocabulary": 172, "image_size": 32})
    slow = with_optimiser(config, learning_rate=1e-7)
    second = slow.model_copy(update={"network": None, "data": data})
    written = train(second, Squares(), tmp_path / "second", initial=first, device="cpu")
    later = read_folder(written)
    assert later.geometry.vision.image_size == 32
    assert later.geometry.text.vocabulary == later.tokenizer.tokenizer.get_vocab_size() == 172
    assert first.geometry.text.vocabulary > 172
    assert first.words == later.words == {"the", "same", "in", *COLOURS}
    for name in ("projection.weight", "encoder.layers.0.out.weight"):
        np.testing.assert_allclose(later.state[name], first.state[name], atol=1e-3)
    with pytest.raises(ConfigurationError, match="another configuration"):
        train(config, Squares(), tmp_path / "second", device="cpu")


def test_what_cannot_be_trained_is_refused(micro: TrainConfig, tmp_path: Path) -> None:
    bare = micro.model_copy(update={"network": None})
    with pytest.raises(ConfigurationError, match="--initial"):
        train(bare, Squares(), tmp_path, device="cpu")
    small = micro.model_copy(update={"data": DataConfig(vocabulary=9)})
    with pytest.raises(ConfigurationError, match=r"\[data\] vocabulary"):
        train(small, Squares(), tmp_path, device="cpu")
    (tmp_path / "state.pt").write_bytes(b"not a state")
    with pytest.raises(ConfigurationError, match=r"state\.pt is damaged"):
        train(micro, Squares(), tmp_path, device="cpu")


def test_the_best_state_is_kept(
    micro: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = with_optimiser(micro, evaluate_every=2)
    best = train(with_optimiser(config, stop=4), Squares(), tmp_path / "best", device="cpu")
    recalls = iter([0.2, 0.7, 0.5])
    monkeypatch.setattr("ocelot.training.loop.recall", lambda network, batch: next(recalls))
    kept = train(with_optimiser(config, keep_best=True), Squares(), tmp_path / "kept", device="cpu")
    assert next(recalls, None) is None  # the run went on to its end
    last = torch.load(tmp_path / "kept" / "state.pt", weights_only=True)
    assert (last["step"], last["best"]) == (6, 0.7)
    weights = [read_folder(folder).state["projection.weight"] for folder in (best, kept)]
    np.testing.assert_array_equal(*weights)


def test_a_run_may_end_by_time(micro: TrainConfig, tmp_path: Path) -> None:
    reports: list[report.StepReport] = []
    config = with_optimiser(micro, steps=10**6, evaluate_every=500, minutes=0.001)
    train(config, Squares(), tmp_path, progress=reports.append, device="cpu")
    assert reports[-1].held_out and reports[-1].seconds_left == 0  # measured at its end
    assert 0.001 <= reports[-1].minutes < 1
    ended = torch.load(tmp_path / "state.pt", weights_only=True)["step"]
    assert ended == reports[-1].step < 10**5
    train(config, Squares(), tmp_path, progress=reports.append, device="cpu")
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == ended  # it is done
