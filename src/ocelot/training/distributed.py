"""Several processes that train one network: `torchrun --nproc-per-node N -m ocelot train …`.

Each process has its own batches. Embeddings are gathered, so that the pictures of all processes
are negatives for every query, and gradients are summed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["ProcessGroup", "process_group"]


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train together, seen from this one.

    Attributes:
        rank: Number of this process, from 0.
        size: Number of processes.
        device: Where this process computes.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """Whether this process reports and saves."""
        return self.rank == 0

    def gather(self, rows: Tensor) -> tuple[Tensor, slice]:
        """Return the rows of all processes, in the order of ranks, and the slice of this one's.

        Shape: rows (n, …); n may differ from process to process. No gradient flows through.
        """
        rows = rows.detach()
        if self.size == 1:
            return rows, slice(0, len(rows))
        count = torch.tensor([len(rows)], device=rows.device)
        counts = [torch.empty_like(count) for _ in range(self.size)]
        dist.all_gather(counts, count)
        lengths = [int(count) for count in counts]
        padded = rows.new_zeros(max(lengths), *rows.shape[1:])
        padded[: len(rows)] = rows
        gathered = [torch.empty_like(padded) for _ in range(self.size)]
        dist.all_gather(gathered, padded)
        whole = torch.cat([part[:n] for part, n in zip(gathered, lengths, strict=True)])
        start = sum(lengths[: self.rank])
        return whole, slice(start, start + lengths[self.rank])

    def sum_gradients(self, network: nn.Module) -> None:
        """Add up the gradients of every parameter over all processes."""
        if self.size == 1:
            return
        for parameter in filter(lambda one: one.requires_grad, network.parameters()):
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)

    def agree(self, number: float) -> float:
        """Return the number of the first process."""
        if self.size == 1:
            return number
        value = torch.tensor([number], dtype=torch.float64, device=self.device)
        dist.broadcast(value, 0)
        return float(value)

    def barrier(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def process_group(device: str | None = None) -> Iterator[ProcessGroup]:
    """Join the processes that torchrun has started, or train alone.

    Args:
        device: "cpu", "cuda" or "mps"; by default a GPU if there is one. With several processes
            each takes the GPU of its local rank.
    """
    kind = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ProcessGroup(0, 1, torch.device(kind))
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    place = torch.device(kind, local) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(place)
    dist.init_process_group("nccl" if kind == "cuda" else "gloo")
    try:
        yield ProcessGroup(dist.get_rank(), dist.get_world_size(), place)
    finally:
        dist.destroy_process_group()
