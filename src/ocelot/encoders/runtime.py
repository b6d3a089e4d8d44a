"""Where and how a network computes: device, number format, and how many pictures at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ocelot.errors import ConfigurationError
from ocelot.model.checkpoint import Checkpoint, build
from ocelot.model.convolution import ConvolutionConfig, ConvolutionVision
from ocelot.model.packed import can_pack, pack
from ocelot.model.vision import EvaVision
from ocelot.model.visualized_bge import Geometry, Network

__all__ = ["choose_device", "choose_dtype", "for_inference", "pictures_at_once", "short_name"]

_DTYPES = {
    "fp32": torch.float32, "float32": torch.float32,
    "bf16": torch.bfloat16, "bfloat16": torch.bfloat16,
    "fp16": torch.float16, "float16": torch.float16,
}  # fmt: skip
_CACHED = 5 * 2**20  # bytes of a layer's widest values that a processor's caches hold
_LAYERS_HELD = 12  # times these bytes is what a picture needs of a GPU's memory at most


def choose_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, or the best at hand.

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
    if chosen.type == "cuda" and chosen.index is None:  # whatever thread asks, the same one
        chosen = torch.device("cuda", torch.cuda.current_device())
    return chosen


def choose_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The number format asked for; by default (None or "auto") bf16 where `device` has it.

    Raises:
        ConfigurationError: There is no such format.
    """
    if dtype is None or dtype == "auto":
        return torch.bfloat16 if _multiplies_bf16(device) else torch.float32
    if isinstance(dtype, torch.dtype) and dtype in _DTYPES.values():
        return dtype
    if dtype not in _DTYPES:
        raise ConfigurationError(f"The dtype must be fp32, bf16 or fp16, was: {dtype!r}.")
    return _DTYPES[str(dtype)]


def _multiplies_bf16(device: torch.device) -> bool:
    """Whether the hardware itself does; others take longer for it than for fp32."""
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
    """ "fp32", "bf16" or "fp16"."""
    return next(name for name, value in _DTYPES.items() if value is dtype)


def for_inference(checkpoint: Checkpoint, device: torch.device, dtype: torch.dtype) -> Network:
    """The network of a checkpoint on a device: the same function as trained, quicker.

    Raises:
        CheckpointError: Weights and geometry do not fit.
    """
    convolutions = isinstance(checkpoint.geometry.vision, ConvolutionConfig)
    network = build(checkpoint, torch.float32 if convolutions else dtype)  # to round only once
    assert isinstance(network.vision, ConvolutionVision | EvaVision)
    network.vision.fold()
    # By pixel, as convolutions are quicker on that; on mps they are known to go wrong so.
    by_pixel = torch.preserve_format if device.type == "mps" else torch.channels_last
    network.to(device, dtype, memory_format=by_pixel)  # type: ignore[call-overload]
    if device.type == "cpu" and dtype is torch.bfloat16 and can_pack():
        pack(network.vision)
        pack(network.encoder.layers[:-1])  # the last layer takes its weights apart
    return network


def pictures_at_once(geometry: Geometry, device: torch.device, dtype: torch.dtype) -> int:
    """How many pictures the network is quickest with: a power of two.

    A processor is, with as many as its caches hold of a layer; a GPU, with what its memory
    holds, though beyond 256 that gains nothing.
    """
    tokens = geometry.vision.tokens + 2
    one = tokens * max(geometry.text.hidden, geometry.vision.width) * dtype.itemsize
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        fitting, most = free // 2 // (_LAYERS_HELD * one), 256
    else:
        fitting, most = _CACHED // one, 32
    return int(2 ** (max(1, min(most, fitting)).bit_length() - 1))
