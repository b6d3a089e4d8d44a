from __future__ import annotations

from pathlib import Path

import pytest

from ocelot.errors import ConfigurationError
from ocelot.training.config import (
    DataConfig,
    NetworkConfig,
    OptimiserConfig,
    TrainConfig,
    read_config,
)

REST = """
[optimiser]
steps = 1
"""
NETWORK = """
[network]
image_size = 32
vision_widths = [16, 32, 32]
vision_depths = [1, 1, 1]
width = 32
hidden = 64
layers = 2
heads = 2
positions = 80
"""


def read(folder: Path, text: str) -> TrainConfig:
    file = folder / "run.toml"
    file.write_text(text, encoding="utf-8")
    return read_config(file, TrainConfig)


def test_every_section_is_read(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        NETWORK
        + """
[data]
triplets = "own.jsonl"
augmentation = 1

[optimiser]
steps = 7
learning_rate = 2e-5
chunk = 16
bf16 = false
""",
    )
    assert config.name == "run" and config.seed == 0
    assert config.network == NetworkConfig(
        image_size=32, vision_widths=(16, 32, 32), vision_depths=(1, 1, 1),
        width=32, hidden=64, layers=2, heads=2, positions=80,
    )  # fmt: skip
    assert config.data == DataConfig(triplets="own.jsonl")
    assert config.optimiser == OptimiserConfig(steps=7, learning_rate=2e-5, chunk=16, bf16=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[network", "is not TOML"),
        ("[network]\nimage_size = 32" + REST, r"\[network\] vision_widths is missing"),
        (REST.replace("steps = 1", "steps = 1\nspeed = 3"), r"no setting .* \[optimiser\] speed"),
        (REST.replace("steps = 1", "learning_rate = 1e-3"), "steps is missing"),
        (REST.replace("steps = 1", "steps = 'ten'"), "steps: .* was: 'ten'"),
        (REST.replace("steps = 1", "steps = true"), "steps: .* was: True"),
        (REST.replace("steps = 1", "steps = 0"), "steps: .* was: 0"),
        (REST + "memory = -1", "memory"),
        (REST + "average = 1.0", "average"),
        (REST + "learning_rate = 'fast'", "learning_rate"),
        (REST + "bf16 = 1", "bf16"),
        (REST + "[optimizer]", "no setting or section optimizer"),
        ("seed = 'x'" + REST, "seed"),
        ("data = 3" + REST, "data"),
        ("[data]\ntriplets = 3" + REST, "triplets"),
        ("[data]\naugmentation = -1" + REST, "augmentation"),
        (NETWORK.replace("[1, 1, 1]", "[1]") + REST, "same length"),
        (NETWORK.replace("heads = 2", "heads = 5") + REST, "multiple of heads"),
        (NETWORK.replace("heads = 2", "heads = 0") + REST, "heads"),
        (NETWORK.replace("[1, 1, 1]", "[1, 0, 1]") + REST, "vision_depths"),
        (
            NETWORK.replace("positions = 80", "positions = 67") + REST,
            "positions must be at least",
        ),
        (NETWORK.replace("image_size = 32", "image_size = 8") + REST, "image_size is too small"),
        (NETWORK.replace("[1, 1, 1]", "[1, 1, true]") + REST, "vision_depths"),
        (NETWORK.replace("[1, 1, 1]", "1") + REST, "vision_depths"),
    ],
)
def test_a_bad_config_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        read(tmp_path, text)
    assert str(tmp_path / "run.toml") in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"Cannot read .*none\.toml"):
        read_config(tmp_path / "none.toml", TrainConfig)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match=r"binary\.toml is not TOML"):
        read_config(tmp_path / "binary.toml", TrainConfig)


def test_validation_and_stop_may_change_when_a_run_is_resumed(tmp_path: Path) -> None:
    """A run's state holds the repr of its configuration, and resumes only under an equal one."""
    config = read(tmp_path, REST)
    data = config.data.model_copy(update={"validation": "other.jsonl"})
    optimiser = config.optimiser.model_copy(update={"stop": 1})
    for changed in ({"data": data}, {"optimiser": optimiser}):
        other = config.model_copy(update=changed)
        assert other != config and repr(other) == repr(config)
    assert repr(config.model_copy(update={"seed": 1})) != repr(config)
