"""Held-out searches: queries over a gallery, their scores, and which pictures answer them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ocelot.encoders.base import Encoder
from ocelot.errors import ConfigurationError
from ocelot.evaluation import read_triplets
from ocelot.evaluation.metrics import summary
from recipes.ocelot_tiny.listings import Listing, read_listings

__all__ = [
    "Floats", "Search", "colour_kind_search", "colour_search", "encode_files",
    "folder_searches", "held_out_shops", "kind_search", "title_search",
]  # fmt: skip

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Search:
    """Queries of one kind.

    Attributes:
        parts: What they have: "text", "image" or "both".
        asked: Vectors of the queries, shape (n, d).
        groups: Equal for queries that share a picture.
        texts, images: Of their texts and their pictures alone, of queries that have both.
        gallery: Vectors of the pictures, shape (m, d).
        targets: For each query, the numbers of the pictures that answer it.
        left_out: For each query, the numbers of the pictures that are not ranked.
    """

    name: str
    parts: str
    asked: Floats
    gallery: Floats
    targets: Sequence[set[int]]
    left_out: Sequence[set[int]]
    groups: Sequence[int]
    texts: Floats | None = None
    images: Floats | None = None

    def figures(self) -> dict[str, float]:
        """Return R@1, R@5, R@9, R@10, MRR and P@10; see `ocelot.evaluation.metrics.summary`."""
        return summary(self.asked @ self.gallery.T, self.targets, self.left_out)

    def scores(self) -> Floats:
        """Return the scores of all pictures, shape (n, m); what is left out has -inf."""
        scores: Floats = self.asked @ self.gallery.T
        for row, out in zip(scores, self.left_out, strict=True):
            row[list(out)] = -np.inf
        return scores


def held_out_shops(encoder: Encoder, root: Path) -> dict[str, tuple[list[Listing], Floats]]:
    """Read what is held out of the tables `fashion` and `abo`, and encode the pictures."""
    shops = {name: read_listings(root / name, held_out=True) for name in ("fashion", "abo")}
    return {
        name: (shop, encode_files(encoder, (one.path for one in shop)))
        for name, shop in shops.items()
    }


def encode_files(encoder: Encoder, files: Iterable[Path]) -> Floats:
    """Return one row for each picture."""
    return encoder.encode((file, None) for file in files)


def colour_search(encoder: Encoder, shop: Sequence[Listing], gallery: Floats) -> Search:
    """ "Same item in <colour>", from each picture of a design to each other one."""
    designs = defaultdict(list)
    for number, listing in enumerate(shop):
        if listing.variant:
            designs[listing.item].append(number)
    pairs = [(a, b) for one in designs.values() for a in one for b in one if a != b]
    texts = [f"same item in {shop[after].said_colour}" for _, after in pairs]
    return Search(
        "same item in <colour>",
        "both",
        encoder.encode((shop[a].path, text) for (a, _), text in zip(pairs, texts, strict=True)),
        gallery,
        [{after} for _, after in pairs],
        [{before} for before, _ in pairs],
        [shop[before].item for before, _ in pairs],
        encoder.encode(texts),
        gallery[[before for before, _ in pairs]],
    )


def kind_search(encoder: Encoder, shop: Sequence[Listing], gallery: Floats, least: int) -> Search:
    """The name of each kind that has a number of pictures or more."""
    members = defaultdict(set)
    for number, listing in enumerate(shop):
        members[listing.sort].add(number)
    kinds = {sort: numbers for sort, numbers in members.items() if len(numbers) >= least}
    return _text_search(encoder, "name of the kind", list(kinds), list(kinds.values()), gallery)


def colour_kind_search(encoder: Encoder, shop: Sequence[Listing], gallery: Floats) -> Search:
    """A colour with a kind, "navy blue sweaters", wherever the table has one."""
    members = defaultdict(set)
    for number, listing in enumerate(shop):
        if listing.colour:
            members[f"{listing.colour} {listing.sort}"].add(number)
    return _text_search(encoder, "colour and kind", list(members), list(members.values()), gallery)


def title_search(encoder: Encoder, shop: Sequence[Listing], gallery: Floats) -> Search:
    """The first eight words of each title."""
    texts = [" ".join(listing.title.split()[:8]) for listing in shop]
    targets = [{number} for number in range(len(shop))]
    return _text_search(encoder, "first eight words of a title", texts, targets, gallery)


def _text_search(
    encoder: Encoder, name: str, texts: list[str], targets: Sequence[set[int]], gallery: Floats
) -> Search:
    count = len(texts)
    asked = encoder.encode(texts)
    return Search(name, "text", asked, gallery, targets, [set()] * count, range(count))


def folder_searches(encoder: Encoder, folder: Path) -> Iterable[Search]:
    """The queries of an evaluation set (`queries.jsonl` and `images/`), by their parts."""
    try:
        files = sorted((folder / "images").iterdir())
    except OSError as error:
        raise ConfigurationError(f"{folder} is no evaluation set: {error.strerror}.") from None
    numbers = {f"images/{file.name}": number for number, file in enumerate(files)}
    gallery = encode_files(encoder, files)
    by_parts = defaultdict(list)
    for query in read_triplets(folder / "queries.jsonl"):
        parts = "both" if query.reference and query.text else "text" if query.text else "image"
        by_parts[parts].append(query)
    for parts, queries in by_parts.items():
        references = [numbers[query.reference] for query in queries if query.reference]
        texts = [query.text for query in queries if query.text]
        images = gallery[references] if references else None
        asked = images
        if parts == "text":
            asked = encoder.encode(texts)
        elif parts == "both":
            pairs = zip((files[number] for number in references), texts, strict=True)
            asked = encoder.encode(pairs)
        assert asked is not None
        yield Search(
            folder.name,
            parts,
            asked,
            gallery,
            [{numbers[name] for name in query.targets} for query in queries],
            [{number} for number in references] if references else [set()] * len(queries),
            references or range(len(queries)),
            encoder.encode(texts) if parts == "both" else None,
            images if parts == "both" else None,
        )
