"""What the scores of an encoder mean: how often a first hit is right, fitted on held-out queries.

A folder in Ocelot's format may hold `scores.json`::

    {"weights": {"text": 0.0, "image": 0.3},
     "curves": {"both": {"score": 9.1, "lead": 21.0, "offset": -11.2, "picture": -3.1},
                "text": …, "image": …}}
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from ocelot.errors import CheckpointError

__all__ = [
    "LEAD_OVER",
    "Curve",
    "ScoreCalibration",
    "read_score_calibration",
    "write_score_calibration",
]

_FILE = "scores.json"
_KINDS = ("text", "image", "both")
_VALUES = ("score", "lead", "offset", "picture")
_UNSAID = {"picture": 0.0}  # earlier files do not have it
_LEAST = 1 / 3  # a first hit that is wrong more than two times in three is called no match
LEAD_OVER = 9  # the hit that a first hit's lead is measured from, counted from 1


@dataclass(frozen=True)
class Curve:
    """A logistic curve (Platt, "Probabilistic Outputs for Support Vector Machines", 1999)."""

    score: float
    lead: float
    offset: float
    picture: float = 0.0

    def probability(self, score: float, lead: float, picture: float = 0.0) -> float:
        """How often a first hit is right.

        Args:
            score: Its cosine similarity to the query, -1 to 1.
            lead: By how much that is more than the score of the ninth hit.
            picture: Cosine similarity of a query of both to its picture alone: the more of the
                picture a query has, the higher are its scores.
        """
        logit = self.score * score + self.lead * lead + self.picture * picture + self.offset
        return 1 / (1 + math.exp(-max(-50.0, min(50.0, logit))))


@dataclass(frozen=True)
class ScoreCalibration:
    """What was fitted for one encoder.

    Attributes:
        text, image: What the similarity to the text alone and to the picture alone count beside
            the similarity to the whole query, when hits are reranked.
        curves: By the parts that a query has: "text", "image" or "both".
    """

    text: float
    image: float
    curves: Mapping[str, Curve]

    def fits(self, parts: str, score: float, lead: float, picture: float = 0.0) -> bool:
        """Whether the first hit of a query is right often enough to be called a match."""
        return self.curves[parts].probability(score, lead, picture) >= _LEAST


def read_score_calibration(folder: Path) -> ScoreCalibration | None:
    """Read the calibration of the encoder in a folder; None if it has none.

    Raises:
        CheckpointError: The file cannot be read.
    """
    file = folder / _FILE
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
        curves = {
            kind: Curve(*(_number(_UNSAID | table["curves"][kind], name) for name in _VALUES))
            for kind in _KINDS
        }
        text, image = (_number(table["weights"], name) for name in ("text", "image"))
        return ScoreCalibration(text, image, curves)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"Cannot read {file}: {error.strerror}.") from None
    except KeyError as error:
        raise CheckpointError(f"{file} is damaged: {error} is missing.") from None
    except (TypeError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is damaged: {error}.") from None


def _number(table: Mapping[str, object], name: str) -> float:
    value = table[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{name} must be a number, was: {value!r}")
    return float(value)


def write_score_calibration(folder: Path, calibration: ScoreCalibration) -> None:
    """Write what `read_score_calibration` reads."""
    table = {
        "weights": {"text": calibration.text, "image": calibration.image},
        "curves": {kind: asdict(curve) for kind, curve in calibration.curves.items()},
    }
    (folder / _FILE).write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
