"""The plan of the catalogue and the files written for it."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from recipes.ocelot_tiny.catalogue import COLOURS, KINDS, PATTERNS, plan, write_catalogue
from recipes.ocelot_tiny.catalogue.write import COLUMNS, put_bytes


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


@pytest.mark.parametrize("seed", range(5))
def test_plan_has_leopard_phone_cases(seed: int) -> None:
    cases = [p for p in plan(900, seed) if (p.kind, p.pattern) == ("phone case", "leopard")]
    assert len(cases) >= 9
    assert sum(p.colour == PATTERNS["leopard"].natural_colour for p in cases) >= 4


def test_plan_prefers_natural_colours() -> None:
    tigers = Counter(p.colour for p in plan(2000) if p.pattern == "tiger")
    assert tigers.most_common(1)[0][0] == "orange"


def test_plan_depends_on_the_seed_alone() -> None:
    assert plan(200, 3) == plan(200, 3)
    assert plan(200, 3) != plan(200, 4)
    assert plan(200, 3)[:50] == plan(50, 3)


@pytest.mark.parametrize("count", [0, -5])
def test_an_empty_catalogue_is_refused(tmp_path: Path, count: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1 picture, not {count}"):
        write_catalogue(tmp_path / "shop", count)
    assert not (tmp_path / "shop").exists()


def test_a_catalogue_of_one(tmp_path: Path) -> None:
    report = write_catalogue(tmp_path, 1)
    assert report.images == 1
    assert set(contents(tmp_path)) == {"images/000001.jpg", "metadata.csv", "leopard.jpg"}


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


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    write_catalogue(tmp_path / "a", 4, seed=1)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.*")}
    write_catalogue(tmp_path / "a", 4, seed=1)
    assert stamps == {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*.*")}
    write_catalogue(tmp_path / "b", 4, seed=1)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    put_bytes(path, b"old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        put_bytes(path, b"new")
    assert contents(tmp_path) == {"file": b"old"}
