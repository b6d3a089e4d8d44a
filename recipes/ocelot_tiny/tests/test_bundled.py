"""The bundled encoder: within its limits, and as good as its model card says."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

from ocelot.encoders import VisualizedBGE
from ocelot.evaluation import Evaluation, evaluate_triplets, read_triplets
from recipes.ocelot_tiny.benchmark import write_benchmark
from recipes.ocelot_tiny.photo_benchmark import read_photographs, write_photo_benchmark
from recipes.ocelot_tiny.pools import StencilPool

# Set of queries -> metric -> what it must reach at least, on these seeds.
BARS = {
    "catalogue": {"R@1": 0.87, "R@9": 0.98},
    "catalogue words": {"R@1": 0.95},
    "recolour": {"R@1": 0.93, "R@5": 0.98},
    "print": {"R@1": 0.70, "R@9": 0.95},
    "view": {"R@1": 0.97},
    "words": {"R@1": 0.86, "P@10": 0.70},
}
# Photographs: queries at most.
QUERIES = {"recolour": 60, "print": 60, "view": 75, "words": None}

ASSETS = Path(str(files("ocelot") / "assets" / "ocelot-tiny"))
DATA = Path(__file__).parents[3] / "tests" / "data"
HELD_OUT = Path(__file__).parents[1] / "held_out.txt"

Measure = Callable[[str], Evaluation]


@pytest.fixture(scope="module")
def encoder() -> VisualizedBGE:
    return VisualizedBGE.load("ocelot-tiny", device="cpu", dtype="fp32")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every second committed photograph, with its metadata: half the work tells as much."""
    folder = tmp_path_factory.mktemp("photographs")
    head, *rows = (DATA / "photographs" / "metadata.csv").read_text(encoding="utf-8").splitlines()
    (folder / "metadata.csv").write_text("\n".join([head, *rows[::2]]), encoding="utf-8")
    for kind in ("clothing", "grocery"):
        (folder / kind).symlink_to(DATA / "photographs" / kind)
    return folder


@pytest.fixture(scope="module")
def measure(
    encoder: VisualizedBGE,
    photographs: Path,
    stencils_of_benchmarks: StencilPool,
    tmp_path_factory: pytest.TempPathFactory,
) -> Measure:
    """Evaluates a set of queries, once."""
    held_out = frozenset(HELD_OUT.read_text(encoding="utf-8").split())
    prepared = tmp_path_factory.mktemp("prepared") / "photographs.npy"

    @cache
    def evaluation(name: str) -> Evaluation:
        folder = tmp_path_factory.mktemp(name.replace(" ", "-"))
        if name == "catalogue":
            file = write_benchmark(folder, count=300, queries=100, seed=11, size=160)
        elif name == "catalogue words":
            tasks = {"words": 1.0}
            file = write_benchmark(folder, count=100, queries=40, seed=5, tasks=tasks, size=160)
        else:
            photos = read_photographs(
                photographs, prepared, name, held_out=held_out, articles="clothing/"
            )
            file = write_photo_benchmark(
                folder, photos, name, held_out=held_out, queries=QUERIES[name], seed=1
            )
        pictures = sorted((folder / "images").iterdir())
        return evaluate_triplets(encoder, read_triplets(file), folder, pictures)

    return evaluation


def test_it_is_small(encoder: VisualizedBGE) -> None:
    assert sum(part.numel() for part in encoder.network.parameters()) <= 12_000_000
    assert sum(file.stat().st_size for file in ASSETS.iterdir()) <= 24 * 2**20
    assert (ASSETS / "README.md").is_file()


@pytest.mark.parametrize("name", BARS)
def test_it_finds_what_is_asked_for(name: str, measure: Measure) -> None:
    result = measure(name)
    missed = {
        metric: result.composed[metric]
        for metric, bar in BARS[name].items()
        if result.composed[metric] < bar
    }
    assert not missed


@pytest.mark.parametrize("name", ["catalogue", "recolour", "print"])
def test_neither_half_of_the_query_is_enough(name: str, measure: Measure) -> None:
    result = measure(name)
    assert result.image_only["R@1"] < result.composed["R@1"] / 2
    assert result.text_only["R@1"] < result.composed["R@1"] / 2
