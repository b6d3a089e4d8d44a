"""How much of a picture's own vector its text asks for, learned from texts.

"The same in blue" wants the article that the picture shows, "a bag in this colour" another one.
Words tell the two apart, so each sub-word gets a number: see `ocelot.model.geometry.Geometry`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.adapting.questions import Asker
from ocelot.evaluation.score_calibration import logistic_regression
from ocelot.model.checkpoint import Checkpoint, read_folder, write_folder
from ocelot.model.geometry import Geometry
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network, build

__all__ = ["ANOTHER", "THE_SAME", "fit_share", "with_share_by_words"]

# How much of the share texts want that change the article, and that ask for another one: not 1 and
# 0, between which a text of both would be torn.
THE_SAME, ANOTHER = 0.9, 0.1
_MOST = 0.5  # of a picture's own vector, where the encoder has none
_COUNT = 1_500  # texts of each attribute and kind
_RIDGE = 1e-4  # for each text

Floats = np.ndarray[Any, np.dtype[np.float32]]


def fit_share(folder: Path, before: Geometry, asker: Asker) -> None:
    """Give an encoder, trained without a share, the one of its start, or one by words.

    Args:
        folder: The encoder.
        before: Of the encoder that the training began with.
    """
    trained = read_folder(folder)
    texts, wants = _wordings(asker) if not before.share_by_words else ([], [])
    if texts:
        network = with_share_by_words(trained, texts, wants, before.picture_share or _MOST)
    else:
        geometry = replace(trained.geometry, picture_share=before.picture_share)
        network = build(replace(trained, geometry=geometry))
    write_folder(folder, trained.name, network, trained.tokenizer)


def _wordings(asker: Asker) -> tuple[list[str], list[float]]:
    """Texts beside a picture of the catalogue, and how much of the share each wants."""
    rng, rows = random.Random(0), asker.catalogue.part("train")
    texts, wants = list[str](), list[float]()
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
    that the texts do not have get a number, too.

    Args:
        wants: How much of the share each text wants, from 0 to 1.
    """
    words = checkpoint.state["embeddings.words.weight"].astype(np.float32)
    words /= np.linalg.norm(words, axis=1, keepdims=True).clip(1e-6)
    rows = _means(words, checkpoint.tokenizer, texts)
    rows = np.column_stack([rows, np.ones(len(rows))])
    *weights, offset = logistic_regression(
        rows, np.array(wants), np.ones(len(rows)), _RIDGE * len(rows)
    )
    logits = words @ weights + offset
    logits[list(checkpoint.tokenizer.empty)] = 0
    geometry = replace(checkpoint.geometry, picture_share=most, share_by_words=True)
    state = {**checkpoint.state, "share_logits": logits.astype(np.float32)}
    return build(replace(checkpoint, geometry=geometry, state=state))


def _means(words: Floats, tokenizer: TextTokenizer, texts: Sequence[str]) -> Floats:
    ids = (tokenizer(text, 64)[1:-1] for text in texts)
    return np.stack([words[list(one)].mean(axis=0) for one in ids])
