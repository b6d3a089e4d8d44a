"""The commands of the recipe, as a person meets them."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from ocelot.assets import demo_shop
from ocelot.cli.main import run
from ocelot.encoders.weights import locate
from ocelot.model.checkpoint import read_folder
from ocelot.model.geometry import InstanceConfig
from recipes.ocelot_tiny.__main__ import app
from recipes.ocelot_tiny.benchmark import write_benchmark
from recipes.ocelot_tiny.tests import made

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data"
LEG = """
[photographs]
folder = FOLDER
[groups]
views = 2
[optimiser]
steps = 1
"""

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(
    bare_environment: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command; return exit code, stdout and stderr."""

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["ocelot_tiny", *map(str, arguments)])
        try:
            run(app)
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return code, captured.out, captured.err

    return command


def test_catalogue(command: Command, tmp_path: Path) -> None:
    code, out, _ = command("catalogue", tmp_path / "shop", "--count", 5)
    assert code == 0 and "5 pictures" in out
    assert len(list((tmp_path / "shop" / "images").iterdir())) == 5
    folder = tmp_path / "held-out"
    held_out = ("catalogue", folder, "--held-out", "--seed", 3)
    assert command(*held_out, "--count", 24, "--queries", 8)[0] == 0
    assert len((folder / "queries.jsonl").read_text().splitlines()) == 8
    code, _, err = command(*held_out, "--count", 5, "--queries", 4)
    assert code == 2 and "twice the queries" in err


def test_demo_shop(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = demo_shop()
    monkeypatch.setattr("ocelot.assets._DEMO_SHOP", tmp_path)
    assert command("demo-shop", "--count", 3)[0] == 0
    for name in ("images/000003.jpg", "leopard.jpg"):
        assert (tmp_path / name).read_bytes() == (shipped / name).read_bytes()


def test_a_set_of_photographs(command: Command, tmp_path: Path) -> None:
    folder = DATA / "photographs"
    names = [f"clothing/{file.name}" for file in sorted((folder / "clothing").iterdir())[:3]]
    only = tmp_path / "held_out.txt"
    only.write_text("\n".join(names) + "\n\n", encoding="utf-8")
    made = tmp_path / "recoloured"
    common = ("photographs", folder, "--only", only, "--task", "recolour")
    code, out, _ = command(
        *common, "--articles", "clothing/", "--output", made, "--queries", 3
    )  # fmt: skip
    assert code == 0 and "28 pictures" in out
    lines = [json.loads(line) for line in (made / "queries.jsonl").read_text().splitlines()]
    assert len(lines) == 3 and {line["task"] for line in lines} == {"recolour"}
    code, _, err = command(*common, "--output", made)
    assert code == 2 and "has pictures already" in err
    code, _, err = command(*common, "--articles", "none/", "--output", tmp_path / "none")
    assert code == 2 and "No held-out photograph" in err
    code, _, err = command(*common[:3], tmp_path / "no.txt", *common[4:], "-o", tmp_path / "a")
    assert code == 2 and "no.txt" in err


def test_without_opencv_photographs_cannot_be_cut_out(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    file = tmp_path / "leg.toml"
    file.write_text(LEG.replace("FOLDER", json.dumps(str(DATA / "photographs"))))
    start = ("--initial", "ocelot-tiny", "--device", "cpu")
    code, _, err = command("train", file, "--output", tmp_path / "run", *start)
    assert code == 2 and err.count("\n") == 1 and "opencv" in err


def documented() -> list[str]:
    """The recipe's own commands in its README."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    lines = text.replace("\\\n", " ").splitlines()
    start = re.compile(r"(?:python|torchrun --nproc-per-node 2) -m recipes\.ocelot_tiny (.+)")
    return [found[1] for line in lines if (found := start.fullmatch(line.strip()))]


@pytest.mark.parametrize("line", documented())
def test_documented_commands_are_such_as_the_command_takes(line: str) -> None:
    name, *words = shlex.split(line)
    if name != "--help":
        typer.main.get_command(app).commands[name].make_context(name, words)  # type: ignore[attr-defined]
    for word in words:
        assert not word.startswith("recipes/") or (ROOT / word).is_file()


def test_a_leg_needs_a_start(command: Command, tmp_path: Path) -> None:
    leg = Path(__file__).parents[1] / "configs" / "7-finish.toml"
    code, _, err = command("train", leg, "--output", tmp_path / "run")
    assert code == 2 and "--initial" in err


def test_instance(command: Command, tmp_path: Path) -> None:
    made.two_shops(tmp_path)
    write_benchmark(tmp_path / "set", count=24, queries=8, seed=3, size=64)
    bundled = locate("ocelot-tiny").weights.parent
    given = ("instance", bundled, tmp_path / "set", "--tables", tmp_path, "--width", 8)
    code, out, err = command(*given, "--output", tmp_path / "fitted")
    assert (code, err) == (0, "") and "The encoder is in" in out
    before, after = read_folder(bundled), read_folder(tmp_path / "fitted")
    assert after.geometry.instance == InstanceConfig(10, 8, 0.7)
    assert after.state["instance.weight"].shape == (8, 112)
    same = before.state.keys() - {"instance.weight", "instance.bias"}
    assert all((before.state[name] == after.state[name]).all() for name in same)
    code, _, err = command(*given, "--block", 99, "--output", tmp_path / "none")
    assert code == 2 and "instance.block was 99" in err
