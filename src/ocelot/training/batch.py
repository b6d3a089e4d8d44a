"""A draft as tensors: pictures, token ids, and who answers whom; and its embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ocelot.errors import ConfigurationError
from ocelot.model.tokenizer import TextTokenizer, pad
from ocelot.model.visualized_bge import Network
from ocelot.training.triplets import Query, Traits

__all__ = ["Batch", "collate", "embed", "parts"]

LONGEST = 64  # tokens of a training text; the wordings have some ten


@dataclass(frozen=True)
class Batch:
    """One step's data: m pictures and n queries.

    Attributes:
        pixels: Normalised, shape (m, 3, size, size).
        traits: What the pictures show, shape (m, traits).
        references: Each query's picture, or -1, shape (n,).
        targets: The picture each query means, shape (n,).
        wanted: What each query asks for, shape (n, traits).
        ids, mask: Token ids and true tokens of every query, shape (n, longest).
        empty: Token ids of the empty text, shape (2,).
    """

    pixels: Tensor
    traits: Tensor
    references: Tensor
    targets: Tensor
    wanted: Tensor
    ids: Tensor
    mask: Tensor
    empty: Tensor

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


def collate(
    pixels: Tensor, traits: Sequence[Traits], queries: Sequence[Query], tokenizer: TextTokenizer
) -> Batch:
    """Tensors of a draft, on the device of its pixels.

    Raises:
        ConfigurationError: There are no queries.
    """
    if not queries:
        raise ConfigurationError(
            "[groups] asks for nothing: words need photographs that another maker shows."
        )
    ids, mask = pad([tokenizer(query.text, LONGEST) for query in queries], 0)
    references = [-1 if query.reference is None else query.reference for query in queries]
    device = pixels.device
    return Batch(
        pixels=pixels,
        traits=torch.tensor(traits, device=device),
        references=torch.tensor(references, device=device),
        targets=torch.tensor([query.target for query in queries], device=device),
        wanted=torch.tensor([query.wanted for query in queries], device=device),
        ids=ids.to(device),
        mask=mask.to(device),
        empty=torch.tensor(tokenizer.empty, device=device),
    )


def embed(
    network: Network, batch: Batch, pictures: slice = slice(None), asked: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Embeddings of queries and candidates; each picture passes the vision tower once.

    Args:
        pictures: Which of the batch's pictures; the references of `asked` are among them.
        asked: Which of its queries, as numbers; None for all.

    Returns:
        Unit rows: queries, shape (n, d), and candidates, shape (m, d).
    """
    references, ids, mask = batch.references, batch.ids, batch.mask
    if asked is not None:
        references, ids, mask = references[asked], ids[asked], mask[asked]
    patches = network.vision(batch.pixels[pictures])
    candidates = network.read(patches, batch.empty.expand(len(patches), -1), None)
    if not len(ids):
        return candidates[:0], candidates  # so that gradients have a way even where none flow
    queries = candidates.new_empty(len(ids), candidates.shape[1])
    seen = references >= 0
    # An image alone is read as it is as a candidate: once is enough.
    worded = mask.sum(dim=1) > batch.empty.numel()
    first = pictures.start or 0
    for rows, reference in ((seen & worded, True), (~seen, False)):
        if rows.any():
            shown = patches[references[rows] - first] if reference else None
            longest = int(mask[rows].sum(dim=1).max())
            read = network.read(shown, ids[rows, :longest], mask[rows, :longest])
            queries = queries.index_put((rows,), read.to(queries.dtype))
    rows = seen & ~worded
    if rows.any():
        queries = queries.index_put((rows,), candidates[references[rows] - first])
    return queries, candidates


def parts(batch: Batch, size: int) -> Iterator[tuple[slice, Tensor]]:
    """Pictures in slices of `size`, each with the queries that see them.

    Queries without a reference are shared out among the slices.
    """
    count = -(-len(batch.pixels) // size)
    number = torch.arange(len(batch.references), device=batch.references.device)
    home = torch.where(batch.references >= 0, batch.references // size, number % count)
    for place in range(count):
        pictures = slice(place * size, min((place + 1) * size, len(batch.pixels)))
        yield pictures, number[home == place]
