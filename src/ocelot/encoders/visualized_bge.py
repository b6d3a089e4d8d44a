"""The Visualized BGE encoder: published checkpoints, Ocelot's own, and the bundled one."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ocelot.encoders.base import Matrix
from ocelot.encoders.runtime import (
    DTYPE_NAMES,
    best_batch_size,
    choose_device,
    choose_dtype,
)
from ocelot.encoders.vista import Prepared, VistaEncoder
from ocelot.encoders.weights import load_checkpoint
from ocelot.errors import EncoderError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.tokenizer import pad
from ocelot.model.visualized_bge import build, normalise
from ocelot.words import count

__all__ = ["VisualizedBGE"]


class VisualizedBGE(VistaEncoder):
    """Visualized BGE (VISTA, arXiv 2406.04292), and other networks of the same design.

    >>> encoder = VisualizedBGE.load("ocelot-tiny")
    >>> encoder.encode([(None, "a blue kettle")]).shape
    (1, 320)
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        reduced_decoding: bool = True,
    ) -> None:
        """Put a checkpoint on a device; arguments and errors are those of `load`."""
        super().__init__(checkpoint, reduced_decoding)
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        if self.device.type == "cuda" and self.dtype == torch.float32:
            # By default cuDNN uses TF32, which has 10 bits. The setting is per process.
            torch.backends.cudnn.allow_tf32 = False
        self.network = build(checkpoint, self.dtype).to(self.device)
        self.runtime = f"torch {DTYPE_NAMES[self.dtype]}"
        self._chunk = best_batch_size(self.geometry, self.device, self.dtype)
        self.batch_size = max(8, self._chunk if self.device.type != "cuda" else 4 * self._chunk)

    @classmethod
    def load(
        cls,
        name_or_path: str | Path = "ocelot-tiny",
        *,
        text_model: str | Path | None = None,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        reduced_decoding: bool = True,
    ) -> VisualizedBGE:
        """Load by name or from files.

        Args:
            name_or_path: "ocelot-tiny" (bundled), "bge-visualized-base" or
                "bge-visualized-m3" (fetched from the hub once), a published `.pth`, or a
                folder that `ocelot train` wrote.
            text_model: For a `.pth`: the folder with the text model's config.json and
                tokenizer, or its name on the hub.
            device: "cpu", "cuda", "mps", …; by default the best one there is.
            dtype: "fp32", "bf16" or "fp16"; by default bf16 where the hardware has it, else
                fp32. Only fp32 is exact: on a GPU it switches off TF32 in the convolutions of
                the whole process.
            reduced_decoding: Whether a large JPEG may be decoded at 1/2, 1/4 or 1/8 of its
                size, as long as it stays three times as large as what the network sees. The
                cosine with the vector of the whole image is then at least 0.999.

        Raises:
            CheckpointError: Files are missing, damaged or do not fit together.
            ConfigurationError: The device or the dtype cannot be used here.
            DownloadError: The hub cannot be reached.
        """
        return cls(
            load_checkpoint(name_or_path, text_model),
            device=device,
            dtype=dtype,
            reduced_decoding=reduced_decoding,
        )

    @torch.inference_mode()
    def embed(self, batch: Sequence[Prepared]) -> Matrix:
        try:
            return super().embed(batch)
        except RuntimeError as error:
            if not re.search("out of memory|not enough memory|allocate memory", str(error)):
                raise
            raise EncoderError(
                f"{self.device} has no memory left for {count(self._max_images, 'image')} at once: "
                "use a smaller batch (--batch-size), or another precision."
            ) from error

    @property
    def _max_images(self) -> int:
        return min(self._chunk, self.batch_size)

    def _chunk_limits(self, with_image: bool, count: int) -> tuple[int, int]:
        if with_image:
            return self._max_images, sys.maxsize
        return sys.maxsize, self._max_images * self.geometry.vision.tokens

    def _run_all(self, runs: Sequence[Sequence[Prepared]]) -> Matrix:
        # In one copy: every copy from the device waits for it.
        return torch.cat([self._run(run) for run in runs]).cpu().numpy()

    def _run(self, chunk: Sequence[Prepared]) -> Tensor:
        """Return float32 rows, on the device, which may still compute them."""
        ids, mask = pad([one.ids for one in chunk], self.geometry.text.pad_id)
        images = [one.pixels for one in chunk if one.pixels is not None]
        pixels = None
        if images:
            pixels = torch.from_numpy(np.stack(images))
            if self.device.type == "cuda":
                pixels = pixels.pin_memory()  # while the GPU computes what came before
            pixels = normalise(pixels.to(self.device, non_blocking=True)).to(self.dtype)
        words = torch.from_numpy(ids).to(self.device, non_blocking=True)
        # Attention is faster without a mask.
        padding = None if mask.all() else torch.from_numpy(mask).to(self.device, non_blocking=True)
        return self.network(pixels, words, padding).float()
