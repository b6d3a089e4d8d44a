"""The command line as a person meets it: arguments in; exit code, stdout and stderr out."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from ocelot.encoders.openvino.encoder import OpenVINOEncoder
from ocelot.encoders.weights import BUNDLED
from tests.shop import write_shop

LOADED: dict[str, OpenVINOEncoder] = {}
_load = OpenVINOEncoder.load
_built = cache(typer.main.get_command)  # as typer does for each call


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


def load_once(name: str, *, calibration: Any = None, **options: Any) -> OpenVINOEncoder:
    """Load as `OpenVINOEncoder.load` does, the bundled encoder once for all commands.

    Each time takes half a second. Only int8 looks at the calibration.
    """
    if name != BUNDLED or options.get("precision") == "int8":
        return _load(name, calibration=calibration, **options)
    key = repr(options)
    if key not in LOADED:
        LOADED[key] = _load(name, **options)
    return copy.copy(LOADED[key])  # a command may set the size of its batches


@pytest.fixture
def ocelot(
    bare_environment: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> Command:
    """Run `ocelot ARGS…` in an empty working folder with a clean environment."""
    from ocelot.cli.main import app, run

    monkeypatch.setattr(OpenVINOEncoder, "load", load_once)
    monkeypatch.setenv("OCELOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "160")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def command(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["ocelot", *map(str, arguments)])
        try:
            run(_built(app))
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Outcome(code, captured.out, captured.err)

    return command


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of 60 pictures; read-only."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    return folder


@pytest.fixture(scope="session")
def indexed(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Milvus Lite file with the shop in it."""
    import ocelot

    db = tmp_path_factory.mktemp("db") / "shop.db"
    with ocelot.open(db, reranker=None) as engine:
        engine.index(shop / "images", metadata=shop / "metadata.csv")
    return db
