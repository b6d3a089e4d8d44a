"""A small held-out search run during training, to see whether it learns or memorises."""

from __future__ import annotations

import random

import numpy as np
import torch

from ocelot.catalogue.split import held_out
from ocelot.model.preprocess import normalise
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network
from ocelot.training.batch import collate, embed
from ocelot.training.pictures import draw
from ocelot.training.triplets import draw_triplet, random_product, subjects_of

__all__ = ["Monitor"]

_TASKS = ("theme", "colour", "pattern", "category")


class Monitor:
    """Composed queries whose targets are held-out combinations, among their like.

    Args:
        queries: How many; the gallery is their targets and references.
    """

    def __init__(self, network: Network, tokenizer: TextTokenizer, queries: int = 160) -> None:
        rng = random.Random("monitor")
        triplets = [
            draw_triplet(
                rng, _TASKS[n % len(_TASKS)], random_product(rng, held_out), lambda product: True
            )
            for n in range(queries)
        ]
        size = network.geometry.vision.image_size
        pictures = [
            draw(subject, 1_000_000_000 + n, size)
            for n, subject in enumerate(subjects_of(triplets))
        ]
        self._batch = collate(triplets, pictures, tokenizer, torch.Generator(), strength=0.0)

    @torch.inference_mode()
    def recall(self, network: Network) -> float:
        """R@1: the share of queries whose first picture, its own reference aside, fits."""
        network.eval()
        pixels = normalise(self._batch.pixels, torch.device("cpu"))
        queries, candidates = embed(network, pixels, self._batch)
        scores = queries @ candidates.T
        n = len(queries)
        own = torch.arange(int(self._batch.with_reference.sum())) + n
        scores[self._batch.with_reference, own] = -np.inf
        fits = self._batch.ignore[torch.arange(n), scores.argmax(dim=1)]
        return float(fits.float().mean())
