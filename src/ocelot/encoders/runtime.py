"""Where and how torch computes: device, number format and batch size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from ocelot.errors import ConfigurationError
from ocelot.model.geometry import Geometry

__all__ = ["DTYPE_NAMES", "best_batch_size", "choose_device", "choose_dtype"]

DTYPE_NAMES = {torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
_CACHE_BYTES = 5 * 2**20  # of a layer's widest values that a CPU's caches hold
_LAYERS_IN_MEMORY = 12  # an image needs at most so many times these bytes of a GPU's memory
_MAX_ON_GPU = 128  # images; more are no faster


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
