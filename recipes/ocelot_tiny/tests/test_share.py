"""The share that a text chooses, on wordings that the recipe's templates do not have."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ocelot.adapting.share import with_share_by_words
from ocelot.model.checkpoint import Checkpoint
from recipes.ocelot_tiny.share import wordings


@pytest.fixture
def plain(bundled: Checkpoint) -> Checkpoint:
    """The bundled encoder without its words' numbers."""
    return replace(bundled, geometry=replace(bundled.geometry, share_by_words=False))


def test_texts_that_keep_the_article_get_more_than_those_that_ask_for_another(
    plain: Checkpoint,
) -> None:
    network = with_share_by_words(plain, *wordings(random.Random(1)), 0.5)
    assert network.geometry.picture_share == 0.5 and network.geometry.share_by_words

    def part(text: str) -> float:
        ids = plain.tokenizer(text, 64)
        return float(network.share_logits[list(ids)[1:-1]].mean().sigmoid())

    keeping = ("the same thing but green", "I want it in burgundy", "keep it but make it red")
    asking = ("turn this into a mug", "socks that go with this", "mugs that show it")
    assert not {*keeping, *asking} & {text.lower() for text in wordings(random.Random(1))[0]}
    assert min(map(part, keeping)) > 0.6
    assert max(map(part, asking)) < 0.4


def test_nothing_else_of_the_network_changes(plain: Checkpoint) -> None:
    state = with_share_by_words(plain, *wordings(random.Random(1)), 0.5).state_dict()
    del state["share_logits"]
    assert all((value.numpy() == plain.state[name]).all() for name, value in state.items())
