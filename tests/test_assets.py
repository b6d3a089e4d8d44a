"""What ships with the package."""

from __future__ import annotations

import csv
from pathlib import Path

from ocelot.assets import copy_demo_shop, demo_shop, demo_shop_size


def test_the_demo_shop_is_whole_and_small() -> None:
    with open(demo_shop() / "metadata.csv", newline="", encoding="utf-8") as stream:
        names = [row["file_name"] for row in csv.DictReader(stream)]
    pictures = {f"images/{file.name}" for file in (demo_shop() / "images").iterdir()}
    assert set(names) == pictures and len(names) == len(pictures) == demo_shop_size() == 300
    assert (demo_shop() / "leopard.jpg").is_file()
    files = (file for file in demo_shop().rglob("*") if file.is_file())
    assert sum(file.stat().st_size for file in files) <= 6 * 2**20


def test_a_copy_is_repaired_and_what_is_right_stays(tmp_path: Path) -> None:
    shop = copy_demo_shop(tmp_path / "new" / "shop")
    pictures = sorted((shop / "images").iterdir())
    assert len(pictures) == demo_shop_size()
    pictures[0].write_bytes(b"damaged")
    pictures[1].unlink()
    before = pictures[2].stat().st_mtime_ns
    assert copy_demo_shop(shop) == shop
    for picture in pictures[:3]:
        assert picture.read_bytes() == (demo_shop() / "images" / picture.name).read_bytes()
    assert pictures[2].stat().st_mtime_ns == before
