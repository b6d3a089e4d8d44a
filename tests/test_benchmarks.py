"""The plain reference that the benchmarks measure against computes what the encoder computes."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from ocelot.encoders.weights import resolve

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
GOLDEN = Path(__file__).parent / "data" / "golden"
PICTURES = [GOLDEN / "square.png", GOLDEN / "landscape.png"]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("model", ["ocelot-tiny", "tiny-base"])
def test_the_tutorials_way_gives_the_same_vectors(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path))
    golden = GOLDEN / model
    weights, text = (golden / "weights.pth", golden) if golden.is_dir() else (model, None)
    assert load("tutorial").check(resolve(weights, text), PICTURES) < 1e-4


def test_a_random_model_has_the_published_geometry() -> None:
    models = load("models")
    checkpoint = models.random_checkpoint()
    assert checkpoint.geometry == models.BASE
    assert checkpoint.geometry.dimension == 768
    size = sum(value.numel() for value in checkpoint.state.values())
    assert 190e6 < size < 200e6  # the published file has 392,860,018 bytes of two a number
