"""Near duplicates among stored pictures, by their vectors.

Exact copies are one item already. A group is a picture with others that are at least as similar to
it as a threshold. It is not a chain: a picture that is close to a member only does not belong to
it. So whoever keeps the first picture of each group keeps something close to every picture, and
no two that are close to each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ocelot.collection import Collection
from ocelot.errors import InputError
from ocelot.types import Hit

if TYPE_CHECKING:
    from ocelot.encoders.base import Matrix

__all__ = ["duplicate_groups", "duplicates"]

_BLOCK_BYTES = 64 * 2**20  # of similarities that are computed at once


def duplicate_groups(vectors: Matrix, threshold: float) -> Iterator[tuple[list[int], list[float]]]:
    """Group rows by cosine similarity; rows that are close to no other are left out.

    In their order, each row that is in no group yet starts one with all later rows that are in
    none yet and have at least the threshold's similarity to it.

    Args:
        vectors: Shape (n, dimension), of length 1; preferred rows first.

    Yields:
        The rows of a group, its first row first and the others by similarity; and their
        similarities to the first.

    >>> unit = np.array([[1, 0], [0, 1], [0.8, 0.6], [0.98, 0.2]], np.float32)
    >>> [(rows, [round(one, 2) for one in scores]) for rows, scores in duplicate_groups(unit, 0.9)]
    [([0, 3], [1.0, 0.98])]
    """
    free = np.ones(len(vectors), dtype=bool)
    block = max(1, _BLOCK_BYTES // (4 * max(1, len(vectors))))
    for start in range(0, len(vectors), block):
        heads = start + np.flatnonzero(free[start : start + block])
        others = start + np.flatnonzero(free[start:])
        scores = vectors[heads] @ vectors[others].T
        for head, row in zip(heads, scores, strict=True):
            if not free[head]:
                continue
            close = (row >= threshold) & free[others] & (others > head)
            found = others[close]
            free[head] = False
            free[found] = False
            if found.size:
                order = np.argsort(-row[close], kind="stable")
                similar = row[close][order].tolist()
                yield [int(head), *found[order].tolist()], [1.0, *similar]


def duplicates(
    collection: Collection, threshold: float = 0.97, *, filter: str | None = None
) -> tuple[tuple[Hit, ...], ...]:
    """Groups of near duplicates in a collection, the largest groups first.

    The first hit of a group is the picture with the most pixels, score 1; then come the others,
    most similar first, with their cosine similarities to the first. All vectors are read into
    memory: 3 GB for a million of 768 dimensions.

    Args:
        threshold: The least cosine similarity to the first picture of a group, above 0, up to 1.
        filter: A Milvus expression over the metadata, to select pictures.

    Raises:
        InputError: The threshold is out of range.
        FilterError, CollectionError: The collection cannot be read.
    """
    if not 0 < threshold <= 1:
        raise InputError(f"The threshold must be above 0 and up to 1, was: {threshold}.")
    items = sorted(
        (row.item for row in collection.iterate(filter=filter)),
        key=lambda item: (-item.width * item.height, item.id),
    )
    places = {item.id: place for place, item in enumerate(items)}
    vectors = np.zeros((len(items), collection.identity.dimension), np.float32)
    for row in collection.iterate_whole(filter=filter):
        if row.id in places:  # not added meanwhile
            assert row.vector is not None
            vectors[places[row.id]] = row.vector / np.linalg.norm(row.vector)
    groups = []
    for members, scores in duplicate_groups(vectors, threshold):
        hits = (
            Hit(**vars(items[member]), score=min(score, 1.0), rank=rank)
            for rank, (member, score) in enumerate(zip(members, scores, strict=True), 1)
        )
        groups.append(tuple(hits))
    return tuple(sorted(groups, key=len, reverse=True))
