"""Triplets to tensors: pictures, token ids, and which pairs must not count as negatives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ocelot.model.preprocess import Pixels
from ocelot.model.tokenizer import TextTokenizer, pad
from ocelot.model.visualized_bge import Network
from ocelot.training.pictures import PicturePool, augment
from ocelot.training.triplets import Triplet, draw_batch, subjects_of

__all__ = ["Batch", "collate", "draw", "embed"]


LONGEST = 64  # tokens of a training text; the wordings have some ten


@dataclass(frozen=True)
class Batch:
    """One step's data: n triplets, r of which have a reference.

    Attributes:
        pixels: float32 0…255, (n + r, 3, size, size): targets, then references.
        with_reference: Which queries have one, (n,) bool; the references are in their order.
        ids, mask: Token ids and true tokens of every query, (n, longest).
        empty: Token ids of the empty text, (2,).
        ignore: (n, n + r), see `contrastive_loss`.
    """

    pixels: Tensor
    with_reference: Tensor
    ids: Tensor
    mask: Tensor
    empty: Tensor
    ignore: Tensor


def draw(
    seed: int,
    step: int,
    size: int,
    pool: PicturePool,
    tokenizer: TextTokenizer,
    strength: float,
) -> Batch:
    """The batch of one step, decided by (seed, step) alone."""
    rng = random.Random(f"{seed}/{step}")
    triplets = draw_batch(rng, size)
    chosen = [pool.choose(rng, subject) for subject in subjects_of(triplets)]
    generator = torch.Generator().manual_seed(rng.getrandbits(63))
    return collate(triplets, chosen, tokenizer, generator, strength)


def collate(
    triplets: Sequence[Triplet],
    pictures: Sequence[Pixels],
    tokenizer: TextTokenizer,
    generator: torch.Generator,
    strength: float,
) -> Batch:
    """Tensors from triplets and their pictures, which are in the order of `subjects_of`."""
    subjects = subjects_of(triplets)
    ignore = [[t.wanted.accepts(subject) for subject in subjects] for t in triplets]
    rows = [tokenizer(triplet.text, LONGEST) for triplet in triplets]
    ids, mask = pad(rows, 0)
    return Batch(
        pixels=augment(torch.from_numpy(np.stack(pictures)), generator, strength=strength),
        with_reference=torch.tensor([triplet.reference is not None for triplet in triplets]),
        ids=ids,
        mask=mask,
        empty=torch.tensor(tokenizer.empty),
        ignore=torch.tensor(ignore),
    )


def embed(network: Network, pixels: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
    """Queries (n, d) and candidates (n + r, d): each picture passes the vision tower once.

    The references stand among the candidates: a query must not just find its own picture.
    """
    patches = network.vision(pixels)
    empty = batch.empty.expand(len(patches), -1)
    candidates = network.read(patches, empty, None)
    n = len(batch.ids)
    queries = candidates.new_empty(n, candidates.shape[1])
    for these, seen in ((batch.with_reference, patches[n:]), (~batch.with_reference, None)):
        if these.any():
            read = network.read(seen, batch.ids[these], batch.mask[these])
            queries = queries.index_put((these,), read)
    return queries, candidates
