"""Several processes that train one network: `torchrun --nproc-per-node N -m ocelot train …`.

Every process makes its own pictures; embeddings are gathered, so that each counts all the
others' as negatives, and gradients are summed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["Team", "join"]


@dataclass(frozen=True)
class Team:
    """This process among those that train together; alone, it is first of one.

    Attributes:
        rank, size: This process's number, and how many there are.
        device: Where it computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process reports and saves."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> tuple[Tensor, slice]:
        """Rows of all processes in the order of their ranks, and which are this one's.

        Shape: rows (n, …), n may differ from process to process. No gradient flows through.
        """
        rows = rows.detach()
        if self.size == 1:
            return rows, slice(0, len(rows))
        counts = [torch.zeros(1, dtype=torch.long, device=rows.device) for _ in range(self.size)]
        dist.all_gather(counts, torch.tensor([len(rows)], device=rows.device))
        lengths = [int(count) for count in counts]
        padded = rows.new_zeros(max(lengths), *rows.shape[1:])
        padded[: len(rows)] = rows
        everyone = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(everyone, padded)
        whole = torch.cat([part[:n] for part, n in zip(everyone, lengths, strict=True)])
        start = sum(lengths[: self.rank])
        return whole, slice(start, start + lengths[self.rank])

    def sum_gradients(self, network: nn.Module) -> None:
        """Add up every parameter's gradient over all processes."""
        if self.size == 1:
            return
        for parameter in network.parameters():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                dist.all_reduce(parameter.grad)

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """The first process goes ahead, to prepare files that the others then find."""
        if not self.first:
            self.wait()
        try:
            yield
        finally:
            if self.first:
                self.wait()


@contextmanager
def join(device: str | None = None) -> Iterator[Team]:
    """Join the processes that torchrun started, or train alone.

    Args:
        device: "cpu", "cuda", "mps"; by default a GPU where there is one. With several
            processes each takes the GPU of its local rank.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Team(0, 1, torch.device(kind))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    place = torch.device(kind, local) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield Team(dist.get_rank(), dist.get_world_size(), place)
    finally:
        dist.destroy_process_group()
