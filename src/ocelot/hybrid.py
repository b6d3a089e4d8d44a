"""Hits ranked by two measures at once: similarity of vectors, and words that texts share.

An encoder may miss a word that a title spells out: a brand, a print, a number. The words of a text
are compared with a metadata field of the hits by BM25 (Robertson and Zaragoza, "The probabilistic
relevance framework: BM25 and beyond", 2009), and both orders are joined by reciprocal rank fusion
(Cormack, Clarke and Büttcher, SIGIR 2009), which needs no common scale of scores.

Nothing is kept between searches, so the order is always that of the rows as they are.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import log
from typing import Any

from ocelot.spelling import forms_of, without_accents
from ocelot.types import Hit

__all__ = ["fused", "word_scores"]

_K1 = 1.2  # BM25: how soon more of the same word stops to count
_K = 60  # of the fusion: the higher, the less the first ranks count
_WORD = re.compile(r"[^\W_]+")


def fused(hits: Sequence[Hit], field: str, text: str) -> list[Hit]:
    """Order hits by their rank and by the words that a metadata field shares with a text.

    A hit without any of the words has the first rank only. Of hits with equal scores of words, the
    one that was first ranks first.

    Args:
        hits: The most similar first.
    """
    scores = word_scores(text, [hit.metadata.get(field) for hit in hits])
    ranks = range(1, len(hits) + 1)
    value = [1 / (_K + rank) for rank in ranks]
    sharing = sorted((own for own, score in enumerate(scores) if score), key=lambda n: -scores[n])
    for rank, own in zip(ranks, sharing, strict=False):
        value[own] += 1 / (_K + rank)
    return [hits[own] for own in sorted(range(len(hits)), key=lambda n: -value[n])]


def word_scores(text: str, values: Sequence[Any]) -> list[float]:
    """Score values by BM25; 0 if a value has no word of the text.

    How rare a word is, is counted among the values. A word with a plain -s or -es more or less is
    the same word. The length of a value does not count: titles are short, and the shorter of two
    with the same words is no better.

    >>> [round(score, 2) for score in word_scores("red mugs", ["Red mug", "A mug", ["red"], None])]
    [1.39, 0.69, 0.69, 0.0]
    """
    places: defaultdict[str, Counter[int]] = defaultdict(Counter)  # word -> value -> times
    for own, value in enumerate(values):
        for word in _words(value):
            places[word][own] += 1
    scores = [0.0] * len(values)
    for word in sorted(set(_words(text))):
        found: Counter[int] = Counter()
        for form in forms_of(word) & places.keys():
            found.update(places[form])
        rarity = log(1 + (len(values) - len(found) + 0.5) / (len(found) + 0.5))
        for own, times in found.items():
            scores[own] += rarity * times * (_K1 + 1) / (times + _K1)
    return scores


def _words(value: Any) -> list[str]:
    """Words in lower case without accents, of a text or a list of texts."""
    if isinstance(value, (list, tuple)):
        return [word for part in value for word in _words(part)]
    if not isinstance(value, str):
        return []
    return _WORD.findall(without_accents(value.casefold()))
