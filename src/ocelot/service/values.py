"""Values that the service returns."""

from __future__ import annotations

from dataclasses import dataclass

from ocelot.collection import CollectionInfo
from ocelot.service.facets import Facet
from ocelot.types import Item, Result

__all__ = ["Answer", "Overview"]


@dataclass(frozen=True)
class Answer:
    """A search result, and the key of its panorama (None without hits)."""

    result: Result
    panorama: str | None


@dataclass(frozen=True)
class Overview:
    """What the collection holds, its metadata fields, and some of its items."""

    info: CollectionInfo
    facets: tuple[Facet, ...]
    examples: tuple[Item, ...] = ()
