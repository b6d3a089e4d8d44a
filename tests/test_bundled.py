"""The bundled encoder: within its limits, and as good as its model card says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from ocelot.encoders import VisualizedBGE
from ocelot.evaluation import Evaluation, evaluate_triplets, read_triplets
from ocelot.model.visualized_bge import parameter_count
from ocelot.training.benchmark import COMPOSED_TASKS, write_benchmark

ASSETS = Path(str(files("ocelot") / "assets" / "ocelot-tiny"))


@pytest.fixture(scope="module")
def encoder() -> VisualizedBGE:
    return VisualizedBGE.load("ocelot-tiny", device="cpu")


def test_it_is_small(encoder: VisualizedBGE) -> None:
    assert parameter_count(encoder.network) <= 8_000_000
    assert sum(file.stat().st_size for file in ASSETS.iterdir()) <= 16 * 2**20
    assert (ASSETS / "README.md").is_file()


@pytest.fixture(scope="module")
def held_out(
    encoder: VisualizedBGE, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Evaluation, list[dict[str, object]]]]:
    folder = tmp_path_factory.mktemp("held-out")
    file = write_benchmark(folder, count=600, queries=200, seed=11)
    pictures = sorted((folder / "images").iterdir())
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    yield evaluate_triplets(encoder, read_triplets(file), folder, pictures), lines


def test_composed_queries_for_combinations_it_never_saw(
    held_out: tuple[Evaluation, list[dict[str, object]]],
) -> None:
    result, lines = held_out
    assert {line["task"] for line in lines} == set(COMPOSED_TASKS)
    assert (result.queries, result.gallery) == (200, 600)
    assert result.composed["R@1"] >= 0.80
    assert result.composed["R@9"] >= 0.97


def test_neither_half_of_the_query_is_enough(
    held_out: tuple[Evaluation, list[dict[str, object]]],
) -> None:
    result, _ = held_out
    assert result.image_only["R@1"] < result.composed["R@1"] / 2
    assert result.text_only["R@1"] < result.composed["R@1"] / 2


def test_words_alone(encoder: VisualizedBGE, tmp_path: Path) -> None:
    file = write_benchmark(tmp_path, count=200, queries=60, seed=5, tasks={"words": 1.0})
    pictures = sorted((tmp_path / "images").iterdir())
    result = evaluate_triplets(encoder, read_triplets(file), tmp_path, pictures)
    assert result.composed["R@1"] >= 0.80
