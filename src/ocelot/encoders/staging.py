"""Items into chunks that waste little padding, and onto the device while it still computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

__all__ = ["Staging", "chunks"]

_SPARE = 64  # tokens of padding that are never worth another run


def chunks(lengths: Sequence[int], *, items: int, tokens: int) -> Iterator[list[int]]:
    """Places of rows that are to run together, the longest first.

    >>> list(chunks([300, 9, 310, 8, 7], items=32, tokens=4096))
    [[2, 0], [1, 3, 4]]

    Args:
        lengths: Tokens of each row.
        items: Rows of one chunk at most.
        tokens: Tokens of one chunk at most, padding included; a longer row is alone.
    """
    chunk: list[int] = []
    used = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        longest = lengths[chunk[0]] if chunk else lengths[place]
        taken, used = longest * (len(chunk) + 1), used + lengths[place]
        if chunk and (
            len(chunk) == items or taken > tokens or taken - used > max(_SPARE, taken // 4)
        ):
            yield chunk
            chunk, used = [], lengths[place]
        chunk.append(place)
    if chunk:
        yield chunk


def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


class Staging:
    """Brings tensors to a device: to a GPU from pinned memory, on a stream of its own.

    So the copies of one chunk run while the chunk before it is computed, and nothing here waits
    for the GPU. On other devices it is a plain copy.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._copies = _stream(device) if device.type == "cuda" else None

    def move(self, *tensors: Tensor | None) -> list[Tensor | None]:
        """The tensors on the device, ready for what its current stream does next."""
        if self._copies is None:
            return [None if tensor is None else tensor.to(self._device) for tensor in tensors]
        with torch.cuda.stream(self._copies):
            moved = [
                None if tensor is None else tensor.pin_memory().to(self._device, non_blocking=True)
                for tensor in tensors
            ]
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._copies)
        for tensor in moved:
            if tensor is not None:
                tensor.record_stream(computing)  # its memory is not for the next copy before that
        return moved
