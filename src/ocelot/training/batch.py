"""Batches: the tensors of one training step, where they come from, and their embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ocelot.errors import ConfigurationError
from ocelot.model.preprocess import normalise
from ocelot.model.tokenizer import TextTokenizer, pad
from ocelot.model.visualized_bge import Network
from ocelot.training.distributed import ProcessGroup

__all__ = ["LONGEST", "WILDCARD", "Batch", "BatchSource", "Query", "collate", "embed", "parts"]

LONGEST = 64  # tokens of a training text
WILDCARD = -1  # a label that fits every other label


@dataclass(frozen=True)
class Query:
    """A query of a batch; pictures are numbers within the batch.

    Attributes:
        reference, text: One of the two may be None.
        target: The picture that answers.
        wanted: The labels of all pictures that answer; see `Batch`.
    """

    reference: int | None
    text: str | None
    target: int
    wanted: Sequence[int]


@dataclass(frozen=True)
class Batch:
    """The data of one step: m pictures and n queries.

    A picture is a negative for every query that it does not answer. It answers a query if each
    of its k labels is equal to the wanted one, or one of the two is `WILDCARD`. The source
    chooses the labels: one number for each item is enough if nothing else is known.

    Attributes:
        pixels: Normalised, shape (m, 3, size, size).
        labels: Integers, shape (m, k).
        references: The picture of each query, or -1, shape (n,).
        targets: The picture that each query is trained to find, shape (n,).
        wanted: Integers, shape (n, k).
        ids, mask: Token ids of each query, and which of them are no padding, shape (n, longest).
        empty: Token ids of the empty text, shape (2,).
    """

    pixels: Tensor
    labels: Tensor
    references: Tensor
    targets: Tensor
    wanted: Tensor
    ids: Tensor
    mask: Tensor
    empty: Tensor

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        return Batch(**{name: value.to(device) for name, value in vars(self).items()})


class BatchSource(Protocol):
    """Where the batches of a run come from: a file of triplets, or code of your own.

    `train` calls `texts` if it builds a tokenizer, then `open`, then the other methods.
    """

    @property
    def fingerprint(self) -> str:
        """Identifies the data: a run resumes only with equal data."""

    def texts(self) -> Iterable[str]:
        """Return texts from which a tokenizer can be built."""

    def open(self, size: int, tokenizer: TextTokenizer, group: ProcessGroup) -> None:
        """Prepare for batches with pictures of size x size pixels, on the group's device."""

    def batch(self, step: int, rank: int) -> Batch:
        """Return the batch of one process at a step; equal arguments give equal batches."""

    def held_out(self) -> Mapping[str, Batch]:
        """Return named searches that are never trained on, to measure R@1; may be empty."""


def collate(
    pixels: Tensor,
    labels: Sequence[Sequence[int]],
    queries: Sequence[Query],
    tokenizer: TextTokenizer,
) -> Batch:
    """Make a batch on the device of its pixels.

    Args:
        pixels: 0 to 255, shape (m, 3, size, size).
        labels: k integers for each picture.

    Raises:
        ConfigurationError: There are no queries.
    """
    if not queries:
        raise ConfigurationError("A batch has no queries: check the sizes in the configuration.")
    padded = pad([tokenizer(query.text, LONGEST) for query in queries], 0)
    ids, mask = map(torch.from_numpy, padded)
    references = [-1 if query.reference is None else query.reference for query in queries]
    device = pixels.device
    return Batch(
        pixels=normalise(pixels, device),
        labels=torch.tensor(labels, device=device),
        references=torch.tensor(references, device=device),
        targets=torch.tensor([query.target for query in queries], device=device),
        wanted=torch.tensor([query.wanted for query in queries], device=device),
        ids=ids.to(device),
        mask=mask.to(device),
        empty=torch.tensor(tokenizer.empty, device=device),
    )


def embed(
    network: Network, batch: Batch, pictures: slice = slice(None), chosen: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Embed queries and candidates; each picture passes the vision tower once.

    Args:
        pictures: Which of the batch's pictures; the references of `chosen` are among them.
        chosen: The numbers of the queries to embed; None for all.

    Returns:
        Unit rows: queries, shape (n, d), and candidates, shape (m, d).
    """
    references, ids, mask = batch.references, batch.ids, batch.mask
    if chosen is not None:
        references, ids, mask = references[chosen], ids[chosen], mask[chosen]
    patches = network.vision(batch.pixels[pictures])
    candidates = network.read(patches, batch.empty.expand(len(patches), -1), None)
    if not len(ids):
        return candidates[:0], candidates  # still part of the graph, for the backward pass
    queries = candidates.new_empty(len(ids), candidates.shape[1])
    has_image = references >= 0
    has_text = mask.sum(dim=1) > batch.empty.numel()
    first = pictures.start or 0
    for rows, with_image in ((has_image & has_text, True), (~has_image, False)):
        if rows.any():
            shown = patches[references[rows] - first] if with_image else None
            longest = int(mask[rows].sum(dim=1).max())
            read = network.read(shown, ids[rows, :longest], mask[rows, :longest])
            queries = queries.index_put((rows,), read.to(queries.dtype))
    # An image without text has the same embedding as the candidate.
    rows = has_image & ~has_text
    if rows.any():
        queries = queries.index_put((rows,), candidates[references[rows] - first])
    return queries, candidates


def parts(batch: Batch, size: int) -> Iterator[tuple[slice, Tensor]]:
    """Split a batch into slices of `size` pictures, each with the queries that refer to them.

    Queries without a reference are spread over the slices.
    """
    count = -(-len(batch.pixels) // size)
    number = torch.arange(len(batch.references), device=batch.references.device)
    part = torch.where(batch.references >= 0, batch.references // size, number % count)
    for place in range(count):
        pictures = slice(place * size, min((place + 1) * size, len(batch.pixels)))
        yield pictures, number[part == place]
