from __future__ import annotations

import random
import re

import pytest

from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS
from recipes.ocelot_tiny.wording import TEMPLATES, every_text, phrase
from recipes.ocelot_tiny.words import (
    COLOUR_WORDS,
    GARMENTS,
    GROCERIES,
    KIND_WORDS,
    MEANINGFUL,
    PATTERN_WORDS,
    plural,
    with_article,
)

GRAMMAR = {"a", "an", "for", "of", "over"}  # also parts of "case for a phone" and the like


def words_of(text: str) -> set[str]:
    return set(re.findall(r"[a-z]+", text.lower()))


@pytest.mark.parametrize("task", TEMPLATES)
def test_every_slot_is_filled(task: str) -> None:
    rng = random.Random(task)
    for kind in (*KIND_WORDS, "conference", "arla standard milk"):
        for colour in (*COLOURS, "navy"):
            for pattern in rng.sample(list(PATTERNS), 3):
                text = phrase(rng, task, kind=kind, colour=colour, pattern=pattern, fillers=True)
                assert text and not re.search(r"[{}]|\s\s|^\s|\s$|None", text), text


def test_a_text_says_what_was_asked() -> None:
    rng = random.Random(1)
    for _ in range(300):
        kind, colour = rng.choice(list(KIND_WORDS)), rng.choice(list(COLOURS))
        pattern = rng.choice(list(PATTERNS))
        text = phrase(rng, "words", kind=kind, colour=colour, pattern=pattern, fillers=True).lower()
        assert any(hue in text for hue in COLOUR_WORDS.get(colour, (colour,)))
        assert any(words in text for words in PATTERN_WORDS[pattern])
        assert any(noun in text or plural(noun) in text for noun in KIND_WORDS[kind])


def test_synonyms_cover_the_catalogue_and_the_photographs() -> None:
    assert set(KINDS) | set(GARMENTS) | set(GROCERIES) == set(KIND_WORDS)
    assert len(GARMENTS) == 17
    assert set(PATTERN_WORDS) == set(PATTERNS)
    for kind, synonyms in KIND_WORDS.items():
        assert kind == synonyms[0] and len(set(synonyms)) == len(synonyms) > 1


@pytest.mark.parametrize(
    ("noun", "many"),
    [
        ("kettle", "kettles"), ("case for a phone", "cases for a phone"), ("dress", "dresses"),
        ("watch", "watches"), ("potato", "potatoes"), ("avocado", "avocados"),
        ("strawberry", "strawberries"), ("shoes", "shoes"), ("soy milk", "soy milk"),
        ("carton of milk", "cartons of milk"), ("loaf of bread", "loaves of bread"),
        ("asparagus", "asparagus"), ("turkey", "turkeys"), ("gizmo", "gizmos"),
    ],
)  # fmt: skip
def test_plurals(noun: str, many: str) -> None:
    assert plural(noun) == many


@pytest.mark.parametrize(
    ("noun", "forms"),
    [
        ("mug", {"a mug"}), ("iron", {"an iron"}), ("unicorn", {"a unicorn"}),
        ("shoes", {"shoes", "a pair of shoes"}), ("carrots", {"carrots"}),
        ("oat milk", {"oat milk", "some oat milk"}), ("carton of milk", {"a carton of milk"}),
    ],
)  # fmt: skip
def test_articles(noun: str, forms: set[str]) -> None:
    rng = random.Random(0)
    assert {with_article(rng, noun) for _ in range(50)} == forms


def test_fillers_come_now_and_then_and_change_nothing() -> None:
    named = {word for text in (*KIND_WORDS["kettle"], *TEMPLATES["theme"]) for word in text.split()}
    own = words_of(" ".join(named | {"kettles", "an"}))
    rng = random.Random(2)
    texts = [phrase(rng, "theme", fillers=True) for _ in range(3000)]
    brought = [words_of(text) - own for text in texts]
    assert 0.1 < sum(map(bool, brought)) / len(texts) < 0.2
    assert not set().union(*brought) & MEANINGFUL - GRAMMAR
    assert len(set().union(*brought)) > 100
    plain = [phrase(rng, "theme") for _ in range(300)]
    assert not any(words_of(text) - own for text in plain)


def test_every_text_has_every_template_and_synonym() -> None:
    texts = list(every_text(random.Random(0), repeats=1))
    seen = words_of(" ".join(texts))
    for table in (KIND_WORDS, COLOUR_WORDS, PATTERN_WORDS):
        for synonyms in table.values():
            assert words_of(" ".join(synonyms)) <= seen
    for templates in TEMPLATES.values():
        assert words_of(re.sub(r"{.*?}", "", " ".join(templates))) <= seen
    assert texts == list(every_text(random.Random(0), repeats=1))
