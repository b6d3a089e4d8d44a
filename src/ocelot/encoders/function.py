"""An encoder from a plain function: for tests, and for your own models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.encoders.base import Encoder

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["FunctionEncoder"]


class FunctionEncoder(Encoder):
    """Calls a function of (RGB image or None, text or None) that returns one vector.

    Examples:
        >>> import numpy as np
        >>> by_length = FunctionEncoder(lambda image, text: [1.0, len(text or "")], dimension=2)
        >>> by_length.encode([(None, "a")]).astype(float).round(2).tolist()
        [[0.71, 0.71]]

    Args:
        function: Deterministic. Its vectors need not have length 1.
        dimension: Length of its vectors.
        name: Also the fingerprint, so two functions need two names.
    """

    def __init__(
        self,
        function: Callable[
            [Image.Image | None, str | None], Sequence[float] | np.ndarray[Any, Any]
        ],
        *,
        dimension: int,
        name: str = "function",
    ) -> None:
        self._function = function
        self.dimension = dimension
        self.name = name
        self.fingerprint = f"function:{name}"

    def embed(self, batch: Sequence[Any]) -> np.ndarray[Any, Any]:
        return np.array([self._function(image, text) for image, text in batch], dtype=np.float32)
