"""Batches: the tensors of one training step, where they come from, and their embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ocelot.errors import ConfigurationError
from ocelot.model.tokenizer import TextTokenizer, pad
from ocelot.model.visualized_bge import Network, normalise
from ocelot.training.config import LONGEST_TEXT
from ocelot.training.distributed import ProcessGroup

__all__ = [
    "WILDCARD", "Batch", "BatchSource", "Query", "collate", "embed", "embed_in_parts", "parts",
]  # fmt: skip

WILDCARD = -1  # a label that fits every other label


@dataclass(frozen=True)
class Query:
    """A query of a batch.

    Attributes:
        reference: Number of a picture within the batch; it or the text may be None.
        target: Number of the picture that the query is trained to find.
        wanted: Labels of all pictures that answer the query; see `Batch`.
    """

    reference: int | None
    text: str | None
    target: int
    wanted: Sequence[int]


@dataclass(frozen=True)
class Batch:
    """The data of one step: m pictures and n queries.

    A picture answers a query if each of its k labels is equal to the wanted one, or one of the
    two is `WILDCARD`. It is a negative for every other query. The source chooses the labels: one
    number for each item is enough if nothing else is known.

    Attributes:
        pixels: Normalised, shape (m, 3, size, size).
        labels: Integers, shape (m, k).
        references: Number of each query's picture, or -1, shape (n,).
        targets: Number of the picture that each query is trained to find, shape (n,).
        wanted: Integers, shape (n, k).
        ids, mask: Token ids of each query, and False at their padding, shape (n, longest).
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
    """Where the batches of a run come from: a file of triplets, or your own code.

    `train` calls `texts` and `further_words` if it builds a tokenizer, then `open`, then the
    others, and at the end `texts` again, for the words that the encoder knows.
    """

    @property
    def fingerprint(self) -> str:
        """Identifies the data: a run resumes only with equal data."""

    def texts(self) -> Iterable[str]:
        """Return the texts of the queries; their words are those that the encoder knows."""

    def further_words(self) -> Iterable[str]:
        """Return words that a tokenizer should have beside those of the texts."""

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
    padded = pad([tokenizer(query.text, LONGEST_TEXT) for query in queries], 0)
    ids, mask = map(torch.from_numpy, padded)
    references = [-1 if query.reference is None else query.reference for query in queries]
    return Batch(
        pixels=normalise(pixels),
        labels=torch.tensor(labels),
        references=torch.tensor(references),
        targets=torch.tensor([query.target for query in queries]),
        wanted=torch.tensor([query.wanted for query in queries]),
        ids=ids,
        mask=mask,
        empty=torch.tensor(tokenizer.empty),
    ).to(pixels.device)


def embed(
    network: Network, batch: Batch, pictures: slice = slice(None), chosen: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Embed queries and candidates; each picture passes the vision tower once.

    Args:
        pictures: The pictures to embed, among them the references of `chosen`.
        chosen: Numbers of the queries to embed; None for all.

    Returns:
        Unit rows, float32: queries, shape (n, d), and candidates, shape (m, d).
    """
    references, ids, mask = batch.references, batch.ids, batch.mask
    if chosen is not None:
        references, ids, mask = references[chosen], ids[chosen], mask[chosen]
    patches = network.vision(batch.pixels[pictures])
    candidates = network.read(patches, batch.empty.expand(len(patches), -1), None)
    if not len(ids):
        return candidates[:0].float(), candidates.float()  # in the graph for the backward pass
    queries = candidates.new_empty(len(ids), candidates.shape[1])
    has_image = references >= 0
    has_text = mask.sum(dim=1) > batch.empty.numel()
    first = pictures.start or 0
    for rows, with_image in _alike(has_image, has_text, mask):
        numbers = references[rows] - first
        longest = int(mask[rows].sum(dim=1).max())
        shown = patches[numbers] if with_image else None
        read = network.read(shown, ids[rows, :longest], mask[rows, :longest])
        # With an instance part, the share is of that one, which is not trained.
        if with_image and network.geometry.picture_share and not network.geometry.instance:
            share = _share(network, ids[rows], mask[rows])
            read = F.normalize(read + share * candidates[numbers], dim=-1)
        queries = queries.index_put((rows,), read.to(queries.dtype))
    # An image without text has the same embedding as the candidate.
    rows = has_image & ~has_text
    if rows.any():
        queries = queries.index_put((rows,), candidates[references[rows] - first])
    return queries.float(), candidates.float()


def _share(network: Network, ids: Tensor, mask: Tensor) -> Tensor | float:
    """The picture's share for texts (see `Geometry`): (n, tokens) -> (n, 1), or one for all."""
    share = network.geometry.picture_share
    if not network.geometry.share_by_words:
        return share
    logits = (network.share_logits[ids] * mask).sum(dim=1) / (mask.sum(dim=1) - 2)
    return share * logits.sigmoid()[:, None]


def _alike(has_image: Tensor, has_text: Tensor, mask: Tensor) -> Iterator[tuple[Tensor, bool]]:
    """Numbers of queries that pass the network together, and whether they have an image.

    The shorter half of the texts goes apart, as most are short and a few are long.
    """
    for chosen, with_image in ((has_image & has_text, True), (~has_image, False)):
        (rows,) = torch.where(chosen)
        rows = rows[mask[rows].sum(dim=1).argsort(stable=True)]
        for half in rows.tensor_split(2):
            if len(half):
                yield half, with_image


@torch.no_grad()
def embed_in_parts(network: Network, batch: Batch, size: int) -> tuple[Tensor, Tensor]:
    """Embed a batch, `size` pictures at once, without gradients; see `embed`."""
    dimension = network.geometry.text.width
    queries = batch.pixels.new_empty(len(batch.ids), dimension)
    candidates = batch.pixels.new_empty(len(batch.pixels), dimension)
    for pictures, chosen in parts(batch, size):
        queries[chosen], candidates[pictures] = embed(network, batch, pictures, chosen)
    return queries, candidates


def parts(batch: Batch, size: int) -> Iterator[tuple[slice, Tensor]]:
    """Split a batch into slices of `size` pictures, each with the queries that refer to them.

    Queries without a reference are spread over the slices.
    """
    count = -(-len(batch.pixels) // size)
    number = torch.arange(len(batch.references), device=batch.references.device)
    part = torch.where(batch.references >= 0, batch.references // size, number % count)
    for place in range(count):
        yield slice(place * size, (place + 1) * size), number[part == place]
