"""A shop to do faults to, and what its collection must hold."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

import ocelot
from ocelot import Engine
from ocelot.build import build_encoder
from ocelot.collection import Collection, Row
from ocelot.encoders.base import Encoder
from ocelot.settings import load_settings
from tests.faults.finding import Losses
from tests.indexing.pictures import hash_file
from tests.shop import write_shop


@cache
def encoder() -> Encoder:
    """One encoder for all looks at collections."""
    return build_encoder(load_settings())


@dataclass
class Shop:
    """Pictures with metadata in a folder."""

    folder: Path

    @classmethod
    def write(cls, folder: Path, count: int) -> Shop:
        return cls(write_shop(folder, count))

    def open(self, db: Path | str, **settings: str) -> Engine:
        return ocelot.open(db, encoder=encoder(), reranker=None, **settings)

    @cached_property
    def expected(self) -> dict[str, Row]:
        """The rows of an undisturbed run, by id."""
        with self.open(self.folder / "whole.db") as engine:
            engine.index(self.folder / "images")
            return rows(engine.collection)

    def compare(self, losses: Losses, found: dict[str, Row], *, whole: bool) -> None:
        """Count rows that are wrong, and, if all must be there, rows that are missing."""
        for id, row in found.items():
            known = self.expected.get(id)
            losses.that(known is not None and same(known, row), "wrong row")
        if whole:
            for _ in self.expected.keys() - found.keys():
                losses.that(False, "missing row")


def rows(collection: Collection) -> dict[str, Row]:
    """All rows with their vectors, by id."""
    return {row.id: row for row in collection.get([row.id for row in collection.iterate()])}


def same(one: Row, other: Row) -> bool:
    """Whether two rows say the same; batches of other sizes differ in the last bits."""
    assert one.vector is not None and other.vector is not None
    return (
        set(one.paths) == set(other.paths)
        and one.metadata == other.metadata
        and float(np.dot(one.vector, other.vector)) > 0.999
    )


def on_disk(folder: Path) -> dict[str, set[str]]:
    """Id of each content in a folder -> the paths that have it."""
    found: dict[str, set[str]] = {}
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            found.setdefault(hash_file(file), set()).add(str(file))
    return found
