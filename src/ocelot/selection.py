"""Which of the nearest items are returned: cut off, fused, folded, grouped, made to differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.errors import FilterError
from ocelot.hybrid import fused
from ocelot.types import Hit, Query

if TYPE_CHECKING:
    Floats = np.ndarray[Any, np.dtype[np.floating[Any]]]

__all__ = ["needs_vectors", "pool_size", "select"]

_POOL = 10  # nearest items that are looked at for each that is wanted,
_LEAST, _MOST = 100, 1000  # within these bounds


def needs_vectors(query: Query) -> bool:
    """Whether `select` compares hits with each other."""
    return query.fold is not None or query.diversity > 0


def pool_size(query: Query, limit: int) -> int:
    """How many of the nearest items `select` needs to return `limit`, if it can."""
    if query.hybrid and query.text:
        return max(limit, _MOST)
    if query.group_by is None and not needs_vectors(query):
        return limit
    return max(limit, min(max(_POOL * limit, _LEAST), _MOST))


def select(query: Query, hits: Sequence[Hit], limit: int) -> tuple[Hit, ...]:
    """Return at most `limit` hits, ranked anew.

    Hits that share words with the text come forward first. Near duplicates are folded then, and
    groups; at last hits are chosen to differ.

    Args:
        hits: The nearest first, `pool_size` of them, with vectors if `needs_vectors`.

    Raises:
        FilterError: No hit has the field to group by, or to compare words with.
    """
    if query.min_share is not None and hits:
        least = hits[0].score - (1 - query.min_share) * abs(hits[0].score)
        hits = [hit for hit in hits if hit.score >= least]
    if query.hybrid and query.text:
        _check_field(hits, query.hybrid, "compare words with")
        hits = fused(hits, query.hybrid, query.text)
    if query.fold is not None:
        hits = _folded(hits, _near_duplicates(_vectors(hits), query.fold))
    if query.group_by is not None:
        hits = _folded(hits, _groups(hits, query.group_by))
    if query.diversity:
        scores = np.array([hit.score for hit in hits])
        hits = [hits[i] for i in _diverse(scores, _vectors(hits), limit, query.diversity)]
    return tuple(
        replace(hit, rank=rank, retrieval_rank=rank) for rank, hit in enumerate(hits[:limit], 1)
    )


def _vectors(hits: Sequence[Hit]) -> Floats:
    """Unit vectors of the hits, shape (hits, dimension)."""
    rows = np.array([hit.vector for hit in hits], dtype=np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True))


def _folded(hits: Sequence[Hit], leaders: Sequence[int]) -> list[Hit]:
    """The hits that are their own leaders, each with the number of those that it stands for.

    Args:
        leaders: For each hit, the position of the one that it is folded into.
    """
    others = [0] * len(hits)
    for own, leader in enumerate(leaders):
        if leader != own:
            others[leader] += 1 + hits[own].folded
    return [
        replace(hits[own], folded=hits[own].folded + others[own])
        for own, leader in enumerate(leaders)
        if leader == own
    ]


def _near_duplicates(vectors: Floats, threshold: float) -> list[int]:
    """For each row, the first one before it that leads itself and is as similar; else itself."""
    leaders: list[int] = []
    kept: list[int] = []
    for own, row in enumerate(vectors):
        near = np.flatnonzero(vectors[kept] @ row >= threshold - 1e-6)  # rounding of equal vectors
        leaders.append(kept[near[0]] if near.size else own)
        if not near.size:
            kept.append(own)
    return leaders


def _groups(hits: Sequence[Hit], field: str) -> list[int]:
    """For each hit, the first with the same value of the field; without the field, itself."""
    _check_field(hits, field, "group by")
    first: dict[str, int] = {}
    return [
        first.setdefault(json.dumps(hit.metadata[field], sort_keys=True), own)
        if field in hit.metadata
        else own
        for own, hit in enumerate(hits)
    ]


def _check_field(hits: Sequence[Hit], field: str, purpose: str) -> None:
    """Raise a `FilterError` if there are hits and none has the field."""
    if hits and not any(field in hit.metadata for hit in hits):
        known = sorted({key for hit in hits for key in hit.metadata})
        have = f"they have {', '.join(known[:20])}" if known else "they have no metadata"
        raise FilterError(f"No item that was found has the field {field!r} to {purpose}: {have}.")


def _diverse(scores: Floats, vectors: Floats, limit: int, diversity: float) -> list[int]:
    """Positions in the order of maximal marginal relevance, at most `limit`.

    Carbonell and Goldstein, "The use of MMR", SIGIR 1998: the next is the one with the highest
    (1 - diversity) · score - diversity · (highest similarity to one that was taken).

    >>> same, other = [1.0, 0.0], [0.6, 0.8]
    >>> _diverse(np.array([0.9, 0.8, 0.7]), np.array([same, same, other]), 2, 0.5)
    [0, 2]
    """
    value, nearest = (1 - diversity) * scores, np.full(len(scores), -1.0)
    order: list[int] = []
    while len(order) < min(limit, len(scores)):
        # The first is the most similar one, however much diversity counts.
        best = int(np.argmax(value - diversity * nearest)) if order else 0
        order.append(best)
        value[best] = -np.inf
        nearest = np.maximum(nearest, vectors @ vectors[best])
    return order
