"""What the benchmarks compare with, where they keep results, and the pages made from these."""

from __future__ import annotations

import filecmp
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ocelot.adapting.columns import Columns
from ocelot.adapting.understand import understand
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
    measuring = {name for name, text in scripts.items() if "ArgumentParser(" in text}
    assert {"encoding", "precision", "serve"} <= measuring
    assert measuring == {name for name, text in scripts.items() if "\nfrom turns import" in text}


def test_the_pages_are_what_the_results_say() -> None:
    results = load("results")
    for page in results.PAGES:
        text = page.read_text(encoding="utf-8")
        assert text == results.page(text), "run `python benchmarks/results.py`"


def test_a_page_shows_the_newest_result_of_a_title(tmp_path: Path) -> None:
    results = load("results")
    machine = {"processor": "One", "cores": 2, "system": "Linux", "python": "3.11", "torch": None}
    for seconds in (3.5, [1.25, 1, 2000]):
        rows = [{"": "ours", "seconds": seconds}]
        results.record("speed", "Speed", machine, rows, {"pictures": 9}, tmp_path)
    first, last = map(json.loads, (tmp_path / "speed.jsonl").read_text().splitlines())
    assert first["rows"][0]["seconds"] == 3.5
    assert {"date", "commit"} <= set(last)
    text = "<!-- machines -->\n<!-- end -->\nWords.\n<!-- results: Speed -->\nold\n<!-- end -->\n"
    written = results.page(text, tmp_path)
    assert "- Machine 1: One, 2 cores, Linux, Python 3.11.\n" in written
    assert "| ours | 1.25 (1-2,000) |\n\n*pictures: 9; machine 1, " in written
    assert "old" not in written and "Words." in written
    assert results.page(written, tmp_path) == written
    with pytest.raises(KeyError, match="Other"):
        results.page("<!-- results: Other -->\n<!-- end -->", tmp_path)


def test_a_random_model_has_the_published_geometry() -> None:
    models = load("models")
    checkpoint = models.random_checkpoint()
    assert checkpoint.geometry == models.BASE
    assert checkpoint.geometry.dimension == 768
    size = sum(value.size for value in checkpoint.state.values())
    assert 190e6 < size < 200e6  # the published file has 392,860,018 bytes of two a number


def test_the_drawn_shop_of_pottery_is_understood(tmp_path: Path) -> None:
    pottery = load("pottery")
    for folder in (tmp_path / "one", tmp_path / "two"):
        pottery.draw(folder, designs=24)
    pictures = [path.name for path in (tmp_path / "one").glob("*.jpg")]
    assert len(pictures) == 24 * 4
    same = filecmp.cmpfiles(tmp_path / "one", tmp_path / "two", pictures, shallow=False)
    assert len(same[0]) == 24 * 4
    columns = understand(tmp_path / "one", None, Columns(), None).columns
    assert (columns.title, columns.kind, columns.attributes, columns.group) == (
        "title", "type", ("glaze",), "design",
    )  # fmt: skip


def test_a_collection_is_measured_in_processes_of_their_own() -> None:
    path = os.pathsep.join([str(BENCHMARKS), *(entry for entry in sys.path if entry)])
    options = ["--quick", "--dimension", "16", "--lite", "FLAT"]
    done = subprocess.run(
        [sys.executable, BENCHMARKS / "scale.py", *options],
        env={**os.environ, "PYTHONPATH": path, "BENCH_CACHE": ""},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    head, _, row = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    flat = dict(zip(head.strip("| ").split(" | "), row.strip("| ").split(" | "), strict=True))
    assert (flat["where"], flat["rows"], flat["index"], flat["recall@9"]) == (
        "Lite", "1,000", "FLAT", "1",
    )  # fmt: skip
    assert float(flat["insert s"]) > 0 and 0 < float(flat["p50 ms"]) <= float(flat["p95 ms"])
