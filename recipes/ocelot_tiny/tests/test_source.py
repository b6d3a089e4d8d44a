"""Held-out searches during training."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.batch import Batch
from ocelot.training.config import OptimiserConfig
from ocelot.training.distributed import process_group
from ocelot.training.loop import recall
from ocelot.training.loss import accepts
from recipes.ocelot_tiny.augment import Augmenter
from recipes.ocelot_tiny.config import DrawingsConfig, GroupsConfig, RecipeConfig, TablesConfig
from recipes.ocelot_tiny.photographs import PhotoSet
from recipes.ocelot_tiny.pools import StencilPool
from recipes.ocelot_tiny.source import RecipeSource, drawn_search, photo_searches
from recipes.ocelot_tiny.tests import made as made_tables
from tests.training import made


@pytest.fixture(scope="module")
def words() -> TextTokenizer:
    return made.tokenizer()


def recalls(words: TextTokenizer, searches: Mapping[str, Batch]) -> dict[str, float]:
    network = made.network(words.tokenizer.get_vocab_size(), convolution=True)
    return {name: recall(network, search) for name, search in searches.items()}


def searches(
    photos: PhotoSet, stencils: StencilPool | None, words: TextTokenizer, numbers: slice
) -> dict[str, float]:
    """R@1 of the searches over some of the photographs."""
    part = PhotoSet(photos.photographs[numbers], photos.pixels[numbers])
    augmenter = Augmenter(16, photos=part, stencils=stencils)
    samplers = ["recolourings", "views", "prints"]
    return recalls(words, photo_searches(random.Random(1), augmenter, samplers, words))


@pytest.mark.parametrize(
    ("numbers", "has_stencils", "names"),
    [
        (slice(None), True, ["recolourings", "views", "prints"]),
        (slice(11, None), True, ["views", "prints"]),  # fruit
        (slice(0, 1), False, ["recolourings", "views"]),
    ],
)
def test_it_measures_what_it_has_pictures_for(
    photos: PhotoSet,
    stencils: StencilPool,
    words: TextTokenizer,
    numbers: slice,
    has_stencils: bool,
    names: list[str],
) -> None:
    recalls = searches(photos, stencils if has_stencils else None, words, numbers)
    assert list(recalls) == names
    assert all(0 <= recall <= 1 for recall in recalls.values())


def test_drawn_combinations_are_searched_too(words: TextTokenizer) -> None:
    search = drawn_search(random.Random(1), 16, words, queries=8)
    assert len(search.ids) == 8
    network = made.network(words.tokenizer.get_vocab_size(), convolution=True)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert recall(network, search) * 8 % 1 == 0
    for name, value in network.state_dict().items():  # batch norms too
        assert torch.equal(value, before[name])


def test_batches_of_tables(tmp_path: Path, words: TextTokenizer) -> None:
    made_tables.tables(tmp_path / "tables")
    (tmp_path / "titles.txt").write_text("owl\n")
    config = RecipeConfig(
        name="tables", seed=1,
        tables=TablesConfig(
            root=str(tmp_path / "tables"), folders=("shop", "things", "surfaces"),
            held_out=str(tmp_path / "titles.txt"),
        ),
        drawings=DrawingsConfig(stencil_views=1),
        groups=GroupsConfig(
            recolourings=2, views=3, prints=6, designs=2, matches=2, themes=3, listed=6, titles=12,
        ),
        optimiser=OptimiserConfig(steps=1),
    )  # fmt: skip
    source = RecipeSource(config, tmp_path / "run")
    texts = " ".join(source.texts())
    assert "acme t model tshirts" in texts.lower() or "acme tshirt model" in texts.lower()
    assert "panda" in texts and "owl" not in texts.split()
    with process_group("cpu") as group:
        source.open(32, words, group)
        for step in range(4):
            batch = source.batch(step, 0)
            assert batch.pixels.isfinite().all() and batch.pixels.shape[1:] == (3, 32, 32)
            fits = accepts(batch.wanted, batch.labels)
            assert fits[torch.arange(len(batch.ids)), batch.targets].all()
            again = source.batch(step, 0)
            assert torch.equal(batch.pixels, again.pixels) and torch.equal(batch.ids, again.ids)
        assert source.held_out() == {}
