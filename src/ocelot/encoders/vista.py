"""What the encoders of Visualized BGE share, without torch: preparing inputs and grouping them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ocelot.encoders.base import Encoder, Matrix
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.knowledge import unknown_words
from ocelot.model.preprocess import DECODE_MARGIN, Pixels, to_pixels
from ocelot.model.tokenizer import chunks
from ocelot.types import Input

__all__ = ["Prepared", "VistaEncoder"]


class Prepared(NamedTuple):
    """One input, ready for the network."""

    pixels: Pixels | None  # uint8, shape (3, size, size)
    ids: tuple[int, ...]  # from [CLS] to [SEP]


class VistaEncoder(Encoder):
    """A network of VISTA's design (arXiv 2406.04292); subclasses run it."""

    def __init__(self, checkpoint: Checkpoint, reduced_decoding: bool) -> None:
        self.name, self.fingerprint = checkpoint.name, checkpoint.fingerprint
        self.geometry, self.tokenizer = checkpoint.geometry, checkpoint.tokenizer
        by_words = self.geometry.share_by_words
        self._share_logits = checkpoint.state["share_logits"] if by_words else None
        self.words, self.score_calibration = checkpoint.words, checkpoint.score_calibration
        self.dimension = self.geometry.dimension
        side = self.geometry.vision.image_size
        self.decode_side = DECODE_MARGIN * side if reduced_decoding else None

    def prepare(self, input: Input) -> Prepared:
        """Decode, resize, crop and tokenise one input; thread-safe."""
        if input.image is None:
            return Prepared(None, self.tokenizer(input.text, self.geometry.longest_text))
        image = input.image.rgb(self.decode_side)
        pixels = to_pixels(image, self.geometry.vision.image_size)
        return Prepared(pixels, self.tokenizer(input.text, self.geometry.longest_caption))

    def unknown_words(self, text: str) -> tuple[str, ...]:
        return unknown_words(text, self.words)

    def embed(self, batch: Sequence[Prepared]) -> Matrix:
        """Return the vectors in the order of the batch, which may have any length.

        Inputs with and without an image run apart, and those of similar length together.
        """
        share, instance = self.geometry.picture_share, self.geometry.instance
        if not share and not instance:
            return self._embed(batch)
        empty = self.tokenizer(None, self.geometry.longest_caption)
        composed = [
            n for n, (pixels, ids) in enumerate(batch) if pixels is not None and ids != empty
        ]
        shares = share * np.array([self._part_of_share(batch[n].ids) for n in composed])
        if instance:
            vectors = self._embed(batch)
            weights = np.full(len(batch), instance.weight, np.float32)
            weights[composed] = shares
            vectors[:, self.geometry.text.width :] *= weights[:, None]
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        alone = [Prepared(batch[n].pixels, empty) for n in composed]
        vectors = self._embed([*batch, *alone])
        mixed = vectors[composed] + shares[:, None] * vectors[len(batch) :]
        vectors[composed] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        return vectors[: len(batch)]

    def _part_of_share(self, ids: tuple[int, ...]) -> float:
        """How much of the share a text asks for; see `Geometry`."""
        if self._share_logits is None:
            return 1.0
        mean = self._share_logits[list(ids)].sum(dtype=np.float32) / (len(ids) - 2)
        return float(1 / (1 + np.exp(-mean)))

    def _embed(self, batch: Sequence[Prepared]) -> Matrix:
        """The network's own embeddings of a batch, without shares and weights."""
        runs: list[list[int]] = []  # places in the batch of those that run together
        for with_image in (True, False):
            kind = [n for n, one in enumerate(batch) if (one.pixels is not None) == with_image]
            tokens = self.geometry.vision.tokens if with_image else 0
            lengths = [tokens + len(batch[n].ids) for n in kind]
            items, most = self._chunk_limits(with_image, len(kind))
            for chunk in chunks(lengths, items=items, tokens=most):
                runs.append([kind[n] for n in chunk])
        vectors = np.empty((len(batch), self.dimension), dtype=np.float32)
        if runs:
            places = [place for run in runs for place in run]
            vectors[places] = self._run_all([[batch[place] for place in run] for run in runs])
        return vectors

    @abstractmethod
    def _chunk_limits(self, with_image: bool, count: int) -> tuple[int, int]:
        """Return the most inputs, of so many, and the most tokens that run together."""

    @abstractmethod
    def _run_all(self, runs: Sequence[Sequence[Prepared]]) -> Matrix:
        """Run the network on groups of inputs that all have an image, or all have none."""
