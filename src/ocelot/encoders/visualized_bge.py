"""The Visualized BGE encoder: published checkpoints, Ocelot's own, and the bundled one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ocelot.encoder import Encoder, Matrix
from ocelot.encoders.weights import resolve
from ocelot.errors import ConfigurationError, EncoderError
from ocelot.images import load_image
from ocelot.model.checkpoint import Checkpoint, build
from ocelot.model.preprocess import Pixels, normalise, to_pixels
from ocelot.model.tokenizer import pad
from ocelot.records import Item

__all__ = ["Prepared", "VisualizedBGE"]

_DTYPES = {
    "fp32": torch.float32, "float32": torch.float32,
    "bf16": torch.bfloat16, "bfloat16": torch.bfloat16,
    "fp16": torch.float16, "float16": torch.float16,
}  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """An item ready for the network.

    Attributes:
        pixels: uint8, shape (3, size, size); None without an image.
        ids: Token ids from [CLS] to [SEP].
    """

    pixels: Pixels | None
    ids: tuple[int, ...]


class VisualizedBGE(Encoder):
    """Visualized BGE (VISTA, arXiv 2406.04292), or any network of its build.

    >>> encoder = VisualizedBGE.load("ocelot-tiny")
    >>> encoder.encode([(None, "a blue kettle")]).shape
    (1, 256)
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
    ) -> None:
        """Put a checkpoint on a device.

        Raises:
            CheckpointError: Weights and geometry do not fit.
            ConfigurationError: The device or the dtype cannot be used here.
        """
        self.device = _device(device)
        self.dtype = _dtype(dtype)
        self.name = checkpoint.name
        self.fingerprint = checkpoint.fingerprint
        self.dimension = checkpoint.geometry.dimension
        self.geometry = checkpoint.geometry
        self.tokenizer = checkpoint.tokenizer
        self.network = build(checkpoint, self.dtype).to(self.device)

    @classmethod
    def load(
        cls,
        name_or_path: str | Path = "ocelot-tiny",
        *,
        text_model: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
    ) -> VisualizedBGE:
        """Load by name or from files.

        Args:
            name_or_path: "ocelot-tiny" (bundled), "bge-visualized-base" or
                "bge-visualized-m3" (fetched from the hub once), a published `.pth`, or a
                folder that `ocelot train` wrote.
            text_model: For a `.pth`: the folder with the text model's config.json and
                tokenizer, or its hub name.
            device: "cpu", "cuda", "mps", …; the best one at hand by default.
            dtype: "fp32", "bf16" or "fp16"; fp32 by default.

        Raises:
            CheckpointError: Files are missing, damaged or do not fit together.
            ConfigurationError: The device or the dtype cannot be used here.
            DownloadError: The hub cannot be reached.
        """
        return cls(resolve(name_or_path, text_model), device=device, dtype=dtype)

    def prepare(self, item: Item) -> Prepared:
        """Decode, resize, crop and tokenise one item; thread-safe."""
        if item.image is None:
            return Prepared(None, self.tokenizer(item.text, self.geometry.longest_text))
        pixels = to_pixels(load_image(item.image), self.geometry.vision.image_size)
        return Prepared(pixels, self.tokenizer(item.text, self.geometry.longest_caption))

    def embed(self, batch: Sequence[Prepared]) -> Matrix:
        """Vectors in the order of the batch; images and bare texts run apart."""
        vectors = np.empty((len(batch), self.dimension), dtype=np.float32)
        for with_image in (True, False):
            places = [n for n, one in enumerate(batch) if (one.pixels is not None) == with_image]
            if places:
                vectors[places] = self._run([batch[n] for n in places])
        return vectors

    @torch.inference_mode()
    def _run(self, batch: Sequence[Prepared]) -> Matrix:
        ids, mask = pad([one.ids for one in batch], self.geometry.text.pad_id)
        looked_at = None if mask.all() else mask.to(self.device)  # no mask is quicker
        images = [one.pixels for one in batch if one.pixels is not None]
        try:
            pixels = normalise(images, self.device).to(self.dtype) if images else None
            vectors: Matrix = (
                self.network(pixels, ids.to(self.device), looked_at).float().cpu().numpy()
            )
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "memory" not in str(error):
                raise
            raise EncoderError(
                f"{self.device} has no memory left for a batch of {len(batch)}: "
                "use a smaller one (--batch-size), or another dtype."
            ) from error
        return vectors


def _device(device: str | torch.device | None) -> torch.device:
    if device is None:
        best = "cuda" if torch.cuda.is_available() else "cpu"
        return torch.device("mps" if best == "cpu" and torch.backends.mps.is_available() else best)
    try:
        chosen = torch.device(device)
        torch.ones(1, device=chosen).tolist()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ConfigurationError(
            f"The device {str(device)!r} cannot be used here "
            f"({str(error).splitlines()[0][:120]}): try cpu."
        ) from None
    return chosen


def _dtype(dtype: str | torch.dtype | None) -> torch.dtype:
    if dtype is None:
        return torch.float32
    if isinstance(dtype, torch.dtype) and dtype in _DTYPES.values():
        return dtype
    if dtype not in _DTYPES:
        raise ConfigurationError(f"The dtype must be fp32, bf16 or fp16, was: {dtype!r}.")
    return _DTYPES[str(dtype)]
