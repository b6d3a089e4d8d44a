"""Fit what the scores of an encoder mean on held-out searches, and show how well that holds.

Queries with one half of the pictures are fitted on, and the others are judged: how often is a first
hit right that the calibration calls a match, with the answers in the gallery and without them?
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ocelot.encoders.base import Encoder
from ocelot.errors import ConfigurationError
from ocelot.evaluation.score_calibration import First, first_hits, fit_curve
from ocelot.score_calibration import LEAD_OVER, ScoreCalibration
from recipes.ocelot_tiny.searches import (
    Floats,
    Search,
    colour_kind_search,
    colour_search,
    folder_searches,
    held_out_shops,
    kind_search,
)

__all__ = ["Gain", "Judged", "calibrate", "every_search", "fused_gain", "judge"]

_WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
_RESAMPLES = 2000


@dataclass(frozen=True)
class Gain:
    """R@1 of a search as retrieved and as fused, and a 95 % bootstrap interval of the gain."""

    plain: float
    fused: float
    low: float
    high: float


@dataclass(frozen=True)
class Judged:
    """How a calibration judges the first hits of a search.

    Attributes:
        queries: Number of queries.
        right: Share of queries with their answers whose first hit is right.
        called: Share of queries with their answers that are called a match.
        precision: Share of right ones among these; NaN if there are none.
        called_without: Share of queries without their answers that are called a match.
    """

    queries: int
    right: float
    called: float
    precision: float
    called_without: float


def every_search(encoder: Encoder, root: Path, sets: Iterable[Path]) -> list[Search]:
    """Return the searches of the tables `fashion` and `abo`, and of evaluation sets."""
    searches = []
    for name, (shop, gallery) in held_out_shops(encoder, root).items():
        for search in (
            colour_search(encoder, shop, gallery),
            kind_search(encoder, shop, gallery, 3),
            colour_kind_search(encoder, shop, gallery),
        ):
            searches.append(replace(search, name=f"{name}: {search.name}"))
    for folder in sets:
        searches += folder_searches(encoder, folder)
    return searches


def calibrate(searches: Sequence[Search]) -> ScoreCalibration:
    """Fit the weights of the parts and the curves on one half of the queries.

    The weights stay 0 unless they help on the other half, by a bootstrap interval over all queries
    of two parts.

    Raises:
        ConfigurationError: There are no queries of a text, of a picture, or of both.
    """
    halves = [_half(search, 0) for search in searches]
    if missing := {"text", "image", "both"} - {search.parts for search in halves}:
        raise ConfigurationError(f"There are no queries of: {', '.join(sorted(missing))}.")
    both = [_nine(search) for search in halves if search.parts == "both"]
    text, image = max(
        ((text, image) for text in _WEIGHTS for image in _WEIGHTS),
        key=lambda pair: (np.mean([_right(nine, *pair).mean() for nine in both]), -sum(pair)),
    )
    others = [_nine(_half(search, 1)) for search in searches if search.parts == "both"]
    gains = np.concatenate([_right(one, text, image) - _right(one) for one in others])
    if _interval(gains)[0] <= 0:
        text = image = 0.0
    curves = {}
    for parts in ("text", "image", "both"):
        groups = [[*chain(*_first(one, text, image))] for one in halves if one.parts == parts]
        curves[parts] = fit_curve(groups)
    return ScoreCalibration(text, image, curves)


def judge(search: Search, calibration: ScoreCalibration) -> Judged:
    """Judge the queries of a search that were not fitted on."""
    half = _half(search, 1)
    found, without = _first(half, calibration.text, calibration.image)

    def called(first: First) -> bool:
        return calibration.fits(half.parts, first.score, first.lead, first.picture)

    right = [first.right for first in found if called(first)]
    return Judged(
        len(found),
        float(np.mean([first.right for first in found])),
        len(right) / len(found),
        float(np.mean(right)) if right else float("nan"),
        float(np.mean([called(first) for first in without])),
    )


def fused_gain(search: Search, calibration: ScoreCalibration) -> Gain:
    """Measure what fusion gains over retrieval, on the queries that were not fitted on."""
    nine = _nine(_half(search, 1))
    plain, fused = _right(nine), _right(nine, calibration.text, calibration.image)
    return Gain(float(plain.mean()), float(fused.mean()), *_interval(fused - plain))


def _interval(gains: Floats) -> tuple[float, float]:
    """A 95 % bootstrap interval of the mean."""
    chosen = np.random.default_rng(0).integers(0, len(gains), (_RESAMPLES, len(gains)))
    low, high = np.percentile(gains[chosen].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _half(search: Search, number: int) -> Search:
    """The queries of every second group, so that no picture is on both sides."""
    places = {group: place for place, group in enumerate(dict.fromkeys(search.groups))}
    rows = [row for row, group in enumerate(search.groups) if places[group] % 2 == number]

    def part(vectors: Floats | None) -> Floats | None:
        return None if vectors is None else vectors[rows]

    return replace(
        search,
        asked=search.asked[rows],
        texts=part(search.texts),
        images=part(search.images),
        targets=[search.targets[row] for row in rows],
        left_out=[search.left_out[row] for row in rows],
        groups=[search.groups[row] for row in rows],
    )


def _first(search: Search, text: float, image: float) -> tuple[list[First], list[First]]:
    scores = search.asked @ search.gallery.T
    fused = pictures = None
    if search.texts is not None and search.images is not None:
        pictures = np.einsum("nd,nd->n", search.asked, search.images)
        fused = scores + (text * search.texts + image * search.images) @ search.gallery.T
    return first_hits(scores, search.targets, search.left_out, fused, pictures)


class _Nine(NamedTuple):
    """The first nine hits of queries of two parts, shape (n, 9) each: scores, and who is right."""

    whole: Floats
    text: Floats
    image: Floats
    right: Floats  # 1 or 0


def _nine(search: Search) -> _Nine:
    assert search.texts is not None and search.images is not None
    scores = search.scores()
    shown = np.argsort(-scores, axis=1, kind="stable")[:, :LEAD_OVER]
    rows = search.gallery[shown]
    pairs = zip(shown.tolist(), search.targets, strict=True)
    return _Nine(
        np.take_along_axis(scores, shown, axis=1),
        np.einsum("nkd,nd->nk", rows, search.texts),
        np.einsum("nkd,nd->nk", rows, search.images),
        np.array([[number in wanted for number in row] for row, wanted in pairs], np.float32),
    )


def _right(nine: _Nine, text: float = 0.0, image: float = 0.0) -> Floats:
    """Whether the first of the nine hits is right once they are fused; 1 or 0 each."""
    first = (nine.whole + text * nine.text + image * nine.image).argmax(axis=1)
    return np.take_along_axis(nine.right, first[:, None], axis=1)[:, 0]
