"""Triplets of the drawn catalogue."""

from __future__ import annotations

import random

import pytest

from recipes.ocelot_tiny.catalogue.split import held_out
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product
from recipes.ocelot_tiny.drawings import (
    TASKS,
    sample_triplet,
    sample_triplets,
)

EVERY = [
    Product(kind.name, style, pattern, colour)
    for kind in KINDS.values()
    for style in range(kind.styles)
    for pattern in PATTERNS
    for colour in COLOURS
]


def test_no_held_out_picture_is_ever_drawn() -> None:
    rng = random.Random(0)
    for _ in range(40):
        for triplet in sample_triplets(rng, 64):
            for subject in (triplet.target, triplet.reference):
                assert not (isinstance(subject, Product) and held_out(subject))


def test_about_a_tenth_is_held_out_and_every_word_stays_learnable() -> None:
    kept = [product for product in EVERY if not held_out(product)]
    assert 0.05 < 1 - len(kept) / len(EVERY) < 0.15
    assert {p.kind for p in kept} == set(KINDS)
    assert {p.pattern for p in kept} == set(PATTERNS)
    assert {p.colour for p in kept if p.pattern == "plain"} == set(COLOURS)
    lost = [product for product in EVERY if held_out(product)]
    assert {p.kind for p in lost} == set(KINDS)
    assert {p.pattern for p in lost} == set(PATTERNS)


@pytest.mark.parametrize("task", TASKS)
def test_the_target_answers_the_query_and_the_reference_does_not(task: str) -> None:
    rng = random.Random(task)
    targets = [product for product in EVERY if not held_out(product)]
    for _ in range(200):
        triplet = sample_triplet(rng, task, rng.choice(targets))
        assert triplet.wanted.accepts(triplet.target)
        if triplet.task == "view":
            assert triplet.text is None and triplet.reference == triplet.target
        elif triplet.task == "words":
            assert triplet.reference is None and triplet.text
        else:
            assert triplet.reference is not None and triplet.text
            assert not triplet.wanted.accepts(triplet.reference)
