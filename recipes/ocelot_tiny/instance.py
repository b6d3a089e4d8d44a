"""The pictures that the bundled encoder's instance part is fitted on."""

from __future__ import annotations

from pathlib import Path

from ocelot.evaluation import read_triplets
from ocelot.model.instance import Grouped
from recipes.ocelot_tiny.graft import read_files
from recipes.ocelot_tiny.listings import Listing, read_listings

__all__ = ["designs", "views"]

_SHOPS = ("fashion", "abo")


def designs(root: Path, size: int) -> Grouped:
    """The trained pictures of the tables, a design's in several colours together."""
    shop = [one for name in _SHOPS for one in read_listings(root / name)]
    return Grouped(read_files([one.path for one in shop], size), [_design(one) for one in shop])


def _design(listing: Listing) -> tuple[str, int] | None:
    return (listing.source, listing.item) if listing.variant else None


def views(folder: Path, size: int) -> Grouped:
    """The pictures of an evaluation set's queries, each reference together with its targets."""
    names: dict[str, str] = {}
    for query in read_triplets(folder / "queries.jsonl"):
        if query.reference:
            names.setdefault(query.reference, query.reference)
            names.update(dict.fromkeys(query.targets, names[query.reference]))
    files = [folder / name for name in names]
    return Grouped(read_files(files, size), list(names.values()))
