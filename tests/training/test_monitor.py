"""Held-out searches during training."""

from __future__ import annotations

import pytest
import torch

from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.monitor import Monitor
from ocelot.training.photographs import Album
from ocelot.training.pictures import StencilPool
from ocelot.training.studio import Studio
from ocelot.training.triplets import Source
from tests.training import made


@pytest.fixture(scope="module")
def words() -> TextTokenizer:
    return made.tokenizer()


def searches(
    album: Album, stencils: StencilPool | None, words: TextTokenizer, numbers: slice
) -> dict[str, float]:
    """What a monitor measures on some of the photographs."""
    part = Album(album.photographs[numbers], album.pixels[numbers])
    studio = Studio(16, album=part, stencils=stencils)
    source = Source(part.photographs, stencils.products if stencils else ())
    monitor = Monitor(16, words, album=(studio, source), drawings=False)
    network = made.network(words.tokenizer.get_vocab_size(), convolution=True)
    return monitor.recalls(network)


@pytest.mark.parametrize(
    ("numbers", "has_stencils", "names"),
    [
        (slice(None), True, ["recolourings", "views", "prints"]),
        (slice(None), False, ["recolourings", "views"]),
        (slice(11, None), True, ["views", "prints"]),  # fruit
        (slice(0, 1), True, ["recolourings", "views", "prints"]),
        (slice(0, 0), True, []),
    ],
)
def test_it_measures_what_it_has_pictures_for(
    album: Album,
    stencils: StencilPool,
    words: TextTokenizer,
    numbers: slice,
    has_stencils: bool,
    names: list[str],
) -> None:
    recalls = searches(album, stencils if has_stencils else None, words, numbers)
    assert list(recalls) == names
    assert all(0 <= recall <= 1 for recall in recalls.values())


def test_one_network_has_one_recall(album: Album, words: TextTokenizer) -> None:
    one, same = (searches(album, None, words, slice(None)) for _ in range(2))
    assert one == same


def test_drawn_combinations_are_searched_too(words: TextTokenizer) -> None:
    monitor = Monitor(16, words, queries=8)
    network = made.network(words.tokenizer.get_vocab_size(), convolution=True)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recalls = monitor.recalls(network)
    assert list(recalls) == ["drawings"] and recalls["drawings"] * 8 % 1 == 0
    for name, value in network.state_dict().items():  # batch norms too
        assert torch.equal(value, before[name])
