"""Steps of a run: in chunks or at once, without a break or resumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ocelot.errors import ConfigurationError
from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.batch import Batch, Query, collate
from ocelot.training.config import OptimiserConfig, TrainConfig
from ocelot.training.distributed import ProcessGroup
from ocelot.training.trainer import Trainer, schedule
from tests.training import made

ALONE = ProcessGroup(0, 1, torch.device("cpu"))

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def words() -> TextTokenizer:
    return made.tokenizer()


def run_of(
    words: TextTokenizer, folder: Path, config: TrainConfig | None = None, **options: Any
) -> Trainer:
    network = made.network(words.tokenizer.get_vocab_size())
    return Trainer(config or made.config(**options), folder, network, "start", ALONE)


def gradients(run: Trainer) -> dict[str, Tensor]:
    named = {"log_scale": run.log_scale, **dict(run.network.named_parameters())}
    return {name: value.grad for name, value in named.items() if value.grad is not None}


def assert_near(one: Mapping[str, Tensor], other: Mapping[str, Tensor], near: float) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, other[name], atol=near, rtol=0, msg=name)


@pytest.mark.parametrize("chunk", [1, 4, 10])
def test_chunks_have_the_gradients_of_the_whole(
    words: TextTokenizer, tmp_path: Path, chunk: int
) -> None:
    batch = made.batch(words)
    runs = [run_of(words, tmp_path, memory=6, chunk=size) for size in (0, chunk)]
    remembered = nn.functional.normalize(torch.randn(6, 16), dim=1)
    for run in runs:
        run.remember(remembered, batch.labels[:6])
    (loss, accuracy), (chunked_loss, chunked_accuracy) = (run.advance(batch) for run in runs)
    torch.testing.assert_close(loss, chunked_loss, atol=1e-5, rtol=0)
    assert accuracy == chunked_accuracy
    whole, chunked = map(gradients, runs)
    assert len(whole) > 40 and max(value.abs().max() for value in whole.values()) > 1e-3
    assert_near(whole, chunked, 1e-5)
    torch.testing.assert_close(runs[0].memory, runs[1].memory)


def test_a_chunk_that_nobody_asks_with(words: TextTokenizer, tmp_path: Path) -> None:
    """Targets in the first chunk, references in the second: the first has no queries."""
    queries = [Query(4 + n, "shirt", n, (n,)) for n in range(4)]
    pixels = 120 + 60 * torch.randn(8, 3, 16, 16)
    batch = collate(pixels, [(n,) for n in range(8)], queries, words)
    whole, chunked = (run_of(words, tmp_path, chunk=size) for size in (0, 4))
    torch.testing.assert_close(whole.advance(batch)[0], chunked.advance(batch)[0])
    assert_near(gradients(whole), gradients(chunked), 1e-5)


def state_of(run: Trainer) -> dict[str, Tensor]:
    """Every tensor that changes."""
    moments = run.optimiser.state_dict()["state"].items()
    return {
        **{f"network.{name}": value for name, value in run.network.state_dict().items()},
        **{f"average.{name}": value for name, value in run.averaged.state_dict().items()},
        **{f"moments.{n}.{name}": value for n, of in moments for name, value in of.items()},
        **run.memory,
        "log_scale": run.log_scale.detach(),
    }


def test_a_resumed_run_is_the_uninterrupted_one(words: TextTokenizer, tmp_path: Path) -> None:
    batches = [made.batch(words, seed) for seed in range(5)]
    options = {"memory": 15, "chunk": 5}
    whole, killed = (run_of(words, tmp_path, **options) for _ in range(2))
    for batch in batches:
        whole.advance(batch)
    for batch in batches[:3]:
        killed.advance(batch)
    killed.save()
    (tmp_path / "state.part").write_bytes(b"a kill while saving leaves this")
    killed.advance(batches[4])  # what was not saved is forgotten
    with torch.no_grad():
        for parameter in (resumed := run_of(words, tmp_path, **options)).network.parameters():
            parameter.zero_()
    resumed.resume()
    assert resumed.step == 3
    for batch in batches[3:]:
        resumed.advance(batch)
    assert resumed.step == whole.step == 5
    assert resumed.learning_rate == whole.learning_rate
    expected = state_of(whole)
    for name, value in state_of(resumed).items():
        assert torch.equal(value, expected[name]), name


def test_without_a_state_a_run_begins(words: TextTokenizer, tmp_path: Path) -> None:
    run = run_of(words, tmp_path)
    run.resume()
    assert run.step == 0


@pytest.mark.parametrize("data", [b"", b"not a state", b"PK\x03\x04", b"\x80\x02."])
def test_a_damaged_state_is_named(words: TextTokenizer, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(data)
    with pytest.raises(ConfigurationError, match=r"state\.pt is damaged: delete it"):
        run_of(words, tmp_path).resume()


def test_a_state_that_cannot_be_written_is_an_os_error(
    words: TextTokenizer, tmp_path: Path
) -> None:
    """A full disk, for one: the command says so in a sentence."""
    (tmp_path / "state.part").mkdir()
    with pytest.raises(OSError):
        run_of(words, tmp_path).save()


def test_half_a_state_and_another_file_are_damaged_states(
    words: TextTokenizer, tmp_path: Path
) -> None:
    run = run_of(words, tmp_path)
    run.save()
    file = tmp_path / "state.pt"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(ConfigurationError, match="damaged"):
        run.resume()
    torch.save(torch.zeros(3), file)
    with pytest.raises(ConfigurationError, match="damaged"):
        run.resume()


def test_another_run_does_not_resume(words: TextTokenizer, tmp_path: Path) -> None:
    run_of(words, tmp_path).save()
    config, network = made.config(), made.network(words.tokenizer.get_vocab_size())
    others = [
        Trainer(config.model_copy(update={"seed": 2}), tmp_path, network, "start", ALONE),
        Trainer(made.config(memory=4), tmp_path, network, "start", ALONE),
        Trainer(config, tmp_path, network, "another start", ALONE),
        Trainer(config, tmp_path, network, "start", ProcessGroup(0, 2, ALONE.device)),
    ]
    for other in others:
        with pytest.raises(ConfigurationError, match="another configuration"):
            other.resume()
    Trainer(config, tmp_path, network, "start", ALONE).resume()


def test_only_the_main_process_saves(words: TextTokenizer, tmp_path: Path) -> None:
    network = made.network(words.tokenizer.get_vocab_size())
    Trainer(made.config(), tmp_path, network, "", ProcessGroup(1, 2, ALONE.device)).save()
    assert list(tmp_path.iterdir()) == []


def test_pictures_are_remembered_as_negatives(words: TextTokenizer, tmp_path: Path) -> None:
    batch = made.batch(words)
    run = run_of(words, tmp_path, memory=20)
    forgetful = run_of(words, tmp_path)
    first, other = run.advance(batch)[0], forgetful.advance(batch)[0]
    assert first == other
    assert torch.equal(run.memory["labels"], batch.labels)
    torch.testing.assert_close(run.memory["embeddings"].norm(dim=1), torch.ones(11))
    unlike = replace(batch, labels=batch.labels + 10, wanted=batch.wanted + 11)
    assert run.advance(unlike)[0] > forgetful.advance(unlike)[0] + 0.1


@pytest.mark.parametrize(("capacity", "kept"), [(0, []), (3, [5, 6, 7]), (5, [3, 4, 5, 6, 7])])
def test_the_last_pictures_are_remembered(
    words: TextTokenizer, tmp_path: Path, capacity: int, kept: list[int]
) -> None:
    run = run_of(words, tmp_path, memory=capacity)
    for numbers in ([1, 2], [3, 4, 5, 6], [7]):
        ids = torch.tensor(numbers)
        run.remember(ids[:, None].float(), ids[:, None])
    assert run.memory["labels"].flatten().tolist() == kept
    assert run.memory["embeddings"].flatten().tolist() == kept


def learn(run: Trainer, batch: Batch, steps: int) -> list[float]:
    return [float(run.advance(batch)[0]) for _ in range(steps)]


@pytest.mark.parametrize("bf16", [False, True])
def test_it_learns_a_batch_by_heart(words: TextTokenizer, tmp_path: Path, bf16: bool) -> None:
    run = run_of(words, tmp_path, steps=40, bf16=bf16, memory=4)
    losses = learn(run, made.batch(words), 40)
    assert losses[-1] < 0.75 * losses[0]
    assert run.memory["embeddings"].dtype == torch.float32


def test_gradients_are_clipped_and_the_temperature_is_bounded(
    words: TextTokenizer, tmp_path: Path
) -> None:
    run = run_of(words, tmp_path, warmup=0)
    with torch.no_grad():
        run.log_scale.fill_(math.log(100.0))
    run.advance(made.batch(words))
    squares = [
        value.grad.square().sum() for value in run.network.parameters() if value.grad is not None
    ]
    assert float(torch.stack(squares).sum().sqrt()) == pytest.approx(1, abs=1e-3)
    assert run.temperature >= 0.01 - 1e-7


def test_the_rate_follows_the_schedule(words: TextTokenizer, tmp_path: Path) -> None:
    run = run_of(words, tmp_path, steps=6, warmup=2, learning_rate=4e-3)
    rates = []
    for _ in range(6):
        run.advance(made.batch(words))
        rates.append(run.learning_rate)
        for group in run.optimiser.param_groups:
            assert group["lr"] == run.learning_rate
    assert rates == [schedule(step, run.config.optimiser) for step in range(6)]


def test_the_vision_tower_may_have_a_smaller_rate(words: TextTokenizer, tmp_path: Path) -> None:
    """AdamW's first step moves a weight that has a gradient by the rate, whatever the gradient."""
    moved = {}
    for share in (1.0, 0.25):
        run = run_of(
            words, tmp_path, steps=5, warmup=0, learning_rate=1e-3, weight_decay=0.0,
            vision_share=share,
        )  # fmt: skip
        before = {name: value.detach().clone() for name, value in run.network.named_parameters()}
        run.advance(made.batch(words))
        for name, value in run.network.named_parameters():
            moved[name, share] = float((value.detach() - before[name]).abs().max())
    for name in before:
        expected = 0.25 if name.startswith("vision.") else 1.0
        assert moved[name, 0.25] == pytest.approx(expected * moved[name, 1.0], rel=0.02), name


