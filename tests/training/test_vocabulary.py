from __future__ import annotations

import random
import string

import pytest

from ocelot.errors import ConfigurationError
from ocelot.training.vocabulary import build_tokenizer, extend_tokenizer

TEXTS = ["the same shirt in navy", "skating, skated and skates", "A shirt in turquoise", "shirt!"]


@pytest.fixture(scope="module")
def vocabulary() -> dict[str, int]:
    return build_tokenizer(TEXTS, 900).tokenizer.get_vocab()


def test_words_of_the_texts_are_one_token_each(vocabulary: dict[str, int]) -> None:
    words = ["shirt", "in", "the", "navy", "same", "skated", "turquoise"]
    assert set(words) <= set(vocabulary)
    assert vocabulary["shirt"] < vocabulary["in"] < vocabulary["the"] < vocabulary["turquoise"]
    tokens = build_tokenizer(TEXTS, 900).tokenizer.encode("Turquoise SHIRT").tokens
    assert tokens == ["[CLS]", "turquoise", "shirt", "[SEP]"]


def test_pieces_that_several_words_share_are_learned(vocabulary: dict[str, int]) -> None:
    assert {"skat", "ska"} <= set(vocabulary)
    tokens = build_tokenizer(TEXTS, 900).tokenizer.encode("skatable!").tokens
    assert tokens == ["[CLS]", "skat", "##able", "!", "[SEP]"]


@pytest.mark.parametrize("size", [250, 900])
def test_no_ascii_text_is_unknown(size: int) -> None:
    tokenizer = build_tokenizer(TEXTS, size).tokenizer
    assert tokenizer.get_vocab_size() <= size
    rng = random.Random(size)
    for _ in range(300):
        text = "".join(rng.choices(string.printable, k=60))
        assert "[UNK]" not in tokenizer.encode(text).tokens, text


def test_special_tokens_come_first_and_padding_is_zero(vocabulary: dict[str, int]) -> None:
    assert [vocabulary[word] for word in ("[PAD]", "[UNK]", "[CLS]", "[SEP]")] == [0, 1, 2, 3]
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))


def test_the_same_texts_give_the_same_tokenizer() -> None:
    one, two = (build_tokenizer(order, 900) for order in (TEXTS, TEXTS[::-1]))
    assert one.tokenizer.to_str() == two.tokenizer.to_str()


def test_a_size_without_room_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="at least"):
        build_tokenizer(TEXTS, 100)


def test_words_are_added_behind_those_that_are_there() -> None:
    old = build_tokenizer(["a red mug"], 300)
    texts = ["kurta red"] * 3 + ["赤いカップ", "rare word"]
    new = extend_tokenizer(old, texts, most=10, least=3)
    known, more = old.tokenizer.get_vocab(), new.tokenizer.get_vocab()
    assert known.items() <= more.items()
    assert set(more) - set(known) == {"kurta", "赤", "いカッフ"}
    assert new.tokenizer.encode("red kurta").tokens == ["[CLS]", "red", "kurta", "[SEP]"]
    assert (
        extend_tokenizer(old, texts, most=1, least=3).tokenizer.get_vocab_size() == len(known) + 1
    )
    assert extend_tokenizer(new, texts, most=10, least=3) is new
