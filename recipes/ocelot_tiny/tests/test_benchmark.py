"""The drawn evaluation set: only combinations kept from training, every answer listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from recipes.ocelot_tiny.benchmark import COMPOSED_TASKS, write_benchmark


def lines_of(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_set(tmp_path: Path) -> None:
    file = write_benchmark(tmp_path / "a", count=40, queries=15, seed=2, size=32)
    names = {f"images/{picture.name}" for picture in (tmp_path / "a" / "images").iterdir()}
    lines = lines_of(file)
    assert (len(names), len(lines)) == (40, 15)
    assert {line["task"] for line in lines} <= set(COMPOSED_TASKS)
    for line in lines:
        targets = line["targets"]
        assert isinstance(targets, list) and targets
        assert {line["reference"], *targets} <= names
        assert line["reference"] not in targets and line["text"]
    assert Image.open(tmp_path / "a" / "images" / "000000.jpg").size == (32, 32)


def test_the_seed_decides(tmp_path: Path) -> None:
    one, same, other = (
        write_benchmark(tmp_path / name, count=8, queries=4, seed=seed, size=32)
        for name, seed in (("one", 1), ("same", 1), ("other", 2))
    )
    assert one.read_bytes() == same.read_bytes() != other.read_bytes()
    pictures = [(file.parent / "images" / "000003.jpg").read_bytes() for file in (one, same, other)]
    assert pictures[0] == pictures[1] != pictures[2]


def test_a_chosen_task(tmp_path: Path) -> None:
    lines = lines_of(write_benchmark(tmp_path, count=8, queries=4, tasks={"words": 1}, size=32))
    assert {(line["task"], line["reference"]) for line in lines} == {("words", None)}
    with pytest.raises(ValueError, match="task must be one of"):
        write_benchmark(tmp_path, count=8, queries=4, tasks={"sounds": 1}, size=32)
    with pytest.raises(ValueError, match="twice the queries"):
        write_benchmark(tmp_path, count=7, queries=4)
