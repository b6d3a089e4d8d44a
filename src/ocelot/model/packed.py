"""Linear layers whose weights lie in memory as the processor's matrix product reads them.

Otherwise oneDNN brings bf16 weights into that order anew at each call, which for the few rows of
a small batch takes a tenth of the time and more. These are the operators that torch.compile uses
for the same; they are not public, so a torch that lacks them keeps its plain layers.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

__all__ = ["PackedLinear", "can_pack", "pack"]


class PackedLinear(nn.Module):
    """`nn.Linear` in bf16 on a processor; for inference alone."""

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
    """Whether this torch has the operators, and they compute what they should."""
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            linear, x = nn.Linear(64, 32).bfloat16(), torch.ones(2, 64).bfloat16()
            return torch.allclose(PackedLinear(linear)(x), linear(x), atol=0.05)
    except (AttributeError, RuntimeError, TypeError):
        return False


def pack(module: nn.Module) -> None:
    """Replace the linear layers below `module`; none of them may be more than called."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, PackedLinear(child))
        else:
            pack(child)
