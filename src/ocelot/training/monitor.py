"""Small held-out searches during training, to see whether it learns or memorises."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

from ocelot.catalogue.split import held_out
from ocelot.model.preprocess import normalise
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network
from ocelot.training.batch import Batch, collate, embed, parts
from ocelot.training.drawings import draw_triplet, random_product, subjects_of
from ocelot.training.loss import accepts
from ocelot.training.makers import add_triplets, draw_draft, lacks
from ocelot.training.pictures import draw
from ocelot.training.studio import Studio
from ocelot.training.triplets import Draft, Source

__all__ = ["Monitor"]

_AT_ONCE = 128  # pictures
_TASKS = ("theme", "colour", "pattern", "category")


class Monitor:
    """One search a kind of query, each over the pictures of its own draft.

    Args:
        size: Pixels along one side.
        tokenizer: The run's.
        album: Makes pictures of held-out photographs, with the source that numbers them.
        makers: What is asked of them.
        drawings: Whether to measure on held-out combinations of the catalogue.
        own: A draft of own triplets, and what makes its pictures.
    """

    def __init__(
        self,
        size: int,
        tokenizer: TextTokenizer,
        *,
        album: tuple[Studio, Source] | None = None,
        makers: Sequence[str] = ("recolourings", "views", "prints"),
        drawings: bool = True,
        own: tuple[Studio, Draft] | None = None,
        queries: int = 160,
    ) -> None:
        self._searches: dict[str, Batch] = {}
        rng = random.Random("monitor")
        if drawings:
            self._searches["drawings"] = _drawn(rng, size, tokenizer, queries)
        if album is not None:
            studio, source = album
            for maker in makers:
                if lacks(source, maker):
                    continue
                groups = min(queries, max(1, len(source.photographs) // 4))
                draft = draw_draft(rng, source, {maker: groups})
                pixels = studio.develop(draft.shots, rng)
                self._searches[maker] = _collated(pixels, draft, tokenizer)
        if own is not None:
            studio, draft = own
            self._searches["own"] = _collated(studio.develop(draft.shots, rng), draft, tokenizer)

    @torch.inference_mode()
    def recalls(self, network: Network) -> dict[str, float]:
        """R@1 of each search: how often the first picture fits, the query's reference aside."""
        network.eval()
        return {name: round(_recall(network, batch), 4) for name, batch in self._searches.items()}


def _recall(network: Network, batch: Batch) -> float:
    device = next(network.parameters()).device
    batch = batch.to(device)
    queries = torch.empty(len(batch.ids), network.geometry.dimension, device=device)
    candidates = torch.empty(len(batch.pixels), network.geometry.dimension, device=device)
    for pictures, asked in parts(batch, _AT_ONCE):
        queries[asked], candidates[pictures] = embed(network, batch, pictures, asked)
    scores = queries @ candidates.T
    rows = torch.arange(len(queries), device=scores.device)
    seen = batch.references >= 0
    scores[rows[seen], batch.references[seen]] = float("-inf")
    fits = accepts(batch.wanted, batch.traits)[rows, scores.argmax(dim=1)]
    return float(fits.float().mean())


def _collated(pixels: Tensor, draft: Draft, tokenizer: TextTokenizer) -> Batch:
    traits = [shot.traits for shot in draft.shots]
    return collate(normalise(pixels, pixels.device), traits, draft.queries, tokenizer)


def _drawn(rng: random.Random, size: int, tokenizer: TextTokenizer, queries: int) -> Batch:
    triplets = [
        draw_triplet(
            rng, _TASKS[n % len(_TASKS)], random_product(rng, held_out), lambda product: True
        )
        for n in range(queries)
    ]
    draft = Draft()
    add_triplets(draft, triplets)
    pictures = [
        torch.from_numpy(draw(subject, 1_000_000_000 + n, size))
        for n, subject in enumerate(subjects_of(triplets))
    ]
    return _collated(torch.stack(pictures).float(), draft, tokenizer)
