"""The plain reference that the benchmarks measure against computes what the encoder computes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ocelot.encoders.weights import load_checkpoint

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
    assert load("tutorial").check(load_checkpoint(weights, text), PICTURES) < 1e-4


ASK = """
import subprocess, sys
import turns
from ocelot.settings import cache_folder

print(cache_folder(), flush=True)
cache_folder().mkdir(exist_ok=True)
(cache_folder() / "note").touch()
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"], check=True)
    assert (cache_folder() / "note").exists()
"""


def test_benchmarks_keep_out_of_the_users_cache(tmp_path: Path) -> None:
    (ask := tmp_path / "ask.py").write_text(ASK)

    def caches(**environment: str) -> list[Path]:
        path = os.pathsep.join([str(BENCHMARKS), *(entry for entry in sys.path if entry)])
        mine = {**os.environ, "OCELOT_CACHE": str(tmp_path), "PYTHONPATH": path, **environment}
        done = subprocess.run([sys.executable, ask], env=mine, check=True, stdout=subprocess.PIPE)
        return [Path(line) for line in done.stdout.decode().splitlines()]

    own, of_child = caches(BENCH_CACHE="")
    assert own == of_child != tmp_path
    assert not own.exists()
    kept = tmp_path / "kept"
    assert caches(BENCH_CACHE=str(kept)) == [kept, kept]
    assert (kept / "note").exists()


def test_every_benchmark_imports_that_cache() -> None:
    scripts = {file.stem: file.read_text() for file in BENCHMARKS.glob("*.py")}
    measuring = {name for name, text in scripts.items() if "--quick" in text}
    assert {"encoding", "precision", "serve"} <= measuring
    assert measuring == {name for name, text in scripts.items() if "\nfrom turns import" in text}


def test_a_random_model_has_the_published_geometry() -> None:
    models = load("models")
    checkpoint = models.random_checkpoint()
    assert checkpoint.geometry == models.BASE
    assert checkpoint.geometry.dimension == 768
    size = sum(value.size for value in checkpoint.state.values())
    assert 190e6 < size < 200e6  # the published file has 392,860,018 bytes of two a number


def test_a_collection_is_measured_in_processes_of_their_own() -> None:
    path = os.pathsep.join([str(BENCHMARKS), *(entry for entry in sys.path if entry)])
    sizes = ["--rows", "300", "--dimension", "16", "--queries", "20"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "scale.py", *sizes, "--lite", "FLAT", "--lite-only"],
        env={**os.environ, "PYTHONPATH": path, "BENCH_CACHE": ""},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    line, *table = done.stdout.splitlines()
    flat = json.loads(line)
    assert (flat["index"], flat["rows"], flat["recall"]) == ("FLAT", 300, 1)
    assert flat["insert_s"] > 0 and 0 < flat["p50_ms"] <= flat["p95_ms"]
    cells = [row.strip("| ").split(" | ") for row in table if row.startswith("| ")]
    assert cells[1][:3] == ["Lite", "300", "FLAT"] and len(cells[0]) == len(cells[1])
