"""Linear layers with weights in the memory order of the CPU's matrix product.

Otherwise oneDNN reorders bf16 weights at each call, which takes a tenth of the time or more in a
small batch. torch.compile uses the same operators. They are not public, so a torch without them
keeps its plain layers.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

__all__ = ["PackedLinear", "can_pack", "pack"]


class PackedLinear(nn.Module):
    """`nn.Linear` in bf16 on a CPU; for inference only."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        with torch.no_grad():
            self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.contiguous())
        self._bias = linear.bias
        self.out_features = linear.out_features

    def forward(self, x: Tensor) -> Tensor:
        """Shape: x (…, in) -> (…, out)."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, "none", [], ""
        )
        return out


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
