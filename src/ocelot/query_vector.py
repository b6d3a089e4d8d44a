"""From the parts of a query to the one vector that is searched with: pure functions.

An encoder combines one image with one text. The rest is arithmetic on its vectors, which no model
was trained for; `benchmarks/queries.py` measures each step.

1. Each picture counts by its share of the pictures' weights. Of a picture and the text, the smaller
   weight is how much of their joint vector is taken, and the rest is the vector of the heavier part
   alone. Equal weights give the encoder's own vector.
2. Liked items pull the query towards the mean of their vectors (Rocchio, "Relevance feedback in
   information retrieval", 1971).
3. What is not wanted pushes it away. As that often shares much with what is wanted (no red shirts,
   but shirts), only the part of it counts that is orthogonal to the query, so that it can never
   cancel the query (Widdows, "Orthogonal negation in vector spaces", ACL 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.errors import EncoderError
from ocelot.query import Input, Query

if TYPE_CHECKING:
    from ocelot.types import Vector

__all__ = ["Matrix", "normalized_mean", "query_vector", "unwanted_inputs", "wanted_inputs"]

Matrix = np.ndarray[tuple[int, int], np.dtype[np.float32]]

_LIKE = 0.5  # of liked items, beside the query's 1


def wanted_inputs(query: Query) -> list[tuple[Input, float]]:
    """What to encode of the images and the text, each with its weight; all weights are over 0."""
    text, images = query.text, query.images
    if not images:
        return [(Input(text=text, is_query=True), 1.0)]
    weights = query.image_weights or (1.0,) * len(images)
    total = sum(weights)
    shares = [weight / total for weight in weights]
    alone = [(Input(one, is_query=True), share) for one, share in zip(images, shares, strict=True)]
    if not text:
        return alone
    strongest = max(weights)
    joint = min(strongest, query.text_weight)
    found = [(replace(one, text=text), joint * share) for one, share in alone]
    found += [(one, (strongest - joint) * share) for one, share in alone]
    found.append((Input(text=text, is_query=True), query.text_weight - joint))
    return [(input, weight) for input, weight in found if weight > 0]


def unwanted_inputs(query: Query) -> list[Input]:
    """What to encode of what is not wanted."""
    text, images = query.negative_text, query.negative_images
    texts = [Input(text=text, is_query=True)] if text else []
    return [*texts, *(Input(image, is_query=True) for image in images)]


def query_vector(
    wanted: Matrix,
    weights: Sequence[float],
    liked: Matrix | None = None,
    unwanted: Matrix | None = None,
    negative_weight: float = 0.5,
) -> Vector:
    """Combine vectors of length 1 as described above.

    >>> x, y, z = np.eye(3, dtype=np.float32)
    >>> query_vector([x, y], [3, 1]).astype(float).round(2).tolist()
    [0.95, 0.32, 0.0]
    >>> away = query_vector([x], [1], unwanted=[(x + y) / 2**0.5])
    >>> away.astype(float).round(2).tolist()
    [0.94, -0.33, 0.0]

    Args:
        wanted: Shape (n, dimension), n at least 1.
        weights: Of `wanted`, n numbers over 0.
        liked, unwanted: Shape (any number, dimension).
        negative_weight: 0 ignores what is not wanted.

    Returns:
        float32, shape (dimension,), length 1.

    Raises:
        EncoderError: The wanted vectors cancel each other out.
    """
    asked = normalized_mean(wanted, weights)
    if liked is not None and len(liked):
        asked = _unit(asked + _LIKE * np.mean(liked, axis=0, dtype=np.float64))
    if unwanted is not None and len(unwanted):
        away = np.mean(unwanted, axis=0, dtype=np.float64)
        asked = _unit(asked - negative_weight * (away - (away @ asked) * asked))
    return asked


def normalized_mean(rows: Matrix, weights: Sequence[float] | None = None) -> Vector:
    """Return the mean of unit vectors, scaled to length 1; a single row is returned unchanged.

    Args:
        rows: Shape (n, dimension), n at least 1.
        weights: n numbers over 0; by default all equal.

    Raises:
        EncoderError: The vectors cancel each other out, so that their mean has no direction.
    """
    if len(rows) == 1:
        only: Vector = rows[0]
        return only
    mean = np.average(np.asarray(rows, dtype=np.float64), axis=0, weights=weights)
    if np.linalg.norm(mean) < 1e-6:  # what rounding leaves of opposite vectors
        raise EncoderError(
            f"The {len(rows)} parts of the query cancel each other out: the mean of their "
            "vectors has no direction; leave one out."
        )
    return _unit(mean)


def _unit(vector: np.ndarray[tuple[int], Any]) -> Vector:
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)
