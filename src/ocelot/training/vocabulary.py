"""A sub-word tokenizer trained on the wordings: unseen words fall apart, but do not break."""

from __future__ import annotations

import random
import string
from collections.abc import Iterable

from tokenizers import Tokenizer, models, trainers

from ocelot.model.tokenizer import TextTokenizer, word_piece

__all__ = ["SPECIAL", "train_tokenizer"]

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


def train_tokenizer(texts: Iterable[str], size: int, seed: int = 0) -> TextTokenizer:
    """A lower-casing WordPiece tokenizer of at most `size` sub-words.

    Letters, digits and punctuation are always in it, alone and as continuations.
    """
    framed = word_piece(list(SPECIAL))
    framed.model = models.WordPiece(unk_token="[UNK]")
    corpus = list(texts)
    random.Random(seed).shuffle(corpus)
    alphabet = list(string.ascii_lowercase + string.digits + string.punctuation)
    trainer = trainers.WordPieceTrainer(
        vocab_size=size - len(alphabet),
        special_tokens=list(SPECIAL),
        initial_alphabet=alphabet,
        show_progress=False,
    )
    framed.train_from_iterator(corpus, trainer)
    words = sorted(framed.get_vocab(), key=lambda word: framed.get_vocab()[word])
    words += [f"##{letter}" for letter in alphabet[:36] if f"##{letter}" not in words]
    tokenizer: Tokenizer = word_piece(words)
    return TextTokenizer(tokenizer)
