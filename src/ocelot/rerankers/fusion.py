"""Rerank without a language model: how well does each hit agree with each part of the query?

A picture can be close to a composed query only because it fits one part of it very well. So hits
are ordered by their cosine similarity to the whole query, plus what those to its text alone and to
its picture alone count for this encoder. These two weights are fitted on held-out queries and come
with the encoder (`ocelot.score_calibration`). Where there are none, for queries of one part, and
for queries with weights, negative parts or other wishes (`Query.is_plain`), hits keep retrieval
order: a fusion that was not measured is not trusted.

The calibration also says how often a first hit like this one is right, and so whether anything
fits. It was fitted on plain queries of one picture at most and nine hits at least: of other results
it is not said whether anything fits.

Several reference pictures count as one: the normalised mean of their vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np

from ocelot.errors import ImageError, ItemNotFound, OcelotError
from ocelot.images.store import ImageStore
from ocelot.query_vector import normalized_mean
from ocelot.score_calibration import LEAD_OVER
from ocelot.types import Hit, Input, Query, Ranking, Sentence

if TYPE_CHECKING:
    from ocelot.encoders.base import Encoder

    Scores = np.ndarray[Any, np.dtype[np.float64]]

__all__ = ["FusionReranker", "ordinal"]

_ENGLISH = {  # parts of a reason
    "image": "Closest to the {picture}",
    "text": "Closest to “{text}”",
    "both": "Closest to the {picture} and “{text}”",
    "closest": "Closest to the {picture} and “{text}” together",
    "close": "Close to the {picture} and “{text}” together",
    "like_most": "Looks most like the {picture}, and goes with “{text}”",
    "like": "Looks much like the {picture}, and goes with “{text}”",
    "fits": "Fits “{text}” well, and keeps something of the {picture}",
    "wishes": ", and to what else the query says",
    "score": " (score {score:.2f})",
    "places": " (score {score:.2f}; of {count}, {by_image} by the {picture} and {by_text} by the "
    "text)",
    "unfit": ", but not close enough to be a match",
}
_NEAR = 3  # a place up to which a hit counts as close to a part of the query


class FusionReranker:
    """Orders hits by their agreement with the whole query, its text and its picture.

    Hits without a vector are encoded; if a picture cannot be read, its retrieval score is used
    for the whole query, and the mean of the others for the parts. Ties keep retrieval order.

    Args:
        encoder: The one that made the hits' vectors.
        images: Where the pictures of hits without a vector are read from.
    """

    name = "fusion"

    def __init__(self, encoder: Encoder, images: ImageStore | None = None) -> None:
        self._encoder = encoder
        self._images = images or ImageStore()

    def rerank(self, query: Query, hits: Sequence[Hit]) -> Ranking:
        """Order `hits` and judge the first; see `ocelot.rerankers.base.Reranker`."""
        if not hits:
            return Ranking((), "There was nothing to rank.", self.name)
        order = tuple(range(len(hits)))
        found = np.array([hit.score for hit in hits])
        kind = "both" if query.text and query.images else "image" if query.images else "text"
        if query.text is None or not query.images or not query.is_plain:
            fitted = query.is_plain and len(query.images) < 2
            match = self._fits(kind, found) if fitted else None
            parts = (kind, *([] if query.is_plain else ["wishes"]), "score")
            return self._ranking(query, order, match, *parts, score=float(found[0]))
        try:
            (whole, text, image), picture = self._scores(query, hits)
        except OcelotError as error:
            kept = self._ranking(query, order, None, kind, "score", score=float(found[0]))
            return replace(kept, status="fallback", detail=str(error))
        fused = whole
        if calibration := self._encoder.score_calibration:
            fused = whole + calibration.text * _filled(text) + calibration.image * _filled(image)
        order = tuple(int(i) for i in np.argsort(-np.round(fused, 6), kind="stable"))
        first = order[0]
        match = None if len(query.images) > 1 else self._fits(kind, whole, first, picture)
        score = float(whole[first])
        if np.isnan(text[first]):
            return self._ranking(query, order, match, "closest", "score", score=score)
        by_text, by_image = _place(text, first), _place(image, first)
        near_text, near_image = by_text <= _NEAR, by_image <= _NEAR
        if near_text == near_image:
            said = "closest" if _place(whole, first) == 1 else "close"
        elif near_image:
            said = "like_most" if by_image == 1 else "like"
        else:
            said = "fits"
        places = {"count": len(hits), "by_image": by_image, "by_text": by_text}
        return self._ranking(query, order, match, said, "places", score=score, **places)

    def _ranking(
        self, query: Query, order: tuple[int, ...], match: bool | None, *parts: str, **values: Any
    ) -> Ranking:
        """The ranking whose reason consists of these parts of a sentence."""
        values["text"] = shorten(query.text or "", 50, placeholder="…")
        parts = (*parts, *(["unfit"] if match is False else []))
        places = {name: ordinal(values[name]) for name in ("by_image", "by_text") if name in values}
        picture = "pictures" if len(query.images) > 1 else "picture"
        reason = "".join(_ENGLISH[part] for part in parts)
        reason = f"{reason}.".format_map(values | places | {"picture": picture})
        return Ranking(order, reason, self.name, match=match, sentence=Sentence(parts, values))

    def _fits(
        self, parts: str, scores: Scores, first: int = 0, picture: float = 0.0
    ) -> bool | None:
        """Whether the first hit is good enough to be a match; None if that is not known."""
        calibration = self._encoder.score_calibration
        if calibration is None or len(scores) < LEAD_OVER:
            return None
        lead = scores[first] - scores[LEAD_OVER - 1]
        return calibration.fits(parts, float(scores[first]), float(lead), picture)

    def _scores(self, query: Query, hits: Sequence[Hit]) -> tuple[Scores, float]:
        """Cosines to the whole query, its text and its pictures, shape (3, hits).

        NaN to the text and the pictures where a hit's picture cannot be read. Also the cosine of
        the whole query to its pictures.
        """
        alone = [Input(image, is_query=True) for image in query.images]
        text = Input(text=query.text, is_query=True)
        encoded = self._encoder.encode([*query.inputs(), text, *alone])
        composed, words, pictures = np.split(encoded, [len(alone), len(alone) + 1])
        parts = np.stack([normalized_mean(rows) for rows in (composed, words, pictures)])
        rows = np.stack([self._vector(hit) for hit in hits])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        # Rounded, so that noise in the last bits cannot break a tie.
        cosines: Scores = np.round(rows @ parts.astype(np.float64).T, 6).T
        unknown = np.isnan(cosines[0])
        cosines[0, unknown] = np.array([hit.score for hit in hits])[unknown]
        return cosines, float(parts[0] @ parts[2])

    def _vector(self, hit: Hit) -> Scores:
        if hit.vector is not None:
            return np.asarray(hit.vector, dtype=np.float64)
        try:
            encoded = self._encoder.encode([Input(self._images.original(hit))])
            return np.asarray(encoded[0], dtype=np.float64)
        except (ImageError, ItemNotFound):
            return np.full(self._encoder.dimension, np.nan)


def _filled(scores: Scores) -> Scores:
    """The scores, with their mean where one is not known."""
    known = ~np.isnan(scores)
    return np.where(known, scores, scores[known].mean() if known.any() else 0.0)


def _place(scores: Scores, number: int) -> int:
    """The place of a hit by a score, from 1; equal scores share a place."""
    return 1 + int((scores > scores[number]).sum())


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th, …, 21st."""
    teen = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
