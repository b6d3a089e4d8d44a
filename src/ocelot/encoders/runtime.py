"""Where and how a network computes: device, number format, batch size, and copies to a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint, build
from ocelot.model.convolution import ConvolutionVision
from ocelot.model.geometry import ConvolutionConfig, Geometry
from ocelot.model.packed import can_pack, pack
from ocelot.model.vision import EvaVision
from ocelot.model.visualized_bge import Network

__all__ = [
    "DeviceCopier", "best_batch_size", "build_for_inference", "choose_device", "choose_dtype",
    "short_name",
]  # fmt: skip

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_CACHE_BYTES = 5 * 2**20  # of a layer's widest values that a CPU's caches hold
_LAYERS_IN_MEMORY = 12  # an image needs at most so many times these bytes of a GPU's memory
_MAX_ON_GPU = 256  # images; more are no faster


def choose_device(device: str | torch.device | None) -> torch.device:
    """Return the device asked for, or the best one there is.

    Raises:
        ConfigurationError: It cannot be used here.
    """
    if device is None:
        best = "cuda" if torch.cuda.is_available() else "cpu"
        device = "mps" if best == "cpu" and torch.backends.mps.is_available() else best
    try:
        chosen = torch.device(device)
        torch.ones(1, device=chosen).tolist()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(
            f"The device {str(device)!r} cannot be used here "
            f"({str(error).splitlines()[0][:120]}): try cpu."
        ) from None
    if chosen.type == "cuda" and chosen.index is None:  # the same one for every thread
        chosen = torch.device("cuda", torch.cuda.current_device())
    return chosen


def choose_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """Return the number format asked for; by default (None or "auto") bf16 where `device` has it.

    Raises:
        ConfigurationError: There is no such format.
    """
    if dtype is None or dtype == "auto":
        return torch.bfloat16 if _has_bf16(device) else torch.float32
    for name, known in _DTYPES.items():
        if dtype in (name, known):
            return known
    raise ConfigurationError(f"The dtype must be fp32, bf16 or fp16, was: {dtype!r}.")


def _has_bf16(device: torch.device) -> bool:
    """Return True if the hardware multiplies in bf16; where it is emulated, fp32 is faster."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        if hasattr(torch.cpu, "get_capabilities"):
            found: Mapping[str, Any] = torch.cpu.get_capabilities()
            return any(found.get(name) for name in ("avx512_bf16", "amx_bf16"))
        older = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(getattr(torch.cpu, name, bool)() for name in older)
    return False


def short_name(dtype: torch.dtype) -> str:
    """Return "fp32", "bf16" or "fp16"."""
    return next(name for name, value in _DTYPES.items() if value is dtype)


def build_for_inference(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
) -> Network:
    """Build a checkpoint's network on a device: it computes the same as in training, faster.

    Raises:
        CheckpointError: Weights and geometry do not fit.
    """
    convolutions = isinstance(checkpoint.geometry.vision, ConvolutionConfig)
    # Folding in fp32 rounds the weights only once.
    network = build(checkpoint, torch.float32 if convolutions else dtype)
    assert isinstance(network.vision, ConvolutionVision | EvaVision)
    network.vision.fold()
    # Convolutions are faster on channels_last; on mps they are known to go wrong with it.
    memory_format = torch.preserve_format if device.type == "mps" else torch.channels_last
    network.to(device, dtype, memory_format=memory_format)  # type: ignore[call-overload]
    if device.type == "cpu" and dtype is torch.bfloat16 and can_pack():
        pack(network.vision)
        pack(network.encoder.layers[:-1])  # the last layer slices its weights
    return network


def best_batch_size(geometry: Geometry, device: torch.device, dtype: torch.dtype) -> int:
    """Return how many images the network is fastest with: a power of two.

    On a CPU these are as many as its caches hold of a layer; on a GPU, as its memory holds.
    """
    tokens = geometry.vision.tokens + 2
    layer = tokens * max(geometry.text.hidden, geometry.vision.width) * dtype.itemsize
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        fitting, most = free // 2 // (_LAYERS_IN_MEMORY * layer), _MAX_ON_GPU
    else:
        fitting, most = _CACHE_BYTES // layer, 32
    return int(2 ** (max(1, min(most, fitting)).bit_length() - 1))


class DeviceCopier:
    """Copies tensors to a device; to a GPU from pinned memory, on a stream of its own.

    One chunk is copied while the chunk before it is computed, and nothing waits for the GPU.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = (
            torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            if device.type == "cuda"
            else None
        )

    def copy(self, *tensors: Tensor | None) -> list[Tensor | None]:
        """Return the tensors on the device, ready for the next work of its current stream."""
        if self._stream is None:
            return [None if tensor is None else tensor.to(self._device) for tensor in tensors]
        with torch.cuda.stream(self._stream):
            copies = [
                None if tensor is None else tensor.pin_memory().to(self._device, non_blocking=True)
                for tensor in tensors
            ]
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._stream)
        for tensor in copies:
            if tensor is not None:
                tensor.record_stream(computing)  # only then may its memory be used again
        return copies
