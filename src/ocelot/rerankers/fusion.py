"""Rerank without a language model: how well does each hit agree with each part of the query?

A picture can be close to a composed query only because it fits one part of it very well. So three
rankings are fused, by cosine similarity to the whole query, to its text alone, and to its picture
alone, with weighted reciprocal-rank fusion (Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion
Outperforms Condorcet and Individual Rank Learning Methods", SIGIR 2009). Ranks are added, not
cosines, because cosines to a text and to a picture have different scales, and there are too few
candidates to estimate them. Several reference pictures count as one: the normalised mean of their
vectors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.encoders.base import normalized_mean
from ocelot.errors import ImageError, ItemNotFound, OcelotError
from ocelot.images.store import ImageStore
from ocelot.types import Hit, Input, Query, Ranking

if TYPE_CHECKING:
    from ocelot.encoders.base import Encoder

    Scores = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["FusionReranker", "ordinal"]

# The whole counts as much as both parts together, so that it decides when they disagree.
_WEIGHTS = {"whole": 2.0, "text": 1.0, "image": 1.0}
_K = 60.0  # the paper's constant: the larger, the less a first place counts over a second


class FusionReranker:
    """Orders hits by their agreement with the whole query, its text and its picture.

    A query with one part keeps retrieval order. Hits without a vector are encoded; if a picture
    cannot be read, its retrieval score is used for the whole query, and it is last for the
    parts. Ties keep retrieval order.

    Args:
        encoder: The one that made the hits' vectors.
        images: Where the pictures of hits without a vector are read from.
    """

    name = "fusion"

    def __init__(self, encoder: Encoder, images: ImageStore | None = None) -> None:
        self._encoder = encoder
        self._images = images or ImageStore()

    def __repr__(self) -> str:
        return f"FusionReranker(encoder={self._encoder.name!r})"

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """Fuse the three rankings of `hits`; see `ocelot.rerankers.base.Reranker`."""
        if not hits:
            return Ranking((), "There was nothing to rank.", self.name)
        order = tuple(range(len(hits)))
        picture = "pictures" if len(query.images) > 1 else "picture"
        if query.text is None or not query.images:
            part = picture if query.images else "text"
            reason = f"Closest to the {part} (score {hits[0].score:.2f}, 1st of {len(hits)})."
            return Ranking(order, reason, self.name)
        try:
            scores = self._scores(query, hits)
        except OcelotError as error:
            reason = f"Closest to the {picture} and text together (score {hits[0].score:.2f})."
            return Ranking(order, reason, self.name, status="fallback", detail=str(error))
        ranks = {part: _ranks(values) for part, values in scores.items()}
        fused = sum(_WEIGHTS[part] / (_K + ranks[part]) for part in ranks)
        order = tuple(int(i) for i in np.argsort(-np.round(fused, 12), kind="stable"))
        return Ranking(order, _reason(order[0], scores, ranks, picture), self.name)

    def _scores(self, query: Query, hits: Sequence[Hit]) -> dict[str, Scores]:
        alone = [Input(image=image) for image in query.images]
        encoded = self._encoder.encode([*query.inputs(), Input(text=query.text), *alone])
        composed, text, pictures = np.split(encoded, [len(alone), len(alone) + 1])
        parts = np.stack([normalized_mean(rows) for rows in (composed, text, pictures)])
        rows = np.stack([self._vector(hit) for hit in hits])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        # Rounded, so that noise in the last bits cannot break a tie.
        cosines = np.round(rows @ parts.astype(np.float64).T, 6)
        whole = np.where(np.isnan(cosines[:, 0]), [hit.score for hit in hits], cosines[:, 0])
        return {"whole": whole, "text": cosines[:, 1], "image": cosines[:, 2]}

    def _vector(self, hit: Hit) -> Scores:
        """The hit's vector, shape (dimension,); NaN if its picture cannot be read."""
        try:
            vector = hit.vector
            if vector is None:
                vector = self._encoder.encode([Input(self._images.original(hit))])[0]
            return np.asarray(vector, dtype=np.float64)
        except (ImageError, ItemNotFound):
            return np.full(self._encoder.dimension, np.nan)


def _ranks(scores: Scores) -> Scores:
    # Competition ranking: equal scores share a rank, the next rank is skipped. Unknown is last.
    known = np.where(np.isnan(scores), -np.inf, scores)
    better = known[None, :] > known[:, None]
    return np.asarray(1.0 + better.sum(axis=1))


def _reason(
    first: int, scores: Mapping[str, Scores], ranks: Mapping[str, Scores], picture: str
) -> str:
    def place(part: str) -> str:
        return ordinal(int(ranks[part][first]))

    count = len(scores["whole"])
    score = f"(score {scores['whole'][first]:.2f}, {place('whole')} of {count})"
    whole = f"the {picture} and text together {score}"
    others = [
        f"to the {name} alone {place(part)} ({scores[part][first]:.2f})"
        for part, name in (("text", "text"), ("image", picture))
        if not np.isnan(scores[part][first])
    ]
    lead = "Closest to" if ranks["whole"][first] == 1 else "Close to"
    return f"{lead} {whole}{'; ' if others else ''}{', '.join(others)}."


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th, …, 21st."""
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
