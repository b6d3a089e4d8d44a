"""The pictures that the instance part is fitted on."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from recipes.ocelot_tiny.benchmark import write_benchmark
from recipes.ocelot_tiny.instance import designs, views
from recipes.ocelot_tiny.tests import made


def test_designs_in_several_colours_belong_together(tmp_path: Path) -> None:
    pictures, groups = designs(made.two_shops(tmp_path), 32)
    shown = [*pictures]
    assert shown[0].shape[1:] == (3, 32, 32) and sum(map(len, shown)) == len(groups) == 2 * 11
    counts = Counter(group for group in groups if group)
    assert sorted(counts.values()) == [3, 3, 3, 3]  # shirts and handbags of either shop
    assert {source for source, _ in counts} == {"fashion", "abo"}


def test_a_reference_belongs_to_its_targets(tmp_path: Path) -> None:
    write_benchmark(tmp_path, count=24, queries=8, seed=3, size=64)
    pictures, groups = views(tmp_path, 32)
    assert sum(map(len, pictures)) == len(groups)
    assert max(Counter(groups).values()) > 1
