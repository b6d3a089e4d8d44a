"""Folders in Ocelot's format whose files are damaged or do not fit together."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from ocelot.assets import __file__ as assets
from ocelot.errors import CheckpointError
from ocelot.model.checkpoint import read_folder

WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the bundled encoder."""
    return Path(shutil.copytree(Path(assets).parent / "ocelot-tiny", tmp_path / "copy"))


def rewrite(file: Path, change: Callable[[Any], None]) -> None:
    read = json.loads(file.read_bytes())
    change(read)
    file.write_text(json.dumps(read), encoding="utf-8")


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("vision.image_size", 3, "sizes do not fit together"),
        ("vision.widths", [32, 0], "widths was"),
        ("text.layers", 0, "layers was 0"),
        ("text.heads", 7, "sizes do not fit together"),
        ("text.positions", 17, "sizes do not fit together"),
        ("text.vocabulary", "x", "vocabulary was 'x'"),
        ("text.vocabulary", 5000, "The tokenizer of ocelot-tiny has 10,000 words"),
        ("text.first_position", 95, "sizes do not fit together"),
        ("text.eps", float("nan"), "eps was nan"),
        ("picture_share", float("inf"), "picture_share was inf"),
        ("picture_share", 10**400, "too large"),
    ],
)
def test_a_config_of_another_network_is_one_sentence(
    folder: Path, place: str, value: object, said: str
) -> None:
    *tables, name = place.split(".")
    rewrite(
        folder / "config.json",
        lambda config: reduce(dict.__getitem__, tables, config).update({name: value}),
    )
    with pytest.raises(CheckpointError, match=said):
        read_folder(folder)


def test_json_that_is_too_deep_is_damaged(folder: Path) -> None:
    for name in ("scores.json", "config.json"):
        (folder / name).write_text("[" * 100_000, encoding="utf-8")
        with pytest.raises(CheckpointError, match="damaged"):
            read_folder(folder)


def test_numbers_of_another_kind_are_one_sentence(folder: Path) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole.replace(b'"dtype":"F16"', b'"dtype":"BF16"', 1))
    with pytest.raises(CheckpointError, match="damaged"):  # the header has another length
        read_folder(folder)
    length = int.from_bytes(whole[:8], "little") + 1
    header = whole[8 : 7 + length].replace(b'"dtype":"F16"', b'"dtype":"BF16"', 1)
    (folder / WEIGHTS).write_bytes(length.to_bytes(8, "little") + header + whole[7 + length :])
    with pytest.raises(CheckpointError, match="bfloat16"):
        read_folder(folder)


def test_a_tokenizer_without_a_token_for_unknown_words_is_one_sentence(folder: Path) -> None:
    rewrite(folder / TOKENIZER, lambda read: read["model"]["vocab"].pop("[UNK]"))
    with pytest.raises(CheckpointError, match=r"Cannot read the tokenizer .*UNK"):
        read_folder(folder)
