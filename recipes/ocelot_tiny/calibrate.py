"""Fit what the scores of an encoder mean on held-out searches, and show how well that holds.

Every second query is fitted on, and the others are judged: how often is a first hit right that the
calibration calls a match, with the answers in the gallery and without them?
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ocelot.calibration import LEAD_OVER, Calibration
from ocelot.encoders.base import Encoder
from ocelot.evaluation.calibration import First, first_hits, fit_curve
from recipes.ocelot_tiny.listings import read_listings
from recipes.ocelot_tiny.searches import (
    Floats,
    Search,
    colour_kind_search,
    colour_search,
    encode_files,
    file_of,
    folder_searches,
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
    for name in ("fashion", "abo"):
        shop = read_listings(root / name, held_out=True)
        gallery = encode_files(encoder, map(file_of, shop))
        for search in (
            colour_search(encoder, shop, gallery),
            kind_search(encoder, shop, gallery, 3),
            colour_kind_search(encoder, shop, gallery),
        ):
            searches.append(replace(search, name=f"{name}: {search.name}"))
    for folder in sets:
        searches += folder_searches(encoder, folder)
    return searches


def calibrate(searches: Sequence[Search]) -> Calibration:
    """Fit the weights of the parts and the curves on every second query."""
    halves = [_half(search, 0) for search in searches]
    both = [search for search in halves if search.parts == "both"]
    text, image = max(
        ((text, image) for text in _WEIGHTS for image in _WEIGHTS),
        key=lambda pair: (np.mean([_right(search, *pair).mean() for search in both]), -sum(pair)),
    )
    curves = {}
    for parts in ("text", "image", "both"):
        groups = [_first(search) for search in halves if search.parts == parts]
        curves[parts] = fit_curve(groups)
    return Calibration(text, image, curves)


def judge(search: Search, calibration: Calibration) -> Judged:
    """Judge the queries of a search that were not fitted on."""
    half = _half(search, 1)
    first = _first(half)
    count = len(half.asked)
    called = np.array([calibration.fits(half.parts, one.score, one.lead) for one in first])
    right = np.array([one.right for one in first])
    hits = right[:count][called[:count]]
    return Judged(
        count,
        float(right[:count].mean()),
        float(called[:count].mean()),
        float(hits.mean()) if len(hits) else float("nan"),
        float(called[count:].mean()),
    )


def fused_gain(search: Search, calibration: Calibration) -> Gain:
    """Measure what fusion gains over retrieval, on the queries that were not fitted on."""
    half = _half(search, 1)
    plain, fused = _right(half, 0, 0), _right(half, calibration.text, calibration.image)
    rng = np.random.default_rng(0)
    chosen = rng.integers(0, len(plain), (_RESAMPLES, len(plain)))
    gains = (fused - plain)[chosen].mean(axis=1)
    low, high = np.percentile(gains, [2.5, 97.5])
    return Gain(float(plain.mean()), float(fused.mean()), float(low), float(high))


def _half(search: Search, number: int) -> Search:
    def part(rows: Floats | None) -> Floats | None:
        return None if rows is None else rows[number::2]

    return replace(
        search,
        asked=search.asked[number::2],
        texts=part(search.texts),
        images=part(search.images),
        targets=search.targets[number::2],
        left_out=search.left_out[number::2],
    )


def _first(search: Search) -> list[First]:
    return first_hits(search.asked @ search.gallery.T, search.targets, search.left_out)


def _right(search: Search, text: float, image: float) -> Floats:
    """Whether the first of the first nine hits is right once they are fused; 1 or 0 each."""
    assert search.texts is not None and search.images is not None
    scores = search.scores()
    shown = np.argsort(-scores, axis=1, kind="stable")[:, :LEAD_OVER]
    rows = search.gallery[shown]
    fused = np.take_along_axis(scores, shown, axis=1)
    fused = fused + text * np.einsum("nkd,nd->nk", rows, search.texts)
    fused = fused + image * np.einsum("nkd,nd->nk", rows, search.images)
    first = np.take_along_axis(shown, fused.argmax(axis=1)[:, None], axis=1)[:, 0]
    pairs = zip(first.tolist(), search.targets, strict=True)
    return np.array([number in wanted for number, wanted in pairs], np.float32)
