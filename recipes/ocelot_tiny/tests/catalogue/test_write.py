"""The plan of the catalogue and the files written for it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from recipes.ocelot_tiny.catalogue.plan import plan
from recipes.ocelot_tiny.catalogue.vocabulary import COLOURS, KINDS, PATTERNS
from recipes.ocelot_tiny.catalogue.write import COLUMNS, write_catalogue


def contents(directory: Path) -> dict[str, bytes]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def test_plan_spreads_kinds_colours_and_patterns() -> None:
    products = plan(900)
    kinds = Counter(product.kind for product in products)
    colours = Counter(product.colour for product in products)
    patterns = Counter(product.pattern for product in products)
    assert set(kinds) == set(KINDS) and min(kinds.values()) >= 30
    assert set(colours) == set(COLOURS) and min(colours.values()) >= 30
    assert set(patterns) == set(PATTERNS) and min(patterns.values()) >= 25
    assert 0.33 < patterns["plain"] / 900 < 0.45
    assert len(set(products)) == 900


@pytest.mark.parametrize("seed", range(2))
def test_plan_has_leopard_phone_cases(seed: int) -> None:
    cases = [p for p in plan(900, seed) if (p.kind, p.pattern) == ("phone case", "leopard")]
    assert len(cases) >= 9
    assert sum(p.colour == PATTERNS["leopard"].natural_colour for p in cases) >= 4


def test_plan_depends_on_the_seed_alone() -> None:
    assert plan(200, 3) == plan(200, 3)
    assert plan(200, 3) != plan(200, 4)
    assert plan(200, 3)[:50] == plan(50, 3)


def test_metadata_describes_the_pictures(tmp_path: Path) -> None:
    report = write_catalogue(tmp_path, 12, seed=2)
    with report.metadata.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert sorted(row["file_name"] for row in rows) == sorted(
        f"images/{path.name}" for path in (tmp_path / "images").iterdir()
    )
    for row, product in zip(rows, plan(12, 2), strict=True):
        with Image.open(tmp_path / row["file_name"]) as picture:
            assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (320, 320))
        kind = KINDS[row["kind"]]
        assert (row["kind"], row["colour"], row["pattern"], row["title"], row["category"]) == (
            product.kind,
            product.colour,
            product.pattern,
            product.title,
            kind.category,
        )
        assert kind.price[0] <= float(row["price"]) <= kind.price[1]
        assert len(row["price"].split(".")[1]) == 2
    with Image.open(report.query) as picture:
        assert picture.size == (640, 640)


def test_equal_arguments_write_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_catalogue(tmp_path / name, 4, seed=1)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
