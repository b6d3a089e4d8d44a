"""Two processes on this machine train as one that has the data of both."""

from __future__ import annotations

import multiprocessing
import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ocelot.training.batch import Batch
from ocelot.training.distributed import ProcessGroup, process_group
from ocelot.training.trainer import Trainer
from tests.training import made

OPTIONS: dict[str, Any] = {"memory": 30}
SIZES = (11, 8)  # pictures of each process


def batches(step: int) -> list[Batch]:
    words = made.tokenizer()
    return [made.batch(words, 10 * step + n, pictures) for n, pictures in enumerate(SIZES)]


def joined(batches: list[Batch]) -> Batch:
    """All as one batch."""
    first = [sum(SIZES[:number]) for number in range(len(batches))]
    longest = max(batch.ids.shape[1] for batch in batches)

    def padded(rows: Tensor) -> Tensor:
        return torch.nn.functional.pad(rows, (0, longest - rows.shape[1]))

    def moved(numbers: Tensor, start: int) -> Tensor:
        return torch.where(numbers >= 0, numbers + start, numbers)

    pairs = list(zip(batches, first, strict=True))
    return Batch(
        pixels=torch.cat([batch.pixels for batch in batches]),
        labels=torch.cat([batch.labels for batch in batches]),
        references=torch.cat([moved(batch.references, start) for batch, start in pairs]),
        targets=torch.cat([moved(batch.targets, start) for batch, start in pairs]),
        wanted=torch.cat([batch.wanted for batch in batches]),
        ids=torch.cat([padded(batch.ids) for batch in batches]),
        mask=torch.cat([padded(batch.mask) for batch in batches]),
        empty=batches[0].empty,
    )


def new_trainer(folder: Path, group: ProcessGroup) -> Trainer:
    vocabulary = made.tokenizer().tokenizer.get_vocab_size()
    return Trainer(made.config(**OPTIONS), folder, made.network(vocabulary), "", group)


def told(trainer: Trainer, batch: Batch) -> dict[str, Any]:
    """What one step did."""
    loss, accuracy = trainer.advance(batch)
    return {
        "loss": loss,
        "accuracy": accuracy,
        "gradients": {name: p.grad for name, p in trainer.network.named_parameters()},
        "weights": {name: p.detach().clone() for name, p in trainer.network.named_parameters()},
        "log_scale": trainer.log_scale.detach().clone(),
        "memory": [rows.clone() for rows in trainer.memory.values()],
    }


def worker(rank: int, port: int, folder: Path) -> None:
    """One of the processes that torchrun would start."""
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    torch.set_num_threads(1)
    with process_group("cpu") as group:
        rows = torch.arange(SIZES[rank])[:, None] + 100 * rank
        gathered, mine = group.gather(rows)
        trainer = new_trainer(folder, group)
        steps = [told(trainer, batches(step)[rank]) for step in range(2)]
        trainer.save()
        group.barrier()
        saved = sorted(file.name for file in folder.glob("state*"))
        result = {
            "group": (group.rank, group.size, group.is_main),
            "gathered": gathered,
            "mine": (mine.start, mine.stop),
            "steps": steps,
            "saved": saved,
        }
        torch.save(result, folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes saw."""
    folder = tmp_path_factory.mktemp("group")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=worker, args=(rank, port, folder)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_each_process_has_its_place(results: list[dict[str, Any]]) -> None:
    assert [result["group"] for result in results] == [(0, 2, True), (1, 2, False)]
    assert [result["saved"] for result in results] == [["state.pt"], ["state.pt"]]


def test_rows_are_gathered_in_the_order_of_ranks(results: list[dict[str, Any]]) -> None:
    expected = [*range(11), *range(100, 108)]
    assert [result["gathered"][:, 0].tolist() for result in results] == [expected, expected]
    assert [result["mine"] for result in results] == [(0, 11), (11, 19)]


def test_processes_stay_equal(results: list[dict[str, Any]]) -> None:
    for one, other in zip(*(result["steps"] for result in results), strict=True):
        assert one["loss"] == other["loss"] and one["accuracy"] == other["accuracy"]
        assert one["log_scale"] == other["log_scale"]
        for kept, theirs in zip(one["memory"], other["memory"], strict=True):
            assert torch.equal(kept, theirs)
        for name, value in one["weights"].items():
            assert torch.equal(value, other["weights"][name]), name


def test_the_team_does_what_one_process_does(
    results: list[dict[str, Any]], tmp_path: Path, one_thread: None
) -> None:
    trainer = new_trainer(tmp_path, ProcessGroup(0, 1, torch.device("cpu")))
    alone = told(trainer, joined(batches(0)))
    group = results[1]["steps"][0]
    assert float(group["loss"]) == pytest.approx(float(alone["loss"]), abs=1e-5)
    assert group["accuracy"] == alone["accuracy"]
    assert max(value.abs().max() for value in alone["gradients"].values()) > 1e-2
    for name, value in alone["gradients"].items():
        torch.testing.assert_close(group["gradients"][name], value, atol=1e-5, rtol=0, msg=name)
    torch.testing.assert_close(group["log_scale"], alone["log_scale"])
    assert torch.equal(group["memory"][1], alone["memory"][1])


def test_a_process_alone_is_first_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group("cpu") as group:
        assert (group.rank, group.size, group.is_main) == (0, 1, True)
        assert group.device == torch.device("cpu")
        rows = torch.ones(3, 2, requires_grad=True)
        gathered, mine = group.gather(rows)
        assert torch.equal(gathered, rows) and not gathered.requires_grad
        assert mine == slice(0, 3)
        group.barrier()
