"""The examples in the help of each command stand there line by line, are accepted, and run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image

import ocelot as library
from tests.cli.conftest import Command
from tests.test_docs import real_commands, words_of, write_pictures

COMMANDS = dict(real_commands())
# The others do not end, or need data or models from elsewhere: they have tests of their own.
RUN = ("index", "search", "similar", "info", "repair", "encoders", "config show",
       "evaluate triplets", "evaluate compare")  # fmt: skip


def examples_of(command: Any) -> list[str]:
    """The lines below "Examples:" at the end of what --help prints, from `ocelot` on."""
    with typer.Context(command, info_name="x", terminal_width=60) as context:
        _, _, listed = command.get_help(context).partition("\n  Examples:\n")
    return [line[line.index("ocelot ") :] for line in listed.splitlines()]


@pytest.mark.parametrize("name", COMMANDS)
def test_help_ends_with_examples_that_are_accepted(name: str) -> None:
    examples = examples_of(COMMANDS[name])
    assert 1 <= len(examples) <= 3
    for line in examples:
        assert line == name or line.startswith(f"{name} ")
        COMMANDS[name].make_context(name, words_of(line)[len(name.split()) - 1 :])


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch, ocelot: Command) -> Iterator[None]:
    """What the examples name."""
    monkeypatch.setenv("OCELOT_DB", "shop.db")
    shutil.copy(write_pictures(Path("pictures")) / "metadata.csv", "items.csv")
    Image.new("RGB", (24, 24), "orange").save("leopard.jpg")
    with library.open("shop.db", reranker=None) as engine:
        engine.add("leopard.jpg", id="SKU-1")
    asked = {"reference": "red.png", "text": "in blue", "targets": ["blue.png"]}
    Path("queries.jsonl").write_text(json.dumps(asked))
    yield


def test_examples_run(ocelot: Command, shop: None) -> None:
    for name in RUN:
        for line in examples_of(COMMANDS[f"ocelot {name}"]):
            if "://" in line:  # elsewhere
                continue
            outcome = ocelot(*words_of(line))
            assert outcome.code == 0, f"{line}: {outcome.err}"
            assert outcome.out, line
        if name == "evaluate triplets":
            shutil.copytree("runs/a", "runs/b")
    assert Path("answer.html").is_file()
