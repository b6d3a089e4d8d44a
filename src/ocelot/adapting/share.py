"""How much a picture alone counts beside its text, learned from texts.

"The same in blue" wants the article that the picture shows, "a bag in this colour" another one.
Words tell the two apart, so each sub-word gets a number: see `ocelot.model.geometry.Geometry`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ocelot.adapting.questions import Asker
from ocelot.evaluation.score_calibration import logistic_regression
from ocelot.model.checkpoint import Checkpoint, write_like
from ocelot.model.geometry import Geometry
from ocelot.model.visualized_bge import Network, build

__all__ = ["ANOTHER", "THE_SAME", "fit_share", "with_share_by_words"]

# How much of the share texts want that change the article, and that ask for another one: not 1 and
# 0, between which a text of both would be torn.
THE_SAME, ANOTHER = 0.9, 0.1
# Where the encoder has no share of a picture's own vector, or of its instance part.
_MOST, _MOST_OF_INSTANCE = 0.5, 1.0
_COUNT = 1_500  # texts of each attribute and task
# Weight of the penalty, for each text: on numbers, and on what is added to those that words have,
# which must stay what they are in texts of another kind.
_RIDGE, _RIDGE_OF_CORRECTION = 1e-4, 1e-3
_LONGEST = 64  # tokens of a text


def fit_share(checkpoint: Checkpoint, output: Path, before: Geometry, asker: Asker) -> Path:
    """Write an encoder that was trained without a share, with one that its texts choose.

    Args:
        output: A new folder for it.
        before: Of the encoder before training, whose share it takes over unless the share is now
            of an instance part that is new. Without attributes all texts take the same.
    """
    texts, wants = _wordings(asker)
    new = checkpoint.geometry.instance is not None and before.instance is None
    if texts:
        most = _MOST_OF_INSTANCE if new else before.picture_share or _MOST
        network = with_share_by_words(checkpoint, texts, wants, most)
    else:
        share = _MOST if new else before.picture_share
        geometry = replace(checkpoint.geometry, picture_share=share)
        network = build(replace(checkpoint, geometry=geometry))
    return write_like(output, network, checkpoint)


def _wordings(asker: Asker) -> tuple[list[str], list[float]]:
    """Texts beside a picture of the catalogue, and how much of the share each wants."""
    rng, rows = random.Random(0), asker.catalogue.part("train")
    names = {row.name for row in rows}
    texts = [one.text for one in asker.catalogue.changes if one.reference in names]
    wants = [THE_SAME] * len(texts)
    for number in range(len(asker.catalogue.columns.meanings)):
        known = [row for row in rows if row.values[number]]
        of_kinds = [row for row in known if row.kind]
        for task, members, want in (("change", known, THE_SAME), ("keep", of_kinds, ANOTHER)):
            phrases = asker.phrases(task, number)
            for row in rng.choices(members, k=_COUNT) if members else ():
                texts.append(asker.text(rng.choice(phrases), row, number))
                wants.append(want)
    return texts, wants


def with_share_by_words(
    checkpoint: Checkpoint, texts: Sequence[str], wants: Sequence[float], most: float
) -> Network:
    """The network with a share that its texts choose, `most` at most.

    A logistic regression on the mean of a text's word embeddings, each of length 1, so that words
    that the texts do not have get a number, too. It corrects the numbers that the encoder has.

    Args:
        wants: How much of the share each text wants, from 0 to 1.
    """
    words = checkpoint.state["embeddings.words.weight"].astype(np.float32)
    words /= np.linalg.norm(words, axis=1, keepdims=True).clip(1e-6)
    logits, ridge = np.zeros(len(words), np.float32), _RIDGE
    if checkpoint.geometry.share_by_words:
        logits = checkpoint.state["share_logits"].astype(np.float32)
        ridge = _RIDGE_OF_CORRECTION
    tokens = [list(checkpoint.tokenizer(text, _LONGEST)[1:-1]) for text in texts]
    read = [(ids, want) for ids, want in zip(tokens, wants, strict=True) if ids]  # else marks only
    rows = np.stack([np.append(words[ids].mean(axis=0), 1) for ids, _ in read])
    known = np.array([logits[ids].mean() for ids, _ in read])
    wanted = np.array([want for _, want in read])
    *weights, offset = logistic_regression(
        rows, wanted, np.ones(len(rows)), ridge * len(rows), known
    )
    logits += words @ weights + offset
    logits[list(checkpoint.tokenizer.empty)] = 0
    geometry = replace(checkpoint.geometry, picture_share=most, share_by_words=True)
    state = {**checkpoint.state, "share_logits": logits}
    return build(replace(checkpoint, geometry=geometry, state=state))
