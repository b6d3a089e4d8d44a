"""Choose what words count beside a picture, for encoders that combine both by a weighted sum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocelot.encoders.base import Encoder
from ocelot.errors import ConfigurationError, InputError
from ocelot.evaluation.benchmarks.triplets import TripletQuery, triplets_benchmark
from ocelot.evaluation.metrics import best_first
from ocelot.types import Input

__all__ = ["TextWeight", "choose_text_weight"]

_WEIGHTS = tuple(step / 20 for step in range(21))


@dataclass(frozen=True)
class TextWeight:
    """The weight of words that finds the targets best, by mean reciprocal rank (MRR)."""

    weight: float  # the best of those tried
    queries: int  # with a picture and a text
    mrr: dict[float, float]  # at each weight
    held_out: float  # chosen on one half of the queries, measured on the other
    as_set: float  # at the encoder's present weight


def choose_text_weight(
    encoder: Encoder, queries: Sequence[TripletQuery], folder: Path, pictures: Sequence[Path]
) -> TextWeight:
    """Try weights from 0 to 1 on the queries that have a reference and a text.

    Raises:
        ConfigurationError: The encoder does not combine both by a weighted sum.
        InputError: There are fewer than two such queries.
        MetadataError: A query names a picture that is not in the gallery.
        ImageError: A picture cannot be read.
    """
    if encoder.text_weight is None:
        raise ConfigurationError(
            f"The encoder {encoder.name} has no weight of words to choose: only models that take "
            "pictures and words apart have one, such as CLIP and SigLIP (--encoder st:NAME)."
        )
    benchmark = triplets_benchmark(queries, folder, pictures)
    both = [query for query in benchmark.queries if query.reference and query.text]
    if len(both) < 2:
        raise InputError("Give two or more queries that have both a reference and a text.")
    files = {name: picture.path for name, picture in benchmark.pictures.items()}
    columns = {name: column for column, name in enumerate(files)}
    targets = [[columns[name] for name in query.targets] for query in both]
    references = [str(query.reference) for query in both]
    gallery = encoder.encode(Input(path) for path in files.values())
    image = encoder.encode(Input(files[name], is_query=True) for name in references)
    text = encoder.encode(Input(text=query.text, is_query=True) for query in both)

    def reciprocal_ranks(weight: float) -> list[float]:
        asked = (1 - weight) * image + weight * text  # its length does not change an order
        found = []
        for scores, wanted, name in zip(asked @ gallery.T, targets, references, strict=True):
            order = best_first(scores, wanted, [columns[name]])
            found.append(1 / (1 + np.isin(order, wanted).argmax()))
        return found

    ranks = np.array([reciprocal_ranks(weight) for weight in _WEIGHTS]).T  # (queries, weights)
    halves = ranks[::2], ranks[1::2]
    chosen = [half.mean(axis=0).argmax() for half in halves]
    other = np.concatenate([halves[1][:, chosen[0]], halves[0][:, chosen[1]]])
    means = ranks.mean(axis=0)
    return TextWeight(
        weight=_WEIGHTS[int(means.argmax())],
        queries=len(both),
        mrr={weight: round(float(m), 4) for weight, m in zip(_WEIGHTS, means, strict=True)},
        held_out=round(float(other.mean()), 4),
        as_set=round(float(np.mean(reciprocal_ranks(encoder.text_weight))), 4),
    )
