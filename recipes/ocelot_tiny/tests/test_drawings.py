"""Triplets of the drawn catalogue."""

from __future__ import annotations

import random

import pytest

from recipes.ocelot_tiny.catalogue.split import held_out
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS, Product
from recipes.ocelot_tiny.drawings import (
    TASKS,
    Theme,
    Wanted,
    random_product,
    sample_triplet,
    sample_triplets,
    subjects_of,
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


def test_wanted() -> None:
    red = Product("kettle", 0, "plain", "red")
    assert Wanted().accepts(red)
    assert Wanted(kind="kettle", style=0).accepts(red)
    assert not Wanted(kind="kettle", style=1).accepts(red)
    assert not Wanted(colour="blue").accepts(red)
    assert not Wanted().accepts(Theme("leopard", "tan"))


def test_a_batch_depends_on_its_seed_alone() -> None:
    one, same, other = (sample_triplets(random.Random(seed), 32) for seed in (1, 1, 2))
    assert one == same != other


def test_subjects_are_every_target_and_then_the_references_there_are() -> None:
    triplets = sample_triplets(random.Random(5), 40)
    subjects = subjects_of(triplets)
    assert subjects[:40] == [triplet.target for triplet in triplets]
    seen = [triplet.reference for triplet in triplets if triplet.reference is not None]
    assert subjects[40:] == seen and 0 < len(seen) < 40


def test_random_products_are_of_what_is_fixed_and_allowed() -> None:
    rng = random.Random(2)
    drawn = [random_product(rng, held_out, kind="kettle") for _ in range(60)]
    assert {one.kind for one in drawn} == {"kettle"} and len({one.style for one in drawn}) > 1
    assert all(map(held_out, drawn))
    free = [random_product(rng, lambda product: True) for _ in range(400)]
    assert 0.3 < sum(one.pattern == "plain" for one in free) / 400 < 0.5
