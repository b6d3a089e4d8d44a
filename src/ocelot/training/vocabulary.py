"""A WordPiece tokenizer that is built from texts: their words, and pieces for all others."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable

from tokenizers import models

from ocelot.errors import ConfigurationError
from ocelot.model.tokenizer import TextTokenizer, word_piece

__all__ = ["build_tokenizer", "extend_tokenizer"]

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_CHARACTERS = string.ascii_lowercase + string.digits
_ENDINGS = """
s es ed d er ers r or ors est ing ings ly y ies ied ier iest al ally able ible age ance ant
ary ate ated ation ations ness ment ments ful less ish ism ist ity ive ize ised ized ise ous tion
tions sion th en ern ery ette ess ic ical wear ware man woman men house like proof berry fruit
"""


def build_tokenizer(texts: Iterable[str], size: int) -> TextTokenizer:
    """Build a lower-casing tokenizer of at most `size` sub-words.

    Letters and digits come first, alone and as continuations, so that no ASCII text is unknown;
    then the words of the texts, the most frequent first, and pieces that several words share.

    Raises:
        ConfigurationError: `size` leaves no room for the characters and endings.
    """
    base = [*_SPECIAL, *_CHARACTERS, *string.punctuation]
    base += [f"##{piece}" for piece in (*_CHARACTERS, *_ENDINGS.split())]
    pieces = list(dict.fromkeys(base))
    if size < len(pieces):
        raise ConfigurationError(
            f"[data] vocabulary must be at least {len(pieces)} to build a tokenizer, was: {size}."
        )
    words = _ordered(_counts(texts))
    pieces = list(dict.fromkeys([*pieces, *words, *_frequent_pieces(words)]))
    return TextTokenizer(word_piece(pieces[:size]))


def extend_tokenizer(
    tokenizer: TextTokenizer, texts: Iterable[str], *, most: int, least: int
) -> TextTokenizer:
    """Add the words that texts have `least` times, or that it cannot spell, `most` at most.

    A tokenizer that is no lower-casing WordPiece is returned as it is.
    """
    old = tokenizer.tokenizer
    lower_case = getattr(old.normalizer, "lowercase", False)
    if not (lower_case and isinstance(old.model, models.WordPiece)):
        return tokenizer
    known = old.get_vocab()
    unknown = known["[UNK]"]
    counts = _counts(texts)
    new = [
        word
        for word in _ordered(counts)
        if word not in known and (counts[word] >= least or unknown in old.encode(word).ids)
    ]
    if not new:
        return tokenizer
    return TextTokenizer(word_piece([*sorted(known, key=known.__getitem__), *new[:most]]))


def _counts(texts: Iterable[str]) -> Counter[str]:
    """How often each word comes, as the tokenizer splits them."""
    splitter = word_piece(list(_SPECIAL))
    counts: Counter[str] = Counter()
    for text in texts:
        plain = splitter.normalizer.normalize_str(text)
        counts.update(word for word, _ in splitter.pre_tokenizer.pre_tokenize_str(plain))
    return counts


def _ordered(counts: Counter[str]) -> list[str]:
    """The words, the most frequent and short ones first."""
    return sorted(counts, key=lambda word: (-counts[word], len(word), word))


def _frequent_pieces(words: Iterable[str]) -> list[str]:
    """Pieces of two to five letters that several words share; the most useful come first."""
    counts = Counter(
        word[start:end] if start == 0 else f"##{word[start:end]}"
        for word in words
        for start in range(len(word))
        for end in range(start + 2, min(start + 5, len(word)) + 1)
    )
    frequent = [piece for piece in counts if counts[piece] >= 3]
    return sorted(frequent, key=lambda piece: (-counts[piece] * len(piece.lstrip("#")), piece))
