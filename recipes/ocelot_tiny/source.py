"""The batches of a leg: photographs and drawings, made anew at each step."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ocelot.errors import ConfigurationError
from ocelot.model.tokenizer import TextTokenizer
from ocelot.training.batch import Batch, collate
from ocelot.training.distributed import ProcessGroup
from recipes.ocelot_tiny.augment import Augmenter
from recipes.ocelot_tiny.batch_plan import BatchPlan, Subjects
from recipes.ocelot_tiny.catalogue.split import held_out
from recipes.ocelot_tiny.config import RecipeConfig
from recipes.ocelot_tiny.drawings import random_product, sample_triplet, subjects_of
from recipes.ocelot_tiny.listings import Listing, kind_words, read_listings
from recipes.ocelot_tiny.photographs import (
    PhotoSet,
    read_listing_set,
    read_names,
    read_photo_set,
)
from recipes.ocelot_tiny.pools import DrawingPool, StencilPool, draw
from recipes.ocelot_tiny.samplers import add_triplets, missing_for, sample_plan
from recipes.ocelot_tiny.wording import every_text
from recipes.ocelot_tiny.words import english_words

__all__ = ["RecipeSource", "drawn_search", "photo_searches"]

_TASKS = ("theme", "colour", "pattern", "category")
_QUERIES = 160  # of a held-out search


class RecipeSource:
    """The `BatchSource` of the recipe.

    Args:
        folder: Of the run; the prepared pictures are kept in it.
    """

    fingerprint = ""  # the configuration says it all

    def __init__(self, config: RecipeConfig, folder: Path) -> None:
        self._config, self._folder = config, folder

    def texts(self) -> Iterator[str]:
        """Return every wording, then what tables say."""
        yield from every_text(random.Random(self._config.seed))
        for listing in self._listings:
            yield " ".join((listing.title, listing.sort, listing.colour))
            yield from listing.keywords
            yield from kind_words(listing.sort)

    def further_words(self) -> Iterable[str]:
        """Return common English words."""
        return english_words()

    @cached_property
    def _listings(self) -> list[Listing]:
        tables = self._config.tables
        if tables is None:
            return []
        kept = read_names(Path(tables.held_out)) if tables.held_out else frozenset()
        return [
            listing
            for name in tables.folders
            for listing in read_listings(Path(tables.root, name), without=kept)
        ]

    def open(self, size: int, tokenizer: TextTokenizer, group: ProcessGroup) -> None:
        """Read and cut out the photographs, and draw the catalogue, once for all processes.

        Raises:
            ConfigurationError: The photographs cannot be used.
        """
        config, folder = self._config, self._folder
        given, options, groups = config.photographs, config.drawings, config.groups
        self._size, self._tokenizer = size, tokenizer
        self._photos: PhotoSet | None = None
        self._held_out: PhotoSet | None = None
        drawings = None
        self._stencils: StencilPool | None = None
        side = options.size or size
        with _main_first(group):
            if given is not None:
                kept = read_names(Path(given.held_out)) if given.held_out else frozenset()
                source, articles = Path(given.folder), given.articles
                self._photos = read_photo_set(
                    source, folder / "photographs.npy", articles=articles, without=kept
                )
                if kept:
                    self._held_out = read_photo_set(
                        source, folder / "held_out.npy", articles=articles, only=kept
                    )
            if self._listings:
                tables = read_listing_set(self._listings, folder / "listings.npy")
                self._photos = self._photos + tables if self._photos else tables
            if groups.drawings:
                drawings = DrawingPool(
                    folder / "drawings.npy",
                    size=side,
                    views=options.views,
                    theme_views=options.theme_views,
                    seed=config.seed,
                )
            if groups.prints:
                self._stencils = StencilPool(
                    folder / "stencils.npy",
                    size=side,
                    views=options.stencil_views,
                    seed=config.seed,
                )
        self._augmenter = Augmenter(
            size,
            photos=self._photos,
            drawings=drawings,
            stencils=self._stencils,
            strength=config.data.augmentation,
            device=group.device,
        )
        self._subjects = Subjects.of(self._photos, self._stencils)
        if given is not None and groups.recolourings and not self._subjects.articles:
            raise ConfigurationError(
                f"No photograph in {given.folder} shows one article that can be cut out: "
                "see articles in [photographs]."
            )

    def batch(self, step: int, rank: int) -> Batch:
        """See `BatchSource`."""
        rng = random.Random(f"{self._config.seed}/{step}/{rank}")
        plan = sample_plan(rng, self._subjects, vars(self._config.groups))
        return _collate(self._augmenter.render(plan.pictures, rng), plan, self._tokenizer)

    def held_out(self) -> dict[str, Batch]:
        """Return one search for each kind of query, over pictures that are never trained on."""
        rng, groups = random.Random("monitor"), self._config.groups
        searches = {}
        if groups.drawings:
            searches["drawings"] = drawn_search(rng, self._size, self._tokenizer)
        if self._held_out is not None:
            samplers = [name for name in ("recolourings", "views", "prints") if vars(groups)[name]]
            augmenter = Augmenter(self._size, photos=self._held_out, stencils=self._stencils)
            searches |= photo_searches(rng, augmenter, samplers, self._tokenizer)
        return searches


@contextmanager
def _main_first(group: ProcessGroup) -> Iterator[None]:
    """Let the main process prepare files that the others then find."""
    if not group.is_main:
        group.barrier()
    try:
        yield
    finally:
        if group.is_main:
            group.barrier()


def photo_searches(
    rng: random.Random, augmenter: Augmenter, samplers: list[str], tokenizer: TextTokenizer
) -> Mapping[str, Batch]:
    """Make a search for each sampler that the photographs of an augmenter are enough for."""
    subjects = Subjects.of(augmenter.photos, augmenter.stencils)
    searches = {}
    for name in samplers:
        if not missing_for(subjects, name):
            groups = min(_QUERIES, max(1, len(subjects.photographs) // 4))
            plan = sample_plan(rng, subjects, {name: groups})
            searches[name] = _collate(augmenter.render(plan.pictures, rng), plan, tokenizer)
    return searches


def drawn_search(
    rng: random.Random, size: int, tokenizer: TextTokenizer, queries: int = _QUERIES
) -> Batch:
    """Make a search for combinations of the catalogue that are never trained on."""
    triplets = [
        sample_triplet(
            rng, _TASKS[n % len(_TASKS)], random_product(rng, held_out), lambda product: True
        )
        for n in range(queries)
    ]
    plan = BatchPlan()
    add_triplets(plan, triplets)
    pictures = [
        torch.from_numpy(draw(subject, 1_000_000_000 + n, size))
        for n, subject in enumerate(subjects_of(triplets))
    ]
    return _collate(torch.stack(pictures).float(), plan, tokenizer)


def _collate(pixels: Tensor, plan: BatchPlan, tokenizer: TextTokenizer) -> Batch:
    return collate(pixels, [spec.traits for spec in plan.pictures], plan.queries, tokenizer)
