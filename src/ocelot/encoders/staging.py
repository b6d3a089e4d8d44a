"""Items onto the device while it still computes."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Staging"]


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
