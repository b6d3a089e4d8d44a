"""Where and how a network computes: device, number format, batch size, and copies to a GPU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.geometry import ConvolutionConfig, Geometry
from ocelot.model.visualized_bge import Network, build

__all__ = [
    "DTYPE_NAMES", "DeviceCopier", "PackedLinear", "best_batch_size", "build_for_inference",
    "can_pack", "choose_device", "choose_dtype", "pack",
]  # fmt: skip

DTYPE_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
_CACHE_BYTES = 5 * 2**20  # of a layer's widest values that a CPU's caches hold
_LAYERS_IN_MEMORY = 12  # an image needs at most so many times these bytes of a GPU's memory
_MAX_ON_GPU = 256  # images; more are no faster


def choose_device(device: str | torch.device | None) -> torch.device:
    """Return a device, by default the best one; `ConfigurationError` if it cannot be used."""
    if device is None:
        usable = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        device = next((name for name, there in usable.items() if there), "cpu")
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
    """Return a number format; by default (None or "auto") bf16 where `device` has it."""
    if dtype is None or dtype == "auto":
        return torch.bfloat16 if _has_bf16(device) else torch.float32
    for known, name in DTYPE_NAMES.items():
        if dtype in (name, known):
            return known
    raise ConfigurationError(f"The dtype must be fp32, bf16 or fp16, was: {dtype!r}.")


def _has_bf16(device: torch.device) -> bool:
    """Return True if the hardware multiplies in bf16; where it is emulated, fp32 is faster."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    if hasattr(torch.cpu, "get_capabilities"):
        found: Mapping[str, Any] = torch.cpu.get_capabilities()
        return any(found.get(name) for name in ("avx512_bf16", "amx_bf16"))
    older = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # torch 2.5
    return any(getattr(torch.cpu, name, bool)() for name in older)


def build_for_inference(
    checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype
) -> Network:
    """Build a checkpoint's network on a device: it computes the same as in training, faster."""
    convolutions = isinstance(checkpoint.geometry.vision, ConvolutionConfig)
    # Folding in fp32 rounds the weights only once.
    network = build(checkpoint, torch.float32 if convolutions else dtype)
    network.vision.fold()
    # Convolutions are faster on channels_last; on mps they are known to go wrong with it.
    memory_format = torch.preserve_format if device.type == "mps" else torch.channels_last
    network.to(device, dtype, memory_format=memory_format)  # type: ignore[call-overload]
    if device.type == "cpu" and dtype is torch.bfloat16 and can_pack():
        pack(network.vision)
        pack(network.encoder.layers[:-1])  # the last layer slices its weights
    return network


class PackedLinear(nn.Module):
    """`nn.Linear` in bf16, with weights in the memory order of the CPU's matrix product.

    Otherwise oneDNN reorders them at each call, which takes a tenth of the time or more in a
    small batch. torch.compile uses the same operators. They are not public, so a torch without
    them keeps its plain layers.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        with torch.no_grad():
            self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.contiguous())
        self._bias = linear.bias
        self.out_features = linear.out_features

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (…, in) -> (…, out)."""
        return torch.ops.mkldnn._linear_pointwise(x, self._weight, self._bias, "none", [], "")


@cache
def can_pack() -> bool:
    """Return True if this torch has the operators and they compute correctly."""
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            linear, x = nn.Linear(64, 32).bfloat16(), torch.ones(2, 64).bfloat16()
            return torch.allclose(PackedLinear(linear)(x), linear(x), atol=0.05)
    except (AttributeError, RuntimeError, TypeError):
        return False


def pack(module: nn.Module) -> None:
    """Replace the linear layers in `module`, whose weights nothing else may use."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, PackedLinear(child))
        else:
            pack(child)


def best_batch_size(geometry: Geometry, device: torch.device, dtype: torch.dtype) -> int:
    """Return how many images the network is fastest with: a power of two.

    On a CPU these are as many as its caches hold of a layer; on a GPU, as its memory holds.
    """
    widest = max(geometry.text.hidden, geometry.vision.width)
    layer = (geometry.vision.tokens + 2) * widest * dtype.itemsize
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
        cuda = device.type == "cuda"
        self._device = device
        self._stream = torch.cuda.Stream(device) if cuda else None  # type: ignore[no-untyped-call]

    def __call__(self, tensor: Tensor) -> Tensor:
        """Return the tensor on the device, ready for the next work of its current stream."""
        if self._stream is None:
            return tensor.to(self._device)
        with torch.cuda.stream(self._stream):
            copied = tensor.pin_memory().to(self._device, non_blocking=True)
        computing = torch.cuda.current_stream(self._device)
        computing.wait_stream(self._stream)
        copied.record_stream(computing)  # only then may its memory be used again
        return copied
