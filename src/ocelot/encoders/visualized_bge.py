"""The Visualized BGE encoder: published checkpoints, Ocelot's own, and the bundled one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ocelot.encoders.base import Encoder, Matrix
from ocelot.encoders.runtime import (
    DeviceCopier,
    best_batch_size,
    build_for_inference,
    choose_device,
    choose_dtype,
    short_name,
)
from ocelot.encoders.weights import load_checkpoint
from ocelot.errors import EncoderError
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.preprocess import DECODE_MARGIN, Pixels, normalise, stack, to_pixels
from ocelot.model.tokenizer import chunks, pad
from ocelot.types import Input

__all__ = ["Prepared", "VisualizedBGE"]


@dataclass(frozen=True)
class Prepared:
    """One input, ready for the network.

    Attributes:
        pixels: uint8, shape (3, size, size); None without an image.
        ids: Token ids from [CLS] to [SEP].
    """

    pixels: Pixels | None
    ids: tuple[int, ...]


class VisualizedBGE(Encoder):
    """Visualized BGE (VISTA, arXiv 2406.04292), and other networks of the same design.

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
        reduced_decoding: bool = True,
    ) -> None:
        """Put a checkpoint on a device; for the arguments see `load`.

        Raises:
            CheckpointError: Weights and geometry do not fit.
            ConfigurationError: The device or the dtype cannot be used here.
        """
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        self.name = checkpoint.name
        self.fingerprint = checkpoint.fingerprint
        self.dimension = checkpoint.geometry.dimension
        self.geometry = checkpoint.geometry
        self.tokenizer = checkpoint.tokenizer
        self.network = build_for_inference(checkpoint, self.device, self.dtype)
        self.runtime = f"torch {short_name(self.dtype)}"
        side = checkpoint.geometry.vision.image_size
        self.decode_side = DECODE_MARGIN * side if reduced_decoding else None
        self._chunk = best_batch_size(self.geometry, self.device, self.dtype)
        self.batch_size = max(8, self._chunk if self.device.type != "cuda" else 4 * self._chunk)
        self._copier = DeviceCopier(self.device)

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
                fp32. Only fp32 is exact.
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

    def prepare(self, input: Input) -> Prepared:
        """Decode, resize, crop and tokenise one input; thread-safe."""
        if input.image is None:
            return Prepared(None, self.tokenizer(input.text, self.geometry.longest_text))
        image = input.image.rgb(self.decode_side)
        exact = self.dtype is torch.float32
        pixels = to_pixels(image, self.geometry.vision.image_size, exact=exact)
        return Prepared(pixels, self.tokenizer(input.text, self.geometry.longest_caption))

    @torch.inference_mode()
    def embed(self, batch: Sequence[Prepared]) -> Matrix:
        """Return the vectors in the order of the batch, which may have any length.

        Inputs with and without an image run apart, and those of similar length together, in
        chunks of the size that the device is fastest with, or of `batch_size` if that is smaller.
        """
        vectors = np.empty((len(batch), self.dimension), dtype=np.float32)
        patches, most = self.geometry.vision.tokens, min(self._chunk, self.batch_size)
        places: list[int] = []
        rows: list[Tensor] = []
        try:
            for with_image in (True, False):
                kind = [n for n, one in enumerate(batch) if (one.pixels is not None) == with_image]
                lengths = [patches * with_image + len(batch[n].ids) for n in kind]
                items = most if with_image else len(batch)
                tokens = sum(lengths) if with_image else most * patches
                for chunk in chunks(lengths, items=items, tokens=tokens):
                    places.extend(kind[n] for n in chunk)
                    rows.append(self._run([batch[kind[n]] for n in chunk]))
            if rows:  # in one copy, which is the first to wait for the device
                vectors[places] = torch.cat(rows).cpu().numpy()
        except RuntimeError as error:
            if not re.search("out of memory|not enough memory|allocate memory", str(error)):
                raise
            raise EncoderError(
                f"{self.device} has no memory left for {most} images at once: "
                "use a smaller batch (--batch-size), or another precision."
            ) from error
        return vectors

    def _run(self, chunk: Sequence[Prepared]) -> Tensor:
        """Return the float32 rows of one chunk, on the device, which may still compute them."""
        ids, mask = pad([one.ids for one in chunk], self.geometry.text.pad_id)
        images = [one.pixels for one in chunk if one.pixels is not None]
        raw, ids_there, mask_there = self._copier.copy(
            stack(images) if images else None,
            ids,
            None if mask.all() else mask,  # attention is faster without a mask
        )
        assert ids_there is not None
        pixels = None if raw is None else normalise(raw, self.device).to(self.dtype)
        if pixels is not None and self.device.type == "mps":
            pixels = pixels.contiguous()  # as the weights are there
        rows: Tensor = self.network(pixels, ids_there, mask_there).float()
        return rows
