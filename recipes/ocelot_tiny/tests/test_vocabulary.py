"""The tokenizer of a new network: its wordings, then common English."""

from __future__ import annotations

from pathlib import Path

from ocelot.training.vocabulary import build_tokenizer
from recipes.ocelot_tiny.source import RecipeSource
from recipes.ocelot_tiny.tests import made
from recipes.ocelot_tiny.words import KIND_WORDS, english_words


def test_the_list_is_sorted_words() -> None:
    words = english_words()
    assert list(words) == sorted(set(words))
    assert len(words) > 3000
    assert all(word.isalpha() and word.isascii() and word.islower() for word in words)
    assert {"sofa", "turquoise", "tuesday", "really"} <= set(words)


def test_listed_words_and_wordings_are_one_token(tmp_path: Path) -> None:
    source = RecipeSource(made.config(), tmp_path)
    texts = [*source.texts(), *source.further_words()]
    tokenizer = build_tokenizer(texts, 7000).tokenizer
    assert set(english_words()) <= set(tokenizer.get_vocab())
    nouns = " ".join(noun for nouns in KIND_WORDS.values() for noun in nouns)
    assert not [piece for piece in tokenizer.encode(nouns).tokens if piece.startswith("##")]
    tokens = tokenizer.encode("Skateboardless!").tokens
    assert tokens == ["[CLS]", "skateboard", "##less", "!", "[SEP]"]
