from __future__ import annotations

import random
import string

import pytest

from ocelot.training.vocabulary import SPECIAL, build_tokenizer, english_words
from ocelot.training.wording import every_text
from ocelot.training.words import KIND_WORDS

SIZE = 7000


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return list(every_text(random.Random(0), repeats=1))


@pytest.fixture(scope="module")
def vocabulary(texts: list[str]) -> dict[str, int]:
    return build_tokenizer(texts, SIZE).tokenizer.get_vocab()


def test_the_list_is_sorted_words() -> None:
    words = english_words()
    assert list(words) == sorted(set(words))
    assert len(words) > 3000
    assert all(word.isalpha() and word.isascii() and word.islower() for word in words)
    assert {"sofa", "turquoise", "tuesday", "really"} <= set(words)


def test_listed_words_and_wordings_are_one_token(
    texts: list[str], vocabulary: dict[str, int]
) -> None:
    assert set(english_words()) <= set(vocabulary)
    nouns = " ".join(noun for nouns in KIND_WORDS.values() for noun in nouns)
    tokenizer = build_tokenizer(texts, SIZE).tokenizer
    assert not [piece for piece in tokenizer.encode(nouns).tokens if piece.startswith("##")]


@pytest.mark.parametrize("size", [400, 900, SIZE])
def test_no_ascii_text_is_unknown(texts: list[str], size: int) -> None:
    tokenizer = build_tokenizer(texts, size).tokenizer
    assert tokenizer.get_vocab_size() <= size
    rng = random.Random(size)
    for _ in range(300):
        text = "".join(rng.choices(string.printable, k=60))
        assert "[UNK]" not in tokenizer.encode(text).tokens, text


def test_special_tokens_come_first_and_padding_is_zero(vocabulary: dict[str, int]) -> None:
    assert [vocabulary[word] for word in SPECIAL] == [0, 1, 2, 3]
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert len(vocabulary) <= SIZE


def test_an_unseen_word_falls_into_pieces(texts: list[str]) -> None:
    tokens = build_tokenizer(texts, SIZE).tokenizer.encode("Skateboardless!").tokens
    assert tokens == ["[CLS]", "skateboard", "##less", "!", "[SEP]"]


def test_the_same_texts_give_the_same_tokenizer(texts: list[str]) -> None:
    one, two = (build_tokenizer(order, SIZE) for order in (texts, texts[::-1]))
    assert one.tokenizer.to_str() == two.tokenizer.to_str()


def test_a_size_without_room_is_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="at least"):
        build_tokenizer(texts, 100)
