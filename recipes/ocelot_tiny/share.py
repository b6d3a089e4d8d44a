"""How much of a picture's own vector a text asks for, learned from the recipe's wordings.

"The same in blue" wants the article that the picture shows, "phone case with this theme" another
one. Words tell the two apart, so each sub-word gets a number: see `ocelot.model.geometry.Geometry`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ocelot.evaluation.score_calibration import logistic_regression
from ocelot.model.checkpoint import Checkpoint
from ocelot.model.tokenizer import TextTokenizer
from ocelot.model.visualized_bge import Network, build
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, PATTERNS
from recipes.ocelot_tiny.colours import SHADES
from recipes.ocelot_tiny.searches import Floats
from recipes.ocelot_tiny.wording import phrase
from recipes.ocelot_tiny.words import KIND_WORDS

__all__ = ["with_share_by_words", "wordings"]

# How much each task keeps of the picture: not 0 and 1, between which a text would be torn.
_KEEPS = {"colour": 0.9, "pattern": 0.9, "category": 0.1, "print": 0.1, "theme": 0.1}
_COUNT = 1_500  # texts of each task
_RIDGE = 1e-4  # for each text


def with_share_by_words(checkpoint: Checkpoint, most: float, rng: random.Random) -> Network:
    """Return the network with a share that its texts choose, `most` at most.

    A logistic regression on the mean of a text's word embeddings, each of length 1, so that words
    that the wordings do not have get a number, too.
    """
    words = checkpoint.state["embeddings.words.weight"].astype(np.float32)
    words /= np.linalg.norm(words, axis=1, keepdims=True).clip(1e-6)
    texts, keeps = wordings(rng)
    rows = _means(words, checkpoint.tokenizer, texts)
    rows = np.column_stack([rows, np.ones(len(rows))])
    *weights, offset = logistic_regression(rows, keeps, np.ones(len(rows)), _RIDGE * len(rows))
    logits = words @ weights + offset
    logits[list(checkpoint.tokenizer.empty)] = 0
    geometry = replace(checkpoint.geometry, picture_share=most, share_by_words=True)
    state = {**checkpoint.state, "share_logits": logits.astype(np.float32)}
    return build(replace(checkpoint, geometry=geometry, state=state))


def wordings(rng: random.Random) -> tuple[list[str], Floats]:
    """Return texts beside a picture, and how much of the share each wants, from 0 to 1."""
    shades = [shade for names in SHADES.values() for shade in names]
    kinds, colours, patterns = sorted(KIND_WORDS), [*COLOURS, *shades], list(PATTERNS)
    texts = [
        phrase(
            rng,
            task,
            kind=rng.choice(kinds),
            colour=rng.choice(colours),
            pattern=rng.choice(patterns),
            fillers=True,
        )
        for task in _KEEPS
        for _ in range(_COUNT)
    ]
    return texts, np.repeat(np.array([*_KEEPS.values()], np.float32), _COUNT)


def _means(words: Floats, tokenizer: TextTokenizer, texts: Sequence[str]) -> Floats:
    ids = (tokenizer(text, 64)[1:-1] for text in texts)
    return np.stack([words[list(one)].mean(axis=0) for one in ids])