def test_schedule_warms_up_and_decays() -> None:
    options = OptimiserConfig(steps=100, learning_rate=1.0, warmup=10)
    rates = [schedule(step, options) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 0.02
    assert schedule(0, OptimiserConfig(steps=3, learning_rate=1.0, warmup=0)) == 1.0


def test_the_schedule_follows_the_time_where_that_ends_first() -> None:
    options = OptimiserConfig(steps=1000, learning_rate=1.0, warmup=10, final=0.1)
    assert schedule(20, options, 1.0) == pytest.approx(0.1)
    assert schedule(20, options, 0.5) == pytest.approx(0.55)
    assert schedule(900, options, 0.5) == schedule(900, options)


def test_the_average_forgets_faster_at_first(words: TextTokenizer, tmp_path: Path) -> None:
    run = run_of(words, tmp_path, average=0.9)
    name, expected = "projection.weight", torch.empty(0)
    for step in range(4):
        run.advance(made.batch(words, step))
        now = run.network.state_dict()[name].clone()
        keep = (1 + step) / (10 + step)
        expected = expected * keep + now * (1 - keep) if step else now
    torch.testing.assert_close(run.averaged.state_dict()[name], expected)
    assert not torch.equal(run.averaged.state_dict()[name], now)
    before = run.averaged.state_dict()[name].clone()
    run.step = 1_000  # the average now takes in a tenth
    run.advance(made.batch(words, 9))
    expected = 0.9 * before + 0.1 * run.network.state_dict()[name]
    torch.testing.assert_close(run.averaged.state_dict()[name], expected)


def test_the_counters_of_batch_norms_are_copied(words: TextTokenizer, tmp_path: Path) -> None:
    network = made.network(words.tokenizer.get_vocab_size(), convolution=True)
    run = Trainer(made.config(), tmp_path, network, "", ALONE)
    for _ in range(3):
        run.advance(made.batch(words))
    state = run.averaged.state_dict()
    counters = [state[name].item() for name in state if name.endswith("num_batches_tracked")]
    assert set(counters) == {3}
